"""MVTec AD 2 (Heckler-Kram et al., 2025): 8 categories of 2 to 5 megapixels, under lighting unseen in training.

    <root>/<category>/train/good/000_regular.png, validation/good/000_regular.png
    <root>/<category>/test_public/good/000_<lighting>.png, test_public/bad/000_<lighting>.png
    <root>/<category>/test_public/ground_truth/bad/000_<lighting>_mask.png      inside test_public
    <root>/<category>/test_private/*.png, test_private_mixed/*.png              flat, their labels are not published

CC BY-NC-SA 4.0. The private images never enter a metric: score them with --mode=predict --input=<one of the folders>.
The names of the mixed ones are unverified; nothing here reads them.
"""

import re

from adjax.data import layout
from adjax.data.source import Source
from adjax.types import Record

LIGHTING = ("regular", "overexposed", "underexposed", "shift_1", "shift_2", "shift_3")


def load(*, root: str | None = None, category: str = "", lighting: str = "") -> Source:
    """`lighting` keeps one condition of the public test images; "" keeps all. It stands in the records' meta."""
    top = layout.find("mvtec_ad2", root, "*/test_public")
    base = top / layout.choose("mvtec_ad2", "category", category, layout.category_folders(top, "test_public"))
    if lighting:
        layout.choose("mvtec_ad2", "options.mvtec_ad2.lighting", lighting, LIGHTING)

    def records(folder, defect=layout.GOOD, truth=None) -> tuple[Record, ...]:
        files = layout.images(folder)
        found = layout.masks_of(files, truth) if truth else {}
        return tuple(
            layout.record(
                file, top, defect=defect, found=found.get(file, ()), category=category, lighting=_lighting(file.stem)
            )
            for file in files
        )

    public = base / "test_public"
    test = records(public / "good") + records(public / "bad", "bad", public / "ground_truth/bad")
    chosen = tuple(r for r in test if lighting in ("", r.meta.get("lighting")))
    return Source(records(base / "train/good"), chosen, records(base / "validation/good"))


def _lighting(stem: str) -> str | None:
    """What follows the number of the object."""
    named = re.fullmatch(r"\d+_(.+)", stem)
    return named and named[1]
