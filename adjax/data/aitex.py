"""AITEX fabric (Silvestre-Blanes et al., 2019): strips of 4096×256, seven fabrics, twelve kinds of defect.

    <root>/NODefect_images/<roll>/0001_000_05.png           image, defect (000: none), fabric
    <root>/Defect_images/0044_019_04.png
    <root>/Mask_images/0044_019_04_mask1.png, _mask2.png    usually one file, _mask.png

Stated by third parties as CC BY-NC-ND 4.0; layout and quirks from third-party readers. One defective image has no mask
and is left out. Some strips end in white, some are not as long; modes are mixed: state data.channels=1. There is no
official split: by lot a fifth of the good strips are tested; tiles are cut from strips afterwards, never across both.
"""

from pathlib import Path

from absl import logging

from adjax.data import headers, layout
from adjax.data.source import Source
from adjax.data.splits import hold_out
from adjax.types import Record, UserError

THRESHOLD = 128  # grey values of the masks
MASKLESS = ("0100_025_08",)


def load(*, root: str | None = None, category: str = "", held_out: float = 0.2) -> Source:
    """`held_out`: the share of the good strips that are tested."""
    layout.choose("aitex", "category", category, ("",))
    top = layout.find("aitex", root, "NODefect_images")
    rolls = headers.folders(top / "NODefect_images") or [top / "NODefect_images"]
    good = [layout.record(file, top, roll=roll.name) for roll in rolls for file in layout.images(roll)]
    learn, test = hold_out(good, round(held_out * len(good)))
    return Source(learn, (*test, *_defective(top)))


def _defective(top: Path) -> list[Record]:
    files = layout.images(top / "Defect_images")
    known = [file for file in files if file.stem not in MASKLESS]
    for file in files:
        if file not in known:
            logging.warning("%s is left out: the data set has no mask for it", file)
    found = layout.masks_of(known, top / "Mask_images")
    return [layout.record(f, top, defect=_defect(f), found=found[f], mask_threshold=THRESHOLD) for f in known]


def _defect(file: Path) -> str:
    parts = file.stem.split("_")
    if len(parts) != 3:
        raise UserError(f"{file} is not named image_defect_fabric, as in 0044_019_04")
    return parts[1]
