"""Masks of defects and of what to ignore: which files belong to which image, and their pixels.

Axes: h height, w width.
"""

import io
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image

from adjax.data import files, tiff
from adjax.data.headers import folders, image_files, read_header
from adjax.types import Record, UserError

DEFECT, IGNORE = ("mask", "", "gt", "label"), ("ignore", "")  # where an image has several kinds, the first counts


def match(images: Sequence[Path], folder: Path, order: Sequence[str] = DEFECT) -> dict[Path, tuple[str, ...]]:
    """The masks of each image, by equality of stems once a known suffix is taken off: never by order or containment.

    `order`: the suffixes. A mask may be a file, files of which the first suffix is numbered (`_mask1`, `_mask2`) or a
    folder of files named like the image.
    Raises UserError for a mask whose image is missing. Images without a mask are left out.
    """
    files: dict[str, list[str]] = {}
    for path in image_files(folder):
        files.setdefault(path.stem, []).append(str(path))
    for sub in folders(folder):
        files.setdefault(sub.name, []).extend(str(path) for path in image_files(sub))
    others = "".join(f"|{suffix}" for suffix in order[1:] if suffix)
    suffixed = re.compile(rf"(?P<stem>.+)_(?P<suffix>{order[0]}\d*{others})", re.IGNORECASE)
    kinds: dict[tuple[str, str], list[str]] = {}  # (image's stem, kind) -> stems of masks
    for stem in sorted(files):
        kinds.setdefault((stem, ""), []).append(stem)
        if named := suffixed.fullmatch(stem):
            kind = named["suffix"].lower().rstrip("0123456789")
            kinds.setdefault((named["stem"], kind), []).append(stem)
    chosen = {
        image: next((kinds[image.stem, kind] for kind in order if (image.stem, kind) in kinds), []) for image in images
    }
    for stem in sorted(files.keys() - {stem for stems in chosen.values() for stem in stems}):
        where = images[0].parent if images else f"a test folder {folder.name}"
        raise UserError(f"{(files[stem] or [folder / stem])[0]} is a mask without an image in {where}; remove it")
    found = {image: tuple(path for stem in stems for path in files[stem]) for image, stems in chosen.items()}
    return {image: paths for image, paths in found.items() if paths}


def check_size(record: Record) -> None:
    """Raises UserError unless every mask has its image's height and width."""
    for path in (*record.masks, *record.ignore):
        (height, width, _), _ = read_header(path)
        if (height, width) != record.shape[:2]:
            raise UserError(
                f"{path} is {width}×{height} and its image {record.path} is {record.shape[1]}×{record.shape[0]} "
                "(width×height); redraw the mask at the size of the image"
            )


def read_mask(record: Record) -> Bool[np.ndarray, "h w"]:
    """The union of the record's masks, all False for an image that is not defective.

    A pixel counts from `record.meta["mask_threshold"]` on, in the mask's own units: 1 suits 0/255 masks, label maps
    and single bits, 128 grey masks with soft borders. Raises UserError for a defective image without a mask.
    """
    if record.label == 1 and not record.masks:
        raise UserError(f"{record.path} is defective and has no mask: its pixels cannot be judged")
    return _union(record, record.masks, record.meta.get("mask_threshold", 1))


def read_ignore(record: Record) -> Bool[np.ndarray, "h w"]:
    """The pixels that count nowhere: those that any of the record's ignore masks sets to anything but 0."""
    mask = _union(record, record.ignore, 1)
    if mask.all():
        raise UserError(f"{record.path} is ignored as a whole ({', '.join(record.ignore)}); move the image away")
    return mask


def shows(paths: Sequence[str], threshold: int = 1) -> list[bool]:
    """Whether each file marks any pixel: of data sets that give every image a mask, this is the label."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda path: bool(_read(path, threshold).any()), paths))


def _union(record: Record, paths: Sequence[str], threshold: int) -> Bool[np.ndarray, "h w"]:
    mask = np.zeros(record.shape[:2], bool)
    for path in paths:
        mask |= _read(path, threshold)
    return mask


def _read(path: str, threshold: int) -> Bool[np.ndarray, "h w"]:
    try:
        return _binary(files.read(path), threshold)
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        raise UserError(f"mask {path} cannot be read ({error or type(error).__name__}); replace it") from error


def _binary(data: bytes, threshold: int) -> Bool[np.ndarray, "h w"]:
    if data[:4] in tiff.MAGIC:
        values = tiff.pixels(io.BytesIO(data))
    else:
        with Image.open(io.BytesIO(data)) as image:
            values = np.asarray(image)  # of a palette the indices, which are the labels
    if values.dtype == bool:
        return values
    if values.ndim == 3:
        values = values[..., :-1] if values.shape[2] in (2, 4) else values  # alpha says nothing
        values = values.max(axis=2)
    return values >= threshold
