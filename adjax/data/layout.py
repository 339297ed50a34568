"""What the data sets' files share: the right level of folders, the category, images, masks and records."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adjax.data import headers, masks
from adjax.types import Record, UserError

GOOD = "good"


class Unknown(UserError):
    """A value of config.data.<name> that is none of the choices."""

    def __init__(self, name: str, choices: Sequence[str], message: str):
        super().__init__(message)
        self.name, self.choices = name, tuple(choices)


def find(dataset: str, root: str | None, mark: str) -> Path:
    """The absolute root, where `mark` (a glob pattern below it) exists; UserError names the folder that would work."""
    if not root:
        raise UserError(f"data set {dataset!r} needs data.root: the folder that holds {mark}")
    top = existing(root)
    if _has(top, mark):
        return top
    for above in top.parents[:3]:
        inside = top.relative_to(above).parts[0]
        if _has(above, inside + mark[1:] if mark.startswith("*/") else mark):
            category = f" data.category={inside}" if mark.startswith("*/") else ""
            raise UserError(f"{top} is too low for data set {dataset!r}: use data.root={above}{category}")
    below = headers.folders(top)
    inner = [p for p in (*below, *(q for p in below for q in headers.folders(p))) if _has(p, mark)]
    if inner:
        raise UserError(f"{top} is too high for data set {dataset!r}: use data.root={' or '.join(map(str, inner))}")
    raise UserError(f"{top} is not data set {dataset!r}: it has no {mark}, only {names(top)}")


def existing(path: str) -> Path:
    """The absolute path of a folder; links are kept as they are."""
    top = absolute(path)
    if not top.exists():
        raise UserError(f"{top}: no such folder; state an existing one by data.root")
    if not top.is_dir():
        raise UserError(f"{top} is a file; state its folder by data.root")
    return top


def absolute(path: str) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def choose(dataset: str, name: str, value: str, choices: Sequence[str]) -> str:
    """`value`, when it is one of `choices`; `name` is the key of config.data that sets it."""
    if value not in choices:
        known = ", ".join(choice or "'', for it has no more than one" for choice in choices)
        raise Unknown(name, choices, f"unknown data.{name} {value!r} of data set {dataset!r}; choose from {known}")
    return value


def category_folders(top: Path, mark: str) -> list[str]:
    """The folders below `top` that hold `mark`."""
    return [p.name for p in headers.folders(top) if (p / mark).is_dir()]


def images(folder: Path, hint: str = "") -> list[Path]:
    """The images directly in a folder; UserError when there are none."""
    files = headers.image_files(folder) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder} holds no images; images end in {', '.join(headers.EXTENSIONS)}{hint}")
    return files


def masks_of(files: Sequence[Path], truth: Path) -> dict[Path, tuple[str, ...]]:
    """The masks of defective images; UserError unless each has one and each mask an image."""
    if not truth.is_dir():
        raise UserError(f"{truth}: no such folder; it holds the masks of the images in {files[0].parent}")
    found = masks.match(files, truth)
    for file in files:
        if file not in found:
            raise UserError(f"{file} has no mask in {truth}; add {file.stem}_mask.png or move the image away")
    return found


def record(
    path: Path, root: Path, *, defect: str = GOOD, found: Sequence[str] = (), category: str = "", **meta: Any
) -> Record:
    """One image's record, its masks as large as it is; `meta` is what else is known, None meaning nothing."""
    known = {name: value for name, value in meta.items() if value is not None}
    label = int(defect != GOOD)
    made = headers.record(path, root, label=label, defect=defect, masks=tuple(found), category=category, meta=known)
    masks.check_size(made)
    return made


def records(files: Sequence[Path], root: Path, category: str = "") -> tuple[Record, ...]:
    """Of good images about which nothing else is known."""
    return tuple(record(file, root, category=category) for file in files)


def names(folder: Path) -> str:
    return ", ".join(p.name for p in headers.folders(folder)) or "nothing: it has no subfolders"


def _has(folder: Path, mark: str) -> bool:
    return next(folder.glob(mark), None) is not None
