"""Weights and an image that any interpreter with NumPy generates alike; shared with the PyTorch reference."""

import math
import zlib

import numpy as np


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Of the published `name` and layout. Uniform, and such that activations neither vanish nor explode."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    uniform = generator.random(shape, np.float32)
    if name.startswith(("patch_embed", "pos_embed")):  # small, so that the first normalisation's epsilon shows
        return (uniform - np.float32(0.5)) * np.float32(0.02)
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1) or name.endswith("gamma"):
        return uniform * np.float32(0.8) + np.float32(0.3)
    if name.endswith("weight"):
        return (uniform - np.float32(0.5)) * np.float32(math.sqrt(12 * 1.4 / math.prod(shape[1:])))
    return (uniform - np.float32(0.5)) * np.float32(0.4)


def image(side: int) -> np.ndarray:
    """f32[side side 3] in [0, 1]: waves of three colours, and a bright square."""
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin(9 * x + 5 * y), np.cos(13 * y * x + 2), np.sin(21 * x - 8 * y + 1)]
    picture = 0.5 + 0.4 * np.stack(waves, -1)
    picture[side // 4 : side // 2, side // 3 : side // 2] = 0.95
    return picture.astype(np.float32)


def samples(values: np.ndarray, count: int = 24) -> np.ndarray:
    """Some of the numbers of a layer, h w c or c in order, spread over all of it."""
    flat = np.asarray(values, np.float64).ravel()
    return flat[np.linspace(0, flat.size - 1, count).astype(int)]
