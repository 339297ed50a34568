"""A contact sheet: a row for each split and defect, masks outlined. Axes: h height, w width, c channels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image, ImageDraw, ImageFilter

from adjax.data.decode import decode
from adjax.data.masks import read_mask
from adjax.types import Record

ACROSS, CELL, TITLE, GAP = 8, 160, 18, 6  # images in a row; px
OUTLINE = (0, 229, 255)


def write(path: Path, rows: Mapping[str, Sequence[Record]]) -> None:
    """At most ACROSS images of each row, evenly spaced."""
    height = TITLE + CELL + GAP
    sheet = Image.new("RGB", (ACROSS * (CELL + GAP) + GAP, max(1, len(rows)) * height + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (title, records) in enumerate(rows.items()):
        top = GAP + row * height
        pen.text((GAP, top), f"{title}: {len(records)} images", fill="black")
        picks = np.unique(np.linspace(0, len(records) - 1, min(ACROSS, len(records))).round().astype(int))
        for column, pick in enumerate(picks):
            small = _picture(records[pick])
            sheet.paste(small, (GAP + column * (CELL + GAP), top + TITLE + (CELL - small.height) // 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _picture(record: Record) -> Image.Image:
    image = Image.fromarray(_eight_bits(decode(record))).convert("RGB")
    scale = CELL / max(image.size)
    size = tuple(max(1, round(n * scale)) for n in image.size)
    small = image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)
    if record.label == 1 and record.masks:
        small.paste(OUTLINE, mask=_outline(read_mask(record), size))
    return small


def _outline(mask: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> Image.Image:
    """Around the mask at the sheet's size; what is smaller than a pixel there stays one."""
    marked = Image.fromarray(mask).convert("L")
    grow = 2 * max(0, max(round(a / b) for a, b in zip(marked.size, size)) // 2) + 1
    shrunk = marked.filter(ImageFilter.MaxFilter(min(grow, 15))).resize(size, Image.Resampling.NEAREST)
    ring = np.asarray(shrunk.filter(ImageFilter.MaxFilter(3))) > np.asarray(shrunk)
    return Image.fromarray(np.uint8(255) * ring)


def _eight_bits(image: Shaped[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "..."]:
    """One and three channels as they are, of others the mean; floats from their lowest to their highest value."""
    image = image[..., 0] if image.shape[2] in (1, 2) else image[..., :3] if image.shape[2] in (3, 4) else image.mean(2)
    if image.dtype == np.uint8:
        return image
    low, high = (0, np.iinfo(image.dtype).max) if image.dtype.kind == "u" else (image.min(), image.max())
    return np.round((image.astype(np.float32) - low) * (255 / ((high - low) or 1))).astype(np.uint8)
