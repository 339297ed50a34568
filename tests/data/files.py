"""Small image files for the tests, written without the code under test."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from adjax.data import headers


def pixels(shape, dtype="uint8", seed=0):
    values = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape)
    return values.astype(dtype)


def save(path: Path, array, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def save_png16(path: Path, array) -> Path:
    """16-bit PNG of 1 to 4 channels by the book (RFC 2083): Pillow cannot write colour at this depth."""
    height, width, channels = array.shape
    rows = array.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def good_images(folder: Path, count: int, shape=(20, 24), dtype="uint8") -> list[Path]:
    return [save(folder / f"{i:03d}.png", pixels(shape, dtype, seed=i)) for i in range(count)]


def record(path: Path, **fields):
    return headers.record(path, path.parent, **({"label": 0, "defect": "good", "category": ""} | fields))


def mvtec(root: Path, train=4, good=2, bad=3, shape=(20, 24)) -> Path:
    """train/good, test/good, test/hole and its masks, whose first row is defective."""
    good_images(root / "train/good", train, shape)
    good_images(root / "test/good", good, shape)
    good_images(root / "test/hole", bad, shape)
    mask = np.zeros(shape, np.uint8)
    mask[0] = 255
    for i in range(bad):
        save(root / f"ground_truth/hole/{i:03d}_mask.png", mask)
    return root
