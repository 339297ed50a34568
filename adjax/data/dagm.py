"""DAGM 2007: ten classes of computed texture, 512×512, with loose ellipses around the defects.

    <root>/Class1/Train/0576.PNG, Class1/Test/0001.PNG
    <root>/Class1/<part>/Label/0001_label.PNG       of defective images alone
    <root>/Class1/<part>/Label/Labels.txt           a header, then number, label, image, number, mask, by tabs

Train holds defective images too, which are left out. The masks are not the defects: pixel metrics only indicate.
Layout from third-party readers; extensions may be of either case, whatever the list says.
"""

from pathlib import Path

from adjax.data import layout, masks
from adjax.data.source import Source
from adjax.types import Record, UserError


def load(*, root: str | None = None, category: str = "") -> Source:
    """`category`: the folder's name, as in "Class1"."""
    top = layout.find("dagm", root, "Class*/Train")
    base = top / layout.choose("dagm", "category", category, layout.category_folders(top, "Train"))
    learn = [r for r in _part(base / "Train", top, category) if r.label == 0]
    return Source(tuple(learn), tuple(_part(base / "Test", top, category)))


def _part(folder: Path, top: Path, category: str) -> list[Record]:
    files = layout.images(folder)
    labels = _labels(folder / "Label/Labels.txt")
    unlisted = [file for file in files if file.stem not in labels]
    if unlisted:
        raise UserError(f"{folder / 'Label/Labels.txt'} does not list {unlisted[0].name}; take it from the archive")
    found = masks.match(files, folder / "Label")
    records = []
    for file in files:
        if labels[file.stem] != (file in found):
            raise UserError(
                f"{file} is {'defective' if labels[file.stem] else 'good'} by Labels.txt and has "
                f"{'a' if file in found else 'no'} mask in {folder / 'Label'}"
            )
        defect = "ellipse" if file in found else layout.GOOD
        records.append(layout.record(file, top, defect=defect, found=found.get(file, ()), category=category))
    return records


def _labels(path: Path) -> dict[str, bool]:
    """{stem: whether it is defective}"""
    if not path.is_file():
        raise UserError(f"{path}: no such file; it says which images are defective")
    rows = [line.split() for line in path.read_text().splitlines()[1:] if line.strip()]
    try:
        return {Path(row[2]).stem: row[1] == "1" for row in rows}
    except IndexError as error:
        raise UserError(f"{path} has lines without three columns; take it from the archive") from error
