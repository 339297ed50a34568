"""What a data set knows of its defects beyond their masks: files beside the images, read at evaluation alone.

    <root>[/<category>]/meta/<stem>.json, or meta/<defect>/<stem>.json where stems repeat
        {"type": ..., "family": ..., "instances": [{"number": 1, "severity": 0.4, "box": [x0, y0, x1, y1],
         "area": 35, "crossing_distance": 7.5, "on_crossing": true}, ...], "crossings": {"x", "y", "angle"}}
    .../<stem>_label.png       instance numbers, 0 outside
    .../<stem>_crossings.png   how many filaments lie over each pixel

Everything but the instances' numbers may be missing; an instance may have a type and a family of its own.

Axes: h height, w width, n crossing.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from adjax.types import Record, UserError


class Instance(NamedTuple):
    """None where the data set does not say."""

    number: int  # in the label map
    type: str
    family: str | None
    severity: float | None  # 0-1
    area: int | None  # px of its mask
    box: tuple[int, ...] | None  # x0, y0, x1, y1, the last ones excluded
    crossing_distance: float | None  # px from its nearest pixel
    on_crossing: bool | None


class Details(NamedTuple):
    instances: tuple[Instance, ...]
    label: str | None  # path
    count: str | None  # path
    crossings: Float[np.ndarray, "n 3"]  # x and y in px, angle in degrees, 0-90


def locate(base: Path, file: Path) -> str | None:
    """The JSON file of an image below `base`, if there is one."""
    for folder in (base / "meta" / file.parent.name, base / "meta"):
        if (found := folder / f"{file.stem}.json").is_file():
            return str(found)
    return None


def read_details(record: Record) -> Details | None:
    """None without such a file. Raises UserError for one that is broken or another image's."""
    if not (path := record.meta.get("details")):
        return None
    try:
        known = {"type": record.defect} | json.loads(Path(path).read_text())
        if not known.keys() & {"instances", "crossings"}:
            return None  # says other things
        instances = tuple(_instance(i, known) for i in known.get("instances", ()))
        found = known.get("crossings") or {"x": (), "y": (), "angle": ()}
        crossings = np.array([found[k] for k in ("x", "y", "angle")], np.float64).T.reshape(-1, 3)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be used ({type(error).__name__}: {error}); mend it or remove it") from error
    if known["type"] != record.defect:
        raise UserError(
            f"{path} describes a defect of type {known['type']!r} and {record.path} shows {record.defect!r}; "
            f"where stems repeat, keep it in {Path(path).parent / record.defect}"
        )
    label, count = (_beside(path, name) for name in ("label", "crossings"))
    return Details(instances, label, count, crossings)


def read_counts(path: str, record: Record) -> UInt8[np.ndarray, "h w"]:
    """A label or crossing map, numbers above 255 as 255. Raises UserError unless it is as large as its image."""
    try:
        with Image.open(path) as image:
            values = np.asarray(image)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}); replace it") from error
    if values.shape != record.shape[:2] or values.dtype.kind not in "ui":
        raise UserError(f"{path} must hold whole numbers in the size of {record.path}, not {values.dtype} "
                        f"of {'×'.join(map(str, values.shape))}")  # fmt: skip
    return np.minimum(values, 255).astype(np.uint8)


def _instance(entry: dict, image: dict) -> Instance:
    named = {k: entry.get(k, image.get(k)) for k in ("type", "family")}
    box = entry.get("box")
    rest = {k: entry.get(k) for k in ("severity", "area", "crossing_distance", "on_crossing")}
    return Instance(number=int(entry["number"]), box=box and tuple(box), **named, **rest)


def _beside(path: str, name: str) -> str | None:
    file = Path(path).with_name(f"{Path(path).stem}_{name}.png")
    return str(file) if file.is_file() else None
