"""Images as tiles are cut from them: decoded, resized where the view says so, with their marks as further channels.

Axes: h height, w width, c channels, m marks. Marks are what is known of single pixels and must go wherever the image
goes: `_ignore` (counts nowhere) and `target` (labelled objects). As the last channels of the array they are cut, turned
and padded by the very operations that move the image.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from adjax.data import decode
from adjax.data.masks import read_ignore, read_mask
from adjax.data.memory import Cache, Raw, check_disk, check_memory, on_disk, remember
from adjax.data.view import View
from adjax.types import Record

_READ = {"_ignore": read_ignore, "target": read_mask}


def marks_of(records: Sequence[Record]) -> tuple[str, ...]:
    """The field `_ignore` where any record has such masks: a batch has it for all of its images or for none."""
    return ("_ignore",) if any(record.ignore for record in records) else ()


def fetcher(
    records: Sequence[Record], view: View, marks: tuple[str, ...], cache: Cache
) -> Callable[[int], Shaped[np.ndarray, "h w c+m"]]:
    """`prepared` by the record's number, kept as `cache` says. Raises UserError where that has no room."""

    def load(index: int) -> np.ndarray:
        return prepared(records[index], view, marks)

    sizes = [_bytes(record, view, marks) for record in records]
    if not cache.folder:
        check_memory(sizes, cache.mb)
        return remember(load, int(cache.mb * 2**20), cache.recent)
    folder = Path(cache.folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    arrays = [_raw(record, view, marks) for record in records]
    paths = [array.path(folder) for array in arrays]
    check_disk(sizes, paths)
    return remember(on_disk(load, arrays, paths), 0, cache.recent)


def prepared(record: Record, view: View, marks: tuple[str, ...] = ()) -> Shaped[np.ndarray, "h w c+m"]:
    """What is worth keeping: the image as stored, or resized; marks are 0 and 1 in its own dtype."""
    image = decode.decode(record)
    if _resized(record, view):
        image = decode.resize(decode.to_unit(image, view), view.size)
    planes = [mark(record, view, name)[..., None].astype(image.dtype) for name in marks]
    return np.concatenate([image, *planes], axis=-1) if planes else image


def mark(record: Record, view: View, name: str) -> Bool[np.ndarray, "h w"]:
    """Resized as the image is: True wherever a marked pixel has any weight."""
    found = _READ[name](record)
    if _resized(record, view):
        return decode.resize(found[..., None].astype(np.float32), view.size)[..., 0] > 0
    return found


def write(
    out: Sequence[np.ndarray], row: int, piece: Shaped[np.ndarray, "h w c+m"], record: Record, view: View
) -> None:
    """A piece of a prepared image into row `row` of the fields (image, *marks)."""
    image, *marks = out
    pixels = piece[..., : piece.shape[-1] - len(marks)]
    if _resized(record, view):
        image[row] = pixels
    else:
        decode.to_unit(pixels, view, image[row])
    for i, field in enumerate(marks):
        field[row] = piece[..., pixels.shape[-1] + i] > 0


def _resized(record: Record, view: View) -> bool:
    return view.shape(record) != record.shape[:2]


def _layout(record: Record, view: View, marks: tuple[str, ...]) -> tuple[tuple[int, int, int], str]:
    """Shape and dtype of what `prepared` gives."""
    if _resized(record, view):
        return (*view.size, (view.channels or record.shape[2]) + len(marks)), "float32"
    return (*record.shape[:2], record.shape[2] + len(marks)), record.dtype


def _bytes(record: Record, view: View, marks: tuple[str, ...]) -> int:
    shape, dtype = _layout(record, view, marks)
    return math.prod(shape) * np.dtype(dtype).itemsize


def _raw(record: Record, view: View, marks: tuple[str, ...]) -> Raw:
    files = (record.path, *(record.ignore if "_ignore" in marks else ()), *(record.masks if "target" in marks else ()))
    settings = (view.size, view.channels, view.range) if _resized(record, view) else ()
    return Raw(*_layout(record, view, marks), files, (settings, marks, record.meta.get("mask_threshold", 1)))
