"""Pieces of an image and their augmentation, on whatever channels the array has.

Axes: h height, w width, c channels, d uniform numbers in [0, 1). Each choice has a number of its own: y, x, flip_h,
flip_v, rot90, shift y, shift x.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped

DRAWS = 7
SHIFT = 16  # "shift" moves by up to a 16th of the side


def padded(image: Shaped[np.ndarray, "h w c"], height: int, width: int) -> Shaped[np.ndarray, "h w c"]:
    """At least height×width, by symmetric reflection below and on the right, repeated as often as it takes."""
    missing = [(0, max(0, n - have)) for n, have in zip((height, width), image.shape[:2])]
    return np.pad(image, (*missing, (0, 0)), mode="symmetric") if any(n for _, n in missing) else image


def random_tile(image: Shaped[np.ndarray, "h w c"], tile: int | None, draws: Float[np.ndarray, "d"]):
    if tile is None:
        return image
    image = padded(image, tile, tile)
    y, x = (int(u * (n - tile + 1)) for u, n in zip(draws, image.shape[:2]))
    return image[y : y + tile, x : x + tile]


def augmented(image: Shaped[np.ndarray, "h w c"], names: Sequence[str], draws: Float[np.ndarray, "d"]):
    if "flip_h" in names and draws[2] < 0.5:
        image = image[:, ::-1]
    if "flip_v" in names and draws[3] < 0.5:
        image = image[::-1]
    if "rot90" in names:
        image = np.rot90(image, int(draws[4] * 4))
    if "shift" in names:
        margins = [max(1, n // SHIFT) for n in image.shape[:2]]
        y, x = (int(u * (2 * m + 1)) for u, m in zip(draws[5:], margins))
        wide = np.pad(image, (*((m, m) for m in margins), (0, 0)), mode="symmetric")
        image = wide[y : y + image.shape[0], x : x + image.shape[1]]
    return image
