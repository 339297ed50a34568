"""Real-IAD (Wang et al., CVPR 2024): 30 categories, every sample seen from five sides; access on request.

    <root>/realiad_jsons/<category>.json        {"meta": {"prefix", "normal_class"}, "train": [...], "test": [...]} of
                                                {"category", "anomaly_class", "image_path", "mask_path" or null}
    <root>/realiad_1024/<category>/OK/S0001/<category>_0001_OK_C1_<time>.jpg
    <root>/realiad_1024/<category>/NG/<code>/S0001/<category>_0001_NG_<code>_C1_<time>.jpg and .png, its mask

CC BY-NC-SA 4.0. An image is normal without a mask or with the normal class. Sources differ in whether image_path begins
below the prefix or below the category: the first image decides. Masks of smaller trees may be blurred by resizing.
"""

import json
import re
from pathlib import Path

from adjax.data import headers, layout
from adjax.data.source import Source
from adjax.types import Record, UserError

SAMPLE = re.compile(r"([a-zA-Z][a-zA-Z0-9_]*_[0-9]{4}_[A-Z][A-Z_]*[A-Z])_C[0-9]_")  # the official one
PLAIN = "realiad_jsons"


def load(*, root: str | None = None, category: str = "", resolution: str = "1024", protocol: str = PLAIN) -> Source:
    """`resolution`: which of the trees realiad_<resolution>. `protocol`: which folder of JSON files.

    In those of fully unsupervised protocols (fuiad) defective images are learned from as if they were good: that is
    their point. Everywhere else they raise UserError.
    """
    top = layout.find("real_iad", root, "realiad_jsons*/*.json")
    have = headers.folders(top)
    protocols = [p.name for p in have if p.name.startswith(PLAIN)]
    sizes = [p.name.removeprefix("realiad_") for p in have if p.name.startswith("realiad_") and p.name not in protocols]
    layout.choose("real_iad", "options.real_iad.protocol", protocol, protocols)
    layout.choose("real_iad", "options.real_iad.resolution", resolution, sizes)
    known = {p.stem: p for p in sorted((top / protocol).glob("[!.]*.json"))}
    path = known[layout.choose("real_iad", "category", category, tuple(known))]
    try:
        views = json.loads(path.read_text())
        base = _base(top / f"realiad_{resolution}", views, category)
        normal = views["meta"]["normal_class"]
        learn, test = ([_record(v, base, top, category, normal) for v in views[s]] for s in ("train", "test"))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be used ({type(error).__name__}: {error}); download it again") from error
    if "fuiad" in protocol:
        learn = [r._replace(label=0, defect=layout.GOOD, masks=()) for r in learn]
    bad = next((r for r in learn if r.label), None)
    if bad is not None:
        raise UserError(f"{path} has the defective {bad.id} in train, which only fuiad protocols do")
    return Source(tuple(learn), tuple(test))


def _base(tree: Path, views: dict, category: str) -> Path:
    first = views["train"][0]["image_path"]
    choices = [tree / views["meta"]["prefix"], tree / category]
    for base in choices:
        if (base / first).is_file():
            return base
    raise UserError(f"{first} is neither below {choices[0]} nor below {choices[1]}; is the archive complete?")


def _record(view: dict, base: Path, top: Path, category: str, normal: str) -> Record:
    good = view["mask_path"] is None or view["anomaly_class"] == normal
    found = () if good else (str(base / view["mask_path"]),)
    named = SAMPLE.match(Path(view["image_path"]).name)
    sample = f"{category}/{named[1]}" if named else None
    defect = layout.GOOD if good else view["anomaly_class"]
    return layout.record(
        base / view["image_path"],
        top,
        defect=defect,
        found=found,
        category=category,
        group=sample,
        anomaly_class=view["anomaly_class"],
    )
