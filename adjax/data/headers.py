"""Which files are images, and what their headers say: shape (h w c) and dtype, without decoding pixels."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from adjax.data import tiff
from adjax.types import Record, UserError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_CHANNELS = {  # by Pillow's mode; a palette is expanded to the colours it stands for
    "PNG": {"1": 1, "L": 1, "I": 1, "I;16": 1, "I;16B": 1, "LA": 2, "P": 3, "RGB": 3, "RGBA": 4},
    "JPEG": {"L": 1, "RGB": 3},
    "MPO": {"L": 1, "RGB": 3},  # JPEG of some cameras with a second picture behind the first
    "BMP": {"1": 1, "L": 1, "P": 3, "RGB": 3, "RGBA": 4},
}


def image_files(folder: Path) -> list[Path]:
    """The images directly in a folder, sorted by name; hidden files and other types are left out.

    A link to a file that is gone counts as one that cannot be read, lest a part of the images be missing unnoticed.
    """
    named = (p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith("."))
    return sorted(p for p in named if p.is_file() or not p.exists())


def folders(folder: Path) -> list[Path]:
    """The subfolders, sorted by name, but for hidden ones and those that archives of other systems leave behind."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != "." and p.name != "__MACOSX")


def read_header(path: str | os.PathLike) -> tuple[tuple[int, int, int], str]:
    """((h, w, c), dtype) as `decode` will deliver them. Orientation tags are not applied: pixels count as stored."""
    try:
        with open(path, "rb") as file:
            start = file.read(26)
        return tiff.header(path) if start[:4] in tiff.MAGIC else _header(path, start)
    except UserError as error:
        raise UserError(f"{path} {error}") from None
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        raise UserError(
            f"{path} is not a readable image ({error or type(error).__name__}); replace or remove it"
        ) from error


def _header(path: str | os.PathLike, start: bytes) -> tuple[tuple[int, int, int], str]:
    with Image.open(path) as image:
        kind, mode, (width, height) = image.format, image.mode, image.size
    if kind not in _CHANNELS:
        raise UserError(f"is a {kind} file; save it as PNG, JPEG, BMP or TIFF")
    if mode not in _CHANNELS[kind]:
        raise UserError(f"is a {kind} file of mode {mode}; save it as grey or RGB")
    deep = kind == "PNG" and start[24] == 16  # Pillow's mode hides the depth of 16-bit colour
    return (height, width, _CHANNELS[kind][mode]), "uint16" if deep else "uint8"


def record(path: Path, root: Path, *, masks: tuple[str, ...] = (), **fields) -> Record:
    """A Record from a file's header; the id is the path below `root`. `fields`: label, defect, category, meta."""
    shape, dtype = read_header(path)
    return Record(id=path.relative_to(root).as_posix(), path=str(path), masks=masks, shape=shape, dtype=dtype, **fields)


def convertible(channels: int, wanted: int, path: str) -> bool:
    """Grey and colour turn into each other, and the alpha of an LA or RGBA file can go (TIFF channels are data)."""
    if Path(path).suffix.lower() not in (".tif", ".tiff"):
        channels = {2: 1, 4: 3}.get(channels, channels) if wanted in (1, 3) else channels
    return channels == wanted or {channels, wanted} == {1, 3}


def check_channels(records: Sequence[Record], channels: int | None) -> int:
    """The number of channels all records will have: `channels` when stated, otherwise the one they share."""
    if channels is None:
        found = Counter(r.shape[2] for r in records)
        if len(found) > 1:
            raise UserError(
                f"the images differ in their number of channels: {_examples(records)}; "
                "state data.channels=1 or data.channels=3 to convert them"
            )
        return next(iter(found))
    for r in records:
        if not convertible(r.shape[2], channels, r.path):
            raise UserError(f"{r.path} has {r.shape[2]} channels, which cannot become data.channels={channels}")
    return channels


def _examples(records: Iterable[Record]) -> str:
    groups: dict[int, list[str]] = {}
    for r in records:
        groups.setdefault(r.shape[2], []).append(r.path)
    return ", ".join(f"{len(paths)} with {c} (such as {paths[0]})" for c, paths in sorted(groups.items()))
