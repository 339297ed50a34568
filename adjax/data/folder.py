"""Images in folders: MVTec AD's layout, or just a folder of good images.

    <root>[/<category>]/train/good/*
    <root>[/<category>]/test/good/*, test/<defect>/*
    <root>[/<category>]/ground_truth/<defect>/<stem>_mask.png   (or <stem>.png, _gt, _label, or a folder <stem>/)
    <root>[/<category>]/validation/good/*                       (optional: takes the place of the cut by fraction)
    <root>[/<category>]/ignore/<split>/<good or defect>/<stem>_ignore.png   (optional: what is not 0 counts nowhere)
    <root>[/<category>]/meta/<stem>.json                        (optional: what is known of a test image, see details)

Extensions in any case; hidden files and files of other types are ignored.
"""

from collections.abc import Callable
from pathlib import Path

from adjax.data import details, headers, layout, masks
from adjax.data.layout import GOOD
from adjax.data.source import Source
from adjax.types import Record, UserError


def load(*, root: str, category: str = "", mask_threshold: int = 1) -> Source:
    """The records of a folder; every header is read, no pixel. `mask_threshold`: see `masks.read_mask`.

    A defect without any ground_truth/<defect> folder is known by image only; with one, each image needs its mask.
    """
    top = layout.existing(root)
    base = _locate(top, category)
    if not (base / "train" / GOOD).is_dir():
        return Source(_good(base, None, top, category), ())
    extra = [p.name for p in headers.folders(base / "train") if p.name != GOOD]
    if extra:
        raise UserError(
            f"{base / 'train'} holds {', '.join(extra)} beside good; only good images are learnt from: move it"
        )
    test = [
        record
        for part in headers.folders(base / "test")
        for record in _labelled(part, base, top, category, {"mask_threshold": mask_threshold})
    ]
    _check_orphans(base)
    own = base / "validation" / GOOD
    hidden = base / "ignore"
    validation = _good(own, hidden / "validation" / GOOD, top, category) if own.is_dir() else None
    return Source(_good(base / "train" / GOOD, hidden / "train" / GOOD, top, category), tuple(test), validation)


def unlabelled(path: str, *, on_unreadable: Callable[[str, str], None] | None = None) -> tuple[Record, ...]:
    """Records of one file, or of every image below a folder but in folders of masks, for scoring: their label is -1.

    A file without a readable header is handed to `on_unreadable(path, reason)` and skipped; without it, UserError.
    """
    top = layout.absolute(path)
    if not top.exists():
        raise UserError(f"{top}: no such file or folder")
    found = [top] if top.is_file() else sorted(_below(top))
    if not found:
        raise UserError(f"{top} holds no images; images end in {', '.join(headers.EXTENSIONS)}")
    root = top.parent if top.is_file() else top
    records = []
    for file in found:
        try:
            records.append(headers.record(file, root, label=-1, defect="", category=""))
        except UserError as error:
            if on_unreadable is None:
                raise
            on_unreadable(str(file), str(error))
    return tuple(records)


def _below(folder: Path) -> list[Path]:
    inner = [p for p in headers.folders(folder) if p.name not in ("ground_truth", "ignore")]
    return headers.image_files(folder) + [file for sub in inner for file in _below(sub)]


def _good(folder: Path, hidden: Path | None, top: Path, category: str) -> tuple[Record, ...]:
    """The good images of a folder; `hidden` is the folder of their ignore masks, if there may be one."""
    files = layout.images(folder)
    ignore = masks.match(files, hidden, masks.IGNORE) if hidden and hidden.is_dir() else {}
    fields = {"label": 0, "defect": GOOD, "category": category}
    records = [headers.record(file, top, ignore=ignore.get(file, ()), **fields) for file in files]
    for record in records:
        masks.check_size(record)
    return tuple(records)


def _labelled(part: Path, base: Path, top: Path, category: str, meta: dict) -> list[Record]:
    """The images of test/<part> with their masks."""
    files, good = layout.images(part, ", or remove the folder"), part.name == GOOD
    truth = base / "ground_truth" / part.name
    found = {} if not truth.is_dir() else masks.match(files, truth) if good else layout.masks_of(files, truth)
    hidden = base / "ignore" / "test" / part.name
    ignore = masks.match(files, hidden, masks.IGNORE) if hidden.is_dir() else {}
    records = []
    for file in files:
        known = details.locate(base, file)
        fields = {"label": int(not good), "defect": part.name, "masks": found.get(file, ())}
        fields["meta"] = meta | ({"details": known} if known else {})
        records.append(headers.record(file, top, category=category, ignore=ignore.get(file, ()), **fields))
        masks.check_size(records[-1])
    return records


def _check_orphans(base: Path) -> None:
    for truth in headers.folders(base / "ground_truth"):
        if not (base / "test" / truth.name).is_dir():
            masks.match([], truth)  # raises when it holds any mask
    hidden = base / "ignore"
    for folder in [hidden, *headers.folders(hidden)] if hidden.is_dir() else ():
        for file in headers.image_files(folder):
            raise UserError(f"{file} is out of place; ignore masks belong into {hidden}/<split>/<good or defect>")
    for split in headers.folders(hidden):
        for part in headers.folders(split):
            if not (base / split.name / part.name).is_dir():
                masks.match([], part, masks.IGNORE)


def _locate(top: Path, category: str) -> Path:
    """The folder that holds train/ or, failing that, the images; UserError names the one that would work."""
    base = top / category if category else top
    if (base / "train" / GOOD).is_dir():
        return base
    for above in (top, *top.parents[:2]):
        train = above / "train" / GOOD
        if train.is_dir() and (category or train != top):
            raise UserError(
                f"{top} is too low, or has no category {category!r}: use data.root={_split(above, category)}"
            )
    inner = sorted(p.parent.parent for depth in ("*", "*/*") for p in top.glob(f"{depth}/train/{GOOD}"))
    inner = [p for p in inner if p.name == category] or inner
    if inner:
        raise UserError(f"{base} has no train/{GOOD}: use data.root={' or '.join(_split(p, category) for p in inner)}")
    if not base.is_dir():
        raise UserError(f"{base}: no such folder; choose data.category from {layout.names(top)} or leave it empty")
    if (base / "train").is_dir():
        raise UserError(
            f"{base / 'train'} has no folder {GOOD}, only {layout.names(base / 'train')}; rename the good one to it"
        )
    if not headers.image_files(base) and headers.folders(base):
        raise UserError(
            f"{base} holds no images, only folders: {layout.names(base)}; use one of them, "
            f"or put images into train/{GOOD}"
        )
    return base


def _split(base: Path, category: str) -> str:
    """The options that lead to `base`, as the user writes them."""
    return f"{base.parent} data.category={base.name}" if category else str(base)
