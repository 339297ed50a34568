"""What lies beside the images is found at once, read late, and refused when it is another image's."""

import json

import numpy as np
import pytest

from adjax import data
from adjax.data.details import read_counts, read_details
from adjax.types import UserError
from tests.data.files import mvtec, save

KNOWN = {
    "type": "hole",
    "family": "missing",
    "instances": [{"number": 2, "severity": 0.5, "box": [1, 2, 5, 6], "area": 9, "crossing_distance": 3.5}],
    "crossings": {"x": [1.0, 2.0], "y": [3.0, 4.0], "angle": [10.0, 80.0]},
}


def records(root):
    found = data.load(dataset="folder", root=str(root), seed=0, calibration=0, validation=0).splits["test"]
    return {r.id.removeprefix("test/"): r for r in found}


def write(path, known):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known))


def test_files_are_found_in_either_place_and_read_late(tmp_path):
    mvtec(tmp_path, train=1, good=1, bad=3)
    write(tmp_path / "meta/001.json", KNOWN)
    write(tmp_path / "meta/hole/002.json", {"instances": [{"number": 1, "type": "pin"}, {"number": 2}]})
    (tmp_path / "meta/hole/000.json").write_text("{torn")
    save(tmp_path / "meta/001_label.png", np.zeros((20, 24), np.uint8))
    found = records(tmp_path)  # the torn one does no harm yet
    assert "details" not in found["good/000.png"].meta and read_details(found["good/000.png"]) is None
    first = read_details(found["hole/001.png"])
    assert first.instances == ((2, "hole", "missing", 0.5, 9, (1, 2, 5, 6), 3.5, None),)
    assert first.label.endswith("001_label.png") and first.count is None
    np.testing.assert_array_equal(first.crossings, [[1, 3, 10], [2, 4, 80]])
    second = read_details(found["hole/002.png"])
    assert [(i.type, i.family, i.severity) for i in second.instances] == [("pin", None, None), ("hole", None, None)]
    assert second.crossings.shape == (0, 3)
    with pytest.raises(UserError, match=r"meta/hole/000\.json cannot be used"):
        read_details(found["hole/000.png"])


def test_files_of_another_purpose_are_left_alone(tmp_path):
    mvtec(tmp_path, train=1, good=1, bad=1)
    write(tmp_path / "meta/000.json", {"type": "RGB", "camera": 3})
    assert [read_details(r) for r in records(tmp_path).values()] == [None, None]


@pytest.mark.parametrize("wrong", [{"instances": [{}]}, {"instances": 3}, [], {"crossings": {"x": [1]}}])
def test_files_of_another_form(tmp_path, wrong):
    mvtec(tmp_path, train=1, good=1, bad=1)
    write(tmp_path / "meta/hole/000.json", wrong)
    with pytest.raises(UserError, match="cannot be used"):
        read_details(records(tmp_path)["hole/000.png"])


def test_a_stem_that_repeats_is_not_taken_for_the_other_image(tmp_path):
    mvtec(tmp_path, train=1, good=1, bad=1)
    write(tmp_path / "meta/000.json", KNOWN)
    found = records(tmp_path)
    assert read_details(found["hole/000.png"]).instances
    with pytest.raises(UserError, match=r"type 'hole' and .*shows 'good'.*meta/good"):
        read_details(found["good/000.png"])


def test_maps_have_the_size_of_their_image(tmp_path):
    mvtec(tmp_path, train=1, good=1, bad=1)
    record = records(tmp_path)["hole/000.png"]
    deep = np.arange(480, dtype=np.uint16).reshape(20, 24)
    found = read_counts(str(save(tmp_path / "deep.png", deep)), record)
    assert found.dtype == np.uint8 and found[0, 5] == 5 and found[-1, -1] == 255
    with pytest.raises(UserError, match=r"small\.png must hold whole numbers in the size of"):
        read_counts(str(save(tmp_path / "small.png", deep[:9])), record)
    (tmp_path / "torn.png").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"torn\.png cannot be read"):
        read_counts(str(tmp_path / "torn.png"), record)
