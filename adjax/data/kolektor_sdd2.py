"""KolektorSDD2 (Božič et al., Computers in Industry 2021): surfaces of about 230×630 px, every image with a mask.

    <root>/train/10000.png, 10000_GT.png; <root>/test/20000.png, 20000_GT.png

CC BY-NC-SA 4.0. Where nothing is marked the image is good. Train holds defective images, which are left out. Files with
other names, as copies that some archives hold, are left alone. Sizes vary by a few pixels. Layout from third-party
readers.
"""

import re
from pathlib import Path

from adjax.data import layout, masks
from adjax.data.source import Source
from adjax.types import Record, UserError

IMAGE = re.compile(r"\d{5}")


def load(*, root: str | None = None, category: str = "") -> Source:
    layout.choose("kolektor_sdd2", "category", category, ("",))
    top = layout.find("kolektor_sdd2", root, "train/*_GT.*")
    learn = [r for r in _part(top / "train", top) if r.label == 0]
    return Source(tuple(learn), tuple(_part(top / "test", top)))


def _part(folder: Path, top: Path) -> list[Record]:
    every = {p.stem: p for p in layout.images(folder)}
    files = [p for stem, p in every.items() if IMAGE.fullmatch(stem)]
    for file in files:
        if f"{file.stem}_GT" not in every:
            raise UserError(f"{file} has no mask {file.stem}_GT.png beside it; without one its label is unknown")
    found = [(str(every[f"{file.stem}_GT"]),) for file in files]
    marked = masks.shows([paths[0] for paths in found])
    return [
        layout.record(file, top, defect="defect" if bad else layout.GOOD, found=paths)
        for file, paths, bad in zip(files, found, marked)
    ]
