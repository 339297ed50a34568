"""BTAD, the beanTech data set (Mishra et al., ISIE 2021): three products, 01, 02 and 03.

    <root>/<category>/train/ok/*, test/ok/*, test/ko/*, ground_truth/ko/<stem>.*

CC BY-NC-SA 4.0. Images and masks are BMP or PNG and need not be the same: they meet by stem. Which is which in each
category is unverified; tools that turn one into the other change nothing here.
"""

from adjax.data import layout
from adjax.data.source import Source


def load(*, root: str | None = None, category: str = "") -> Source:
    top = layout.find("btad", root, "*/train/ok")
    base = top / layout.choose("btad", "category", category, layout.category_folders(top, "train/ok"))
    learn = layout.records(layout.images(base / "train/ok"), top, category)
    good = layout.records(layout.images(base / "test/ok"), top, category)
    files = layout.images(base / "test/ko")
    found = layout.masks_of(files, base / "ground_truth/ko")
    bad = [layout.record(file, top, defect="ko", found=found[file], category=category) for file in files]
    return Source(learn, (*good, *bad))
