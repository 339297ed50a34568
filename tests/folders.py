"""Miniature image folders in MVTec AD's layout, made in a moment."""

import pathlib

import numpy as np
from PIL import Image


def make(root: pathlib.Path, *, train: int = 8, good: int = 3, bad: int = 3, side: int = 48, masks: bool = True):
    """Striped grey images; the bad ones have a bright square, and a mask of it."""
    for part, number in (("train/good", train), ("test/good", good), ("test/square", bad)):
        (root / part).mkdir(parents=True)
        for i in range(number):
            write(root / part / f"{i:03d}.png", stripes(i, side, "square" in part))
    if masks:
        (root / "ground_truth/square").mkdir(parents=True)
        for i in range(bad):
            mask = np.zeros((side, side), np.uint8)
            mask[10:20, 10:20] = 255
            write(root / f"ground_truth/square/{i:03d}_mask.png", mask)
    return root


def stripes(seed: int, side: int, square: bool) -> np.ndarray:
    random = np.random.default_rng([seed, square])
    grey = 128 + 50 * np.sin(np.arange(side)[None] / 2 + random.uniform(0, 6)) + random.normal(0, 5, (side, side))
    if square:
        grey[10:20, 10:20] = 250
    return grey.clip(0, 255).astype(np.uint8)


def write(path: pathlib.Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path)
