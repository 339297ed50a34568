"""What users get wrong, for every data set: it works, or the message names the file and what is wrong with it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from adjax import data
from adjax.data import DATASETS
from adjax.types import UserError
from tests.data.files import save
from tests.data.trees import TREES, litter

LISTED = ("visa", "real_iad", "elpv")  # their tables name every file: extensions are what these say
LOTS = ("kolektor_sdd", "magnetic_tile", "aitex")  # what is tested is drawn from the good images
MASKED = [name for name in TREES if name != "elpv"]


@pytest.fixture(params=TREES)
def name(request):
    return request.param


@pytest.fixture
def root(name, tmp_path):
    (tmp_path / name).mkdir()
    TREES[name].make(tmp_path / name)
    return tmp_path / name


def read(name, root):
    return DATASETS[name](root=str(root), category=TREES[name].categories[0])


def images_of(root):
    return [p for p in root.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".bmp", ".tif")]


def bare(source):
    """What of the records does not depend on where they lie."""
    return [(r.id, r.label, r.defect, len(r.masks), r.shape) for r in (*source.learn, *source.test)]


def test_what_systems_leave_behind_changes_nothing(name, root):
    before = read(name, root)
    for folder in [root, *(p for p in root.rglob("*") if p.is_dir())]:
        litter(folder)
    assert read(name, root) == before


def test_extensions_in_upper_case(name, root):
    if name in LISTED:
        return
    before = bare(read(name, root))
    for path in images_of(root):
        path.rename(path.with_suffix(path.suffix.upper()))
    found = bare(read(name, root))
    assert sorted(row[1:] for row in found) == sorted(row[1:] for row in before)
    assert all(row[0] == Path(row[0]).with_suffix(Path(row[0]).suffix.upper()).as_posix() for row in found)


def test_links_to_files_and_folders(name, root, tmp_path):
    before = bare(read(name, root))
    store = tmp_path / "store"
    store.mkdir()
    for number, path in enumerate(images_of(root)):
        shutil.move(path, store / str(number))
        path.symlink_to(store / str(number))
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert bare(read(name, root)) == bare(read(name, tmp_path / "link")) == before


@pytest.mark.parametrize("split", ["learn", "test"])
def test_an_unreadable_image_is_named(name, root, split):
    victim = getattr(read(name, root), split)[-1]
    Path(victim.path).write_bytes(b"\x89PNG and no more")
    with pytest.raises(UserError, match="is not a readable image") as caught:
        read(name, root)
    assert victim.path in str(caught.value)


def defective(name, root):
    return next(r for r in read(name, root).test if r.label)


@pytest.mark.parametrize("name", MASKED, indirect=True)
def test_an_unreadable_mask_is_named(name, root):
    path = defective(name, root).masks[0]
    Path(path).write_bytes(b"\x89PNG and no more")
    with pytest.raises(UserError) as caught:
        read(name, root)
    assert path in str(caught.value)


@pytest.mark.parametrize("name", MASKED, indirect=True)
def test_a_mask_of_another_size_is_named(name, root):
    victim = defective(name, root)
    save(Path(victim.masks[0]), np.full((11, 13), 255, np.uint8))
    with pytest.raises(UserError, match="is 13×11 and its image") as caught:
        read(name, root)
    assert victim.path in str(caught.value) and victim.masks[0] in str(caught.value)


@pytest.mark.parametrize("name", MASKED, indirect=True)
def test_a_missing_mask_is_named(name, root):
    victim = defective(name, root)
    for path in victim.masks:
        Path(path).unlink()
    with pytest.raises(UserError) as caught:
        read(name, root)
    assert victim.path in str(caught.value) or victim.masks[0] in str(caught.value)


@pytest.mark.parametrize("split", ["learn", "test"])
def test_an_empty_split_is_told(name, root, split):
    found = read(name, root)
    gone = [r for r in (*found.learn, *found.test) if r.label == 0] if name in LOTS else getattr(found, split)
    for record in gone:
        for path in (record.path, *record.masks):
            Path(path).unlink(missing_ok=True)
    category = TREES[name].categories[0]
    with pytest.raises(UserError, match="holds no images|is not a readable image|is neither below|too few|too high"):
        data.load(dataset=name, root=str(root), category=category, seed=0, calibration=0, validation=0)


TABLES = {
    "visa": ("split_csv/1cls.csv", "object,image\ncandle,x.JPG\n", "has the columns"),
    "real_iad": ("realiad_jsons/audiojack.json", "{", "cannot be used .*download it again"),
    "mvtec_loco": ("breakfast_box/defects_config.json", "[{}]", "cannot be used .*from the archive"),
    "dagm": ("Class1/Test/Label/Labels.txt", "1\n1\t0\n", "has lines without three columns"),
}


@pytest.mark.parametrize("name", TABLES, indirect=True)
def test_a_damaged_table_is_named(name, root):
    path, content, message = TABLES[name]
    (root / path).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read(name, root)
    assert str(root / path) in str(caught.value)
    (root / path).unlink()
    with pytest.raises(UserError):
        read(name, root)


@pytest.mark.parametrize("name", ["visa", "real_iad", "dagm"], indirect=True)
def test_tables_that_contradict_the_images(name, root):
    path = {"visa": "split_csv/1cls.csv", "real_iad": "realiad_jsons/audiojack.json"}.get(
        name, "Class1/Test/Label/Labels.txt"
    )
    change = {
        "visa": (("test,anomaly", "train,anomaly"), "has the defective .* in train"),
        "real_iad": (('"anomaly_class": "OK", "image_path"', '"anomaly_class": "OK", "image"'), "cannot be used"),
        "dagm": (("3\t1\t", "3\t0\t"), "is good by Labels.txt and has a mask"),
    }
    (old, new), message = change[name]
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        read(name, root)
