"""Magnetic tile defects (Huang et al., The Visual Computer 2020): small grey images of many sizes, five defects.

    <root>/MT_Free/Imgs/exp1_num_123456.jpg and .png, its mask; MT_Blowhole, MT_Break, MT_Crack, MT_Fray, MT_Uneven

No licence is stated. Masks have soft borders. A few of MT_Uneven mark nothing: those images are left out, for their
pixels can't be judged. There is no official split: by lot a fifth of MT_Free is tested. Images of one number may show
one tile and stay together.
"""

import re
from pathlib import Path

from absl import logging

from adjax.data import headers, layout, masks
from adjax.data.source import Source
from adjax.data.splits import hold_out
from adjax.types import Record, UserError

THRESHOLD = 128  # grey values of the masks
NUMBER = re.compile(r"_num_(\d+)")


def load(*, root: str | None = None, category: str = "", held_out: float = 0.2) -> Source:
    """`held_out`: the share of the good images that are tested."""
    layout.choose("magnetic_tile", "category", category, ("",))
    top = layout.find("magnetic_tile", root, "MT_Free/Imgs")
    good = _records(top / "MT_Free", top)
    learn, test = hold_out(good, round(held_out * len(good)))
    bad = [
        record
        for folder in headers.folders(top)
        if folder.name.startswith("MT_") and folder.name != "MT_Free"
        for record in _marked(_records(folder, top))
    ]
    return Source(learn, (*test, *bad))


def _records(folder: Path, top: Path) -> list[Record]:
    every = layout.images(folder / "Imgs")
    files = [p for p in every if p.suffix.lower() != ".png"]
    found = {p.stem: str(p) for p in every if p.suffix.lower() == ".png"}
    defect = folder.name.removeprefix("MT_").lower()
    records = []
    for file in files:
        if file.stem not in found:
            raise UserError(f"{file} has no mask {file.stem}.png beside it")
        number = NUMBER.search(file.stem)
        fields = {"group": number and number[1], "mask_threshold": THRESHOLD, "found": (found[file.stem],)}
        records.append(layout.record(file, top, defect=layout.GOOD if defect == "free" else defect, **fields))
    return records


def _marked(records: list[Record]) -> list[Record]:
    marked = masks.shows([r.masks[0] for r in records], THRESHOLD)
    if not all(marked):
        logging.warning("%s: %d images are left out, their masks mark nothing", records[0].defect, marked.count(False))
    return [r for r, kept in zip(records, marked) if kept]
