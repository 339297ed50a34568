"""Images that occur twice: by their bytes, and by what they show.

Axes: n images, m images, k bytes of hash, t thumbnail side. The perceptual hash is the difference hash: whether
brightness rises from each of 16×16 places to its right neighbour. Photographs of one part in one place agree in it
nearly as much as copies do, so that thumbnails must agree too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image

SIDE, THUMB = 16, 32
BITS = 10  # of 256 that may differ
LEVELS = 1.0  # of 255 by which thumbnails may differ on average


class Print(NamedTuple):
    bits: UInt8[np.ndarray, "k"]
    thumb: Float32[np.ndarray, "t t"]


def fingerprint(image: Shaped[np.ndarray, "h w c"]) -> Print:
    grey = Image.fromarray(image.astype(np.float32).mean(axis=2) * (255 / _largest(image)))
    small = np.asarray(grey.resize((SIDE + 1, SIDE), Image.Resampling.BOX))
    thumb = np.asarray(grey.resize((THUMB, THUMB), Image.Resampling.BOX))
    return Print(np.packbits(small[:, 1:] > small[:, :-1]), thumb)


def alike(first: Sequence[Print], second: Sequence[Print]) -> list[tuple[int, int]]:
    """(place in `first`, place in `second`) of images that look the same."""
    if not first or not second:
        return []
    bits, thumbs = np.stack([p.bits for p in first]), np.stack([p.thumb for p in first])
    pairs = []
    for j, other in enumerate(second):
        near = np.flatnonzero(np.bitwise_count(bits ^ other.bits[None]).sum(axis=1) <= BITS)
        same = np.abs(thumbs[near] - other.thumb[None]).mean(axis=(1, 2)) <= LEVELS
        pairs += [(int(i), j) for i in near[same]]
    return pairs


def _largest(image: np.ndarray) -> float:
    return float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else float(np.abs(image).max()) or 1.0
