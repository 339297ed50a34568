"""The pixels of the cases, as data URIs: photograph, ground truth, anomaly map, marked pixels.

Axes: h height, w width, c channels. Every picture of a case has the case's canvas size.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy.ndimage import maximum_filter

from adjax.report.cases import Case

LARGEST, SMALLEST = 512, 256  # longest side of a canvas: larger images are shrunk, smaller ones repeated
PICTURE_BYTES = 80_000  # two to a case; only noise needs more
COLOURS = matplotlib.colormaps["inferno"]
# What a pixel of a layer means: nothing, outline of the ground truth, its dark casing, ground truth, marked.
CLEAR, OUTLINE, CASING, TRUTH, MARKED = range(5)
LAYER_RGBA = ((0, 0, 0, 0), (0, 229, 255, 255), (0, 0, 0, 130), (0, 229, 255, 80), (255, 40, 40, 165))


class Scale(NamedTuple):
    """The displayed ranges, common to all cases of a page. None: no map, or no pixel threshold."""

    grey: tuple[float, float]
    map: tuple[float, float] | None
    threshold: float | None


def choose_scale(cases: Sequence[Case], threshold: float | None) -> Scale:
    """Grey values as they are, unless all cases together use less than half of [0, 1]: that is stretched.

    Maps, as large as they are shown, from their minimum to their 99.9 % quantile over all cases, or to the
    pixel threshold where that is higher.
    """
    grey = (0.0, 1.0)
    if cases:
        low = min(float(case.image.min()) for case in cases)
        high = max(float(case.image.max()) for case in cases)
        grey = (low, high) if 0 < high - low < 0.5 else grey
    values = [fit(case.map, canvas(*case.image.shape[:2])).ravel() for case in cases if case.map is not None]
    if not values:
        return Scale(grey, None, None)
    together = np.concatenate(values)
    low, high = float(together.min()), float(np.quantile(together, 0.999))
    if threshold is not None:
        high = max(high, threshold)
    return Scale(grey, (low, high), threshold)


def draw_case(case: Case, scale: Scale) -> dict[str, Any]:
    """The canvas size and the pictures of one case; None for a picture that it has no data for."""
    size = canvas(*case.image.shape[:2])
    truth = None if case.mask is None or not case.mask.any() else fit(case.mask, size)
    outline = np.zeros(size, np.uint8) if truth is None else trace(truth)
    drawn: dict[str, Any] = {"size": size, "photo": encode(photograph(case.image, size, scale.grey))}
    drawn["truth_layer"] = None if truth is None else encode_layer(np.where(truth, TRUTH, outline))
    drawn["outline"] = None if truth is None else encode_layer(outline)
    drawn |= dict.fromkeys(("map", "peak", "marked", "marked_share"))
    if case.map is not None and scale.map is not None:
        drawn["map"] = encode(colour(fit(case.map, size), scale.map))
        drawn["peak"] = float(case.map.max())
        if scale.threshold is not None:
            marked = fit(case.map > scale.threshold, size)
            drawn["marked"] = encode_layer(np.where(marked, MARKED, CLEAR))
            drawn["marked_share"] = float((case.map > scale.threshold).mean())
    return drawn


def canvas(height: int, width: int) -> tuple[int, int]:
    side = max(height, width)
    factor = LARGEST / side if side > LARGEST else max(1, SMALLEST // side)
    return max(1, round(height * factor)), max(1, round(width * factor))


def fit(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes h w to `size`: shrinks by the maximum, so that thin things stay, and enlarges by repetition."""
    for axis, length in enumerate(size):
        starts = np.arange(length) * values.shape[axis] // length
        values = np.maximum.reduceat(values, starts, axis=axis)  # equal starts repeat the pixel
    return values


def photograph(
    image: Float[np.ndarray, "h w c"], size: tuple[int, int], grey: tuple[float, float]
) -> UInt8[np.ndarray, "..."]:
    """One channel as grey, three as colour, any other number as the mean of the channels."""
    if image.shape[-1] != 3:
        image = image.mean(axis=-1)
    values = np.clip((image - grey[0]) / (grey[1] - grey[0]), 0, 1)
    picture = Image.fromarray(np.round(values * 255).astype(np.uint8))
    how = Image.Resampling.BOX if size[0] < image.shape[0] else Image.Resampling.NEAREST
    return np.asarray(picture.resize(size[::-1], how))


def colour(map: Float[np.ndarray, "h w"], limits: tuple[float, float]) -> UInt8[np.ndarray, "h w 3"]:
    low, high = limits
    return COLOURS((map - low) / (high - low or 1.0), bytes=True)[..., :3]


def trace(mask: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """A line around the mask, outside of it, so that it hides nothing of a thin defect."""
    line = max(1, round(max(mask.shape) / 220))
    inner = maximum_filter(mask, 2 * line + 1)
    outer = maximum_filter(inner, 3)
    return np.select([mask, inner, outer], [CLEAR, OUTLINE, CASING], CLEAR).astype(np.uint8)


def encode(pixels: np.ndarray) -> str:
    """A data URI: PNG where it is small, else JPEG, as good as the budget for one picture allows."""
    image = Image.fromarray(pixels)
    lossless = _bytes(image, "png")
    for quality in (88, 70, 50, 30):
        lossy = _bytes(image, "jpeg", quality=quality, subsampling=0)
        if len(lossy) <= PICTURE_BYTES:
            break
    return _uri("png", lossless) if len(lossless) <= len(lossy) else _uri("jpeg", lossy)


def encode_layer(meanings: np.ndarray) -> str:
    """A transparent PNG of a few flat colours."""
    image = Image.fromarray(meanings.astype(np.uint8)).convert("P")
    image.putpalette([value for rgba in LAYER_RGBA for value in rgba[:3]])
    transparency = bytes(rgba[3] for rgba in LAYER_RGBA)
    return _uri("png", _bytes(image, "png", transparency=transparency, compress_level=3))  # flat: small at any level


def colour_bar() -> str:
    return encode(np.broadcast_to(COLOURS(np.arange(256), bytes=True)[None, :, :3], (8, 256, 3)))


def _bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _uri(kind: str, blob: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(blob).decode()}"
