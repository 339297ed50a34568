"""VisA (Zou et al., ECCV 2022): 12 categories, 1,200 defective images, as its archive unpacks.

    <root>/split_csv/1cls.csv                       object,split,label,image,mask; paths below the root
    <root>/<category>/Data/Images/Normal/0000.JPG, Anomaly/000.JPG
    <root>/<category>/Data/Masks/Anomaly/000.png    classes of defects, 1 and up: masks look black

CC BY 4.0 by its repository. Some masks are of tens of pixels and vanish when images are made small.
"""

import csv
from pathlib import Path

from adjax.data import headers, layout
from adjax.data.source import Source
from adjax.types import Record, UserError

SPLIT = "split_csv/1cls.csv"
COLUMNS = ("object", "split", "label", "image", "mask")


def load(*, root: str | None = None, category: str = "") -> Source:
    if root:
        _check_raw(root)
    top = layout.find("visa", root, SPLIT)
    rows = _rows(top / SPLIT)
    layout.choose("visa", "category", category, sorted({row["object"] for row in rows}))
    learn, test = [], []
    for row in rows:
        if row["object"] == category:
            (learn if row["split"] == "train" else test).append(_record(row, top))
    bad = next((r for r in learn if r.label), None)
    if bad is not None:
        raise UserError(f"{top / SPLIT} has the defective {bad.id} in train; take it from the archive")
    return Source(tuple(learn), tuple(test))


def _check_raw(root: str) -> None:
    """The tree that loaders of MVTec AD's layout want is another one; tools write it beside or into this one."""
    top = layout.absolute(root)
    for tree in () if (top / SPLIT).exists() else (top, *headers.folders(top)):
        if layout.category_folders(tree, "train/good"):
            raise UserError(f"{tree} is VisA in MVTec AD's layout: use data.dataset=folder data.root={tree}")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        table = csv.DictReader(file)
        if not set(COLUMNS) <= set(table.fieldnames or ()):
            raise UserError(f"{path} has the columns {table.fieldnames}, not {', '.join(COLUMNS)}")
        return list(table)


def _record(row: dict[str, str], top: Path) -> Record:
    normal = row["label"] == "normal"
    if not normal and not row["mask"]:
        raise UserError(f"{top / SPLIT} names no mask for the defective {row['image']}")
    found = () if normal else (str(top / row["mask"]),)
    defect = layout.GOOD if normal else row["label"]
    return layout.record(top / row["image"], top, defect=defect, found=found, category=row["object"])
