"""The solar cells, against the counts of their publication's labels."""

import importlib.util

import pytest

from adjax import data
from adjax.types import UserError
from tests.data.files import pixels, save

INSTALLED = importlib.util.find_spec("elpv_dataset") is not None


def load(category, calibration=0.0, validation=0.0, **options):
    fractions = {"calibration": calibration, "validation": validation}
    return data.load(dataset="elpv", category=category, seed=0, **fractions, **options).splits


@pytest.mark.skipif(not INSTALLED, reason="elpv-dataset is not installed")
@pytest.mark.parametrize(("category", "good", "bad"), [("mono", 588, 313), ("poly", 920, 402), ("both", 1508, 715)])
def test_counts_and_split(category, good, bad):
    splits = load(category)
    learn, test = splits["train"], splits["test"]
    assert len(learn) == good * 6 // 10
    assert [sum(r.label == label for r in test) for label in (0, 1)] == [good - len(learn), bad]
    held_out = [r.id for r in test if r.label == 0]
    assert max(r.id for r in learn) < min(held_out)  # sorted by name, then cut
    assert {(r.shape, r.dtype) for r in (*learn, *test)} == {((300, 300, 1), "uint8")}


def made_up(tmp_path):
    rows = [("0001", "0.0", "mono"), ("0002", "0.3333333333333333", "mono"), ("0003", "0.6666666666666666", "mono")]
    rows += [("0004", "1.0", "mono"), ("0005", "0.0", "poly"), ("0006", "0.0", "mono"), ("0007", "0.0", "mono")]
    for number, *_ in rows:
        save(tmp_path / f"images/cell{number}.png", pixels((9, 9)))
    lines = [f"images/cell{number}.png  {p}   {cell}\n" for number, p, cell in rows]
    (tmp_path / "labels.csv").write_text("".join(lines))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("middle", "good", "bad"), [("exclude", "167", "4"), ("good", "12367", "4"), ("defective", "167", "234")]
)
def test_the_middle_levels(tmp_path, middle, good, bad):
    splits = load("mono", root=made_up(tmp_path), middle=middle)
    everything = [r for split in splits.values() for r in split]
    numbers = ["".join(sorted(r.id[-5] for r in everything if r.label == label)) for label in (0, 1)]
    assert numbers == [good, bad]
    assert len(splits["train"]) == len(good) * 6 // 10


def test_calibration_and_validation_come_from_the_learning_part(tmp_path):
    root = made_up(tmp_path)
    whole, cut = load("mono", root=root, middle="good"), load("mono", 0.3, 0.3, root=root, middle="good")
    assert whole["test"] == cut["test"]
    learn = [r for name in ("train", "calibration", "validation") for r in cut[name]]
    assert sorted(learn) == sorted(whole["train"]) and cut["calibration"] and cut["validation"]


def test_errors_name_the_choices(tmp_path, monkeypatch):
    with pytest.raises(
        UserError, match="unknown data.category 'multi' of data set 'elpv'; choose from mono, poly, both"
    ):
        load("multi")
    with pytest.raises(UserError, match="unknown data.middle 'bad'"):
        load("mono", middle="bad")
    with pytest.raises(UserError, match=r"labels\.csv: no such file"):
        load("mono", root=str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match='pip install "elpv-dataset"'):
        load("mono")
