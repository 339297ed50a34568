"""Solar cells in electroluminescence (Buerhop et al., 2018; Deitsch et al., 2019): 2,624 images of 300×300, no masks.

The files are those of the package `elpv-dataset` (CC BY-NC-SA 4.0). Each cell has a probability of being defective:
0 is good, 1 defective; 1/3 and 2/3 are cells the experts were not sure of. Of the good cells of the chosen type,
sorted by file name, the first 60 % are learnt from; the others and all defective ones are the test.
"""

import importlib.util
from pathlib import Path

from adjax.data import headers
from adjax.data.source import Source
from adjax.types import Record, UserError

CELL_TYPES = ("mono", "poly", "both")
MIDDLE = ("exclude", "good", "defective")
LEARN = 0.6


def load(*, root: str | None = None, category: str = "mono", middle: str = "exclude") -> Source:
    """`category` is the cell type. `middle`: what becomes of the cells with probability 1/3 and 2/3.

    `root`: the folder of labels.csv, by default the installed package's.
    """
    category = category or "mono"
    for name, value, choices in (("category", category, CELL_TYPES), ("middle", middle, MIDDLE)):
        if value not in choices:
            raise UserError(f"unknown data.{name} {value!r} of data set 'elpv'; choose from {', '.join(choices)}")
    top = Path(root).expanduser() if root else _package()
    records = [_record(line, top, middle) for line in _lines(top)]
    chosen = [r for r in records if r is not None and category in (r.category, "both")]
    good = sorted((r for r in chosen if r.label == 0), key=lambda r: r.id)
    bad = sorted((r for r in chosen if r.label == 1), key=lambda r: r.id)
    learn = int(len(good) * LEARN)
    return Source(tuple(good[:learn]), tuple(good[learn:] + bad))


def _package() -> Path:
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or spec.origin is None:
        raise UserError("data set 'elpv' needs its package: pip install \"elpv-dataset\"")
    return Path(spec.origin).parent / "data"


def _lines(top: Path) -> list[tuple[str, float, str]]:
    """(file, probability, cell type); the columns are separated by blanks in spite of the file's name."""
    path = top / "labels.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file; leave data.root empty to use the installed elpv-dataset package")
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(file, float(probability), cell) for file, probability, cell in rows]


def _record(line: tuple[str, float, str], top: Path, middle: str) -> Record | None:
    file, probability, cell = line
    sure = probability in (0.0, 1.0)
    if not sure and middle == "exclude":
        return None
    label = int(probability) if sure else MIDDLE.index(middle) - 1
    defect = "good" if label == 0 else "defective" if sure else "uncertain"
    meta = {"probability": probability}
    return headers.record(top / file, top, label=label, defect=defect, category=cell, meta=meta)
