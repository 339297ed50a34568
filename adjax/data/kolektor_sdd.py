"""KolektorSDD (Tabernik et al., J. Intell. Manuf. 2020): commutators, each in eight views, some with thin cracks.

    <root>/kos01/Part0.jpg, Part0_label.bmp ... kos50/Part7.jpg, Part7_label.bmp

CC BY-NC-SA 4.0. Every image has a mask; where nothing is marked it is good. There is no official split, and the views
of an item resemble each other: by lot half of the items are learned from and half are tested. The defective views of
the items learned from are not used.
"""

from pathlib import Path

from adjax.data import headers, layout, masks
from adjax.data.source import Source
from adjax.data.splits import hold_out
from adjax.types import Record, UserError

THRESHOLD = 128  # grey values of the masks


def load(*, root: str | None = None, category: str = "", held_out: float = 0.5) -> Source:
    """`held_out`: the share of the good images that are tested, in whole items."""
    layout.choose("kolektor_sdd", "category", category, ("",))
    top = layout.find("kolektor_sdd", root, "kos*/Part*_label.*")
    made = [record for item in headers.folders(top) if item.name.startswith("kos") for record in _item(item, top)]
    good = [r for r in made if r.label == 0]
    learn, test = hold_out(good, round(held_out * len(good)))
    items = {r.meta["group"] for r in learn}
    return Source(learn, test + tuple(r for r in made if r.label and r.meta["group"] not in items))


def _item(folder: Path, top: Path) -> list[Record]:
    every = layout.images(folder)
    files = [p for p in every if not p.stem.endswith("_label")]
    found = {p.stem.removesuffix("_label"): (str(p),) for p in every if p.stem.endswith("_label")}
    for file in files:
        if file.stem not in found:
            raise UserError(f"{file} has no mask {file.stem}_label.bmp beside it; without one its label is unknown")
    marked = masks.shows([found[file.stem][0] for file in files], THRESHOLD)
    return [
        layout.record(
            file,
            top,
            defect="crack" if bad else layout.GOOD,
            found=found[file.stem],
            group=folder.name,
            mask_threshold=THRESHOLD,
        )
        for file, bad in zip(files, marked)
    ]
