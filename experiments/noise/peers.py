"""What is measured against: AnoDDPM's noise by PyPI opensimplex (numba), DRAEM's masks by its per-image NumPy recipe.

Axes: h height, w width.
"""

import cv2
import numpy as np
import opensimplex


def octaves(seed: int, time: int, size: int) -> np.ndarray:
    """Six octaves of one image: the whole grid in one compiled call per octave, reseeded per image."""
    opensimplex.seed(seed)
    at, wavelength, total = np.arange(size), 64, np.zeros((size, size))
    for octave in range(6):
        total += (
            0.8**octave * opensimplex.noise3array(at / wavelength, at / wavelength, np.array([time]) / wavelength)[0]
        )
        wavelength /= 2
    return total


def perlin(rng: np.random.Generator, size: int, res: tuple[int, int]) -> np.ndarray:
    steps = size // res[0], size // res[1]
    y, x = np.mgrid[0 : res[0] : 1 / steps[0], 0 : res[1] : 1 / steps[1]] % 1
    angle = 2 * np.pi * rng.random((res[0] + 1, res[1] + 1))
    gradient = np.stack([np.cos(angle), np.sin(angle)], -1)

    def corner(i, j):
        tiles = gradient[i : res[0] + i, j : res[1] + j].repeat(steps[0], 0).repeat(steps[1], 1)
        return tiles[..., 0] * (y - i) + tiles[..., 1] * (x - j)

    def fade(t):
        return 6 * t**5 - 15 * t**4 + 10 * t**3

    v, u = fade(y), fade(x)
    top = corner(0, 0) + u * (corner(0, 1) - corner(0, 0))
    bottom = corner(1, 0) + u * (corner(1, 1) - corner(1, 0))
    return 2**0.5 * (top + v * (bottom - top))


def mask(rng: np.random.Generator, size: int) -> np.ndarray:
    """Turned by OpenCV (bilinear, zeros outside), as the published augmenter turns it."""
    field = perlin(rng, size, tuple(2 ** rng.integers(0, 6, 2)))
    middle = (size - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-90, 90), 1)
    return cv2.warpAffine(field, turn, (size, size), flags=cv2.INTER_LINEAR) > 0.5
