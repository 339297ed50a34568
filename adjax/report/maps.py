"""Anomaly maps as files: raw float32, or 16-bit PNG that any viewer opens and whose values can be recovered.

Axes: h height, w width.
"""

import pathlib

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image, PngImagePlugin

from adjax.types import UserError

FORMATS = ("npy", "png")
LEVELS = 65535


def check_format(how: str) -> None:
    """Raises UserError unless it is one of FORMATS."""
    if how not in FORMATS:
        raise UserError(f"unknown map format {how!r}; choose from {', '.join(FORMATS)}")


def write_map(path: str | pathlib.Path, map: Float[np.ndarray, "h w"], how: str) -> None:
    """Writes one map; `how` is "npy" (float32, exact) or "png" (16-bit grey).

    A PNG carries its linear range in the text fields `minimum` and `maximum`:
    value = minimum + grey / 65535 * (maximum - minimum), which is exact to half a grey level. The range is this
    map's own: grey values of two files compare only through their fields. The suffix of `path` must be the
    format's, so that `read_map` knows it. Raises UserError on another format, ValueError on a map that is not
    2-D and finite.
    """
    path = pathlib.Path(path)
    check_format(how)
    if path.suffix != f".{how}":
        raise ValueError(f"{path}: a map written as {how} must be named *.{how}")
    map = np.asarray(map, np.float32)
    if map.ndim != 2 or not map.size or not np.isfinite(map).all():
        raise ValueError(f"{path}: a map has axes h w and finite values, this one has shape {map.shape}")
    if how == "npy":
        np.save(path, map)
        return
    low, high = float(map.min()), float(map.max())
    span = high - low or 1.0  # a constant map is all zeros
    grey = np.round((map.astype(np.float64) - low) / span * LEVELS).astype(np.uint16)
    fields = PngImagePlugin.PngInfo()
    fields.add_text("minimum", repr(low))
    fields.add_text("maximum", repr(high))
    Image.fromarray(grey).save(path, pnginfo=fields)


def read_map(path: str | pathlib.Path) -> Float32[np.ndarray, "h w"]:
    """The map that `write_map` wrote. Raises ValueError on a PNG without the range fields."""
    path = pathlib.Path(path)
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    with Image.open(path) as image:
        fields = image.info
        grey = np.asarray(image)
    if grey.dtype != np.uint16 or "minimum" not in fields or "maximum" not in fields:
        raise ValueError(f"{path}: not a 16-bit PNG with the text fields minimum and maximum")
    low, high = float(fields["minimum"]), float(fields["maximum"])
    return (low + grey.astype(np.float64) / LEVELS * (high - low)).astype(np.float32)
