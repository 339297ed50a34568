"""TIFF files: 8- and 16-bit integers and floats, any number of channels, which TensorFlow and Pillow lack.

Axes: h height, w width, c channels. A page stack without named axes is read as channels when it is short (the first or
last axis has at most CHANNELS entries and is the shorter of the two); longer stacks are refused.
"""

import os
from typing import IO

import numpy as np
import tifffile
from jaxtyping import Shaped
from PIL import Image

from adjax.types import UserError

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
CHANNELS = 32


def _channel_axis(shape: tuple[int, ...], axes: str) -> int | None:
    if len(shape) == 2:
        return None
    if len(shape) == 3:
        for name in "SC":
            if name in axes:
                return axes.index(name)
        axis = 0 if shape[0] < shape[2] else 2
        if shape[axis] <= CHANNELS:
            return axis
    raise UserError(f"holds a stack of shape {shape} (axes {axes}); save one file per image")


def _layout(file: tifffile.TiffFile) -> tuple[tuple[int, ...], str, int | None]:
    """Shape without its axes of length one (but for height and width), dtype, and the place of the channels."""
    series = file.series[0]
    if file.pages[0].photometric == tifffile.PHOTOMETRIC.PALETTE:
        raise UserError("is a palette TIFF; save it as grey or RGB")
    kept = [i for i, (n, axis) in enumerate(zip(series.shape, series.axes)) if n > 1 or axis in "YX"]
    shape = tuple(series.shape[i] for i in kept)
    axis = _channel_axis(shape, "".join(series.axes[i] for i in kept))
    dtype = "float32" if series.dtype.kind == "f" else "uint8" if series.dtype == bool else series.dtype.name
    if dtype not in ("uint8", "uint16", "float32"):
        raise UserError(f"holds {series.dtype.name} pixels; save it as uint8, uint16 or float32")
    return shape, dtype, axis


def header(path: str | os.PathLike) -> tuple[tuple[int, int, int], str]:
    """((h, w, c), dtype) without reading pixels; float16 and float64 count as float32, one bit as uint8."""
    with tifffile.TiffFile(path) as file:
        shape, dtype, axis = _layout(file)
    channels = 1 if axis is None else shape[axis]
    height, width = (n for i, n in enumerate(shape) if i != axis)
    return (height, width, channels), dtype


def pixels(source: IO[bytes]) -> Shaped[np.ndarray, "h w c"]:
    """The pixels in their own dtype; grey values that count from white are turned to count from black.

    Bits become 0 and 255 as they are stored: writers of arrays label True black, and a mask must not come out inverted.
    """
    with tifffile.TiffFile(source) as file:
        shape, dtype, axis = _layout(file)
        white_is_zero = file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISWHITE
        try:
            image = file.series[0].asarray().reshape(shape)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            return _by_pillow(source, dtype, str(error))
    if image.dtype == bool:
        image = image * np.uint8(255)
    elif white_is_zero and dtype != "float32":
        image = np.iinfo(dtype).max - image
    image = image.astype(dtype, copy=False)
    return image[..., None] if axis is None else np.moveaxis(image, axis, -1)


def _by_pillow(source: IO[bytes], dtype: str, reason: str) -> Shaped[np.ndarray, "h w c"]:
    """Compressions such as LZW: Pillow knows them, but crushes some pixel types, so its dtype must be the file's."""
    with Image.open(source) as image:
        if image.mode not in ("L", "RGB", "RGBA", "I;16", "I;16B", "F"):
            raise UserError(f"{reason}: pip install imagecodecs, or save it without compression")
        result = np.asarray(image)
    if result.dtype != np.dtype(dtype):
        raise UserError(f"{reason}: pip install imagecodecs, or save it without compression")
    return result[..., None] if result.ndim == 2 else result
