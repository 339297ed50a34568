"""Folders as users have them: right, one level off, incomplete, mixed."""

import numpy as np
import pytest
import tifffile

from adjax import data
from adjax.data.fingerprint import compare_fingerprints, fingerprint
from adjax.types import UserError
from tests.data.files import good_images, mvtec, pixels, save


def load(root, **fields):
    defaults = {"dataset": "folder", "category": "", "seed": 0, "calibration": 0.0, "validation": 0.0}
    return data.load(root=str(root), **(defaults | fields))


def test_mvtec_layout(tmp_path):
    mvtec(tmp_path / "bottle", train=4, good=2, bad=3)
    for name in (".hidden.png", "Thumbs.db", ".DS_Store", "readme.txt"):
        (tmp_path / "bottle/train/good" / name).write_bytes(b"x")
    (tmp_path / "bottle/test/__MACOSX").mkdir()
    found = load(tmp_path, category="bottle")
    assert [r.id for r in found.splits["train"]] == [f"bottle/train/good/00{i}.png" for i in range(4)]
    assert found.splits["calibration"] == found.splits["validation"] == ()
    labels = [(r.defect, r.label, len(r.masks)) for r in found.splits["test"]]
    assert labels == [("good", 0, 0)] * 2 + [("hole", 1, 1)] * 3
    first = found.splits["train"][0]
    assert (first.shape, first.dtype, first.category) == ((20, 24, 1), "uint8", "bottle")


def test_a_plain_folder_of_good_images_in_any_case(tmp_path):
    save(tmp_path / "a.JPG", pixels((9, 9)))
    save(tmp_path / "b.Png", pixels((9, 9)))
    tifffile.imwrite(tmp_path / "c.TIFF", pixels((9, 9)))
    found = load(tmp_path)
    assert [r.id for r in found.splits["train"]] == ["a.JPG", "b.Png", "c.TIFF"]
    assert found.splits["test"] == ()


def test_defects_without_any_mask_folder_are_known_by_image(tmp_path):
    mvtec(tmp_path)
    good_images(tmp_path / "test/scratch", 2)
    found = {r.defect: r for r in load(tmp_path).splits["test"]}
    assert found["scratch"].label == 1 and found["scratch"].masks == () and found["hole"].masks


def test_its_own_validation_folder_takes_the_place_of_the_cut(tmp_path):
    mvtec(tmp_path, train=6)
    good_images(tmp_path / "validation/good", 2)
    splits = load(tmp_path, validation=0.5, calibration=0.5).splits
    assert [r.id for r in splits["validation"]] == ["validation/good/000.png", "validation/good/001.png"]
    assert (len(splits["train"]), len(splits["calibration"])) == (3, 3)


@pytest.mark.parametrize("given", [".", "a", "a/bottle/train", "a/bottle/test", "a/bottle/test/hole"])
def test_a_level_too_high_or_too_low_names_the_path_that_works(tmp_path, given):
    mvtec(tmp_path / "a/bottle")
    with pytest.raises(UserError, match=f"data.root={tmp_path}/a/bottle$"):
        load(tmp_path / given)
    assert load(tmp_path / "a/bottle").splits["test"]


@pytest.mark.parametrize("given", [".", "a/bottle", "a/bottle/train"])
def test_the_same_with_a_category(tmp_path, given):
    mvtec(tmp_path / "a/bottle")
    mvtec(tmp_path / "a/cable")
    with pytest.raises(UserError, match=f"data.root={tmp_path}/a data.category=bottle"):
        load(tmp_path / given, category="bottle")
    assert load(tmp_path / "a", category="bottle").splits["test"]


def broken(name):
    def decorate(function):
        BROKEN[name] = function
        return function

    return decorate


BROKEN = {}


@broken(r"nowhere: no such folder")
def _missing(root):
    return root / "nowhere"


@broken(r"file\.png is a file")
def _file(root):
    return save(root / "file.png", pixels((9, 9)))


@broken(r"holds no images; images end in \.png")
def _empty(root):
    return root


@broken(r"train/good holds no images")
def _empty_train(root):
    (root / "train/good").mkdir(parents=True)
    return root


@broken(r"train has no folder good, only ok")
def _other_name(root):
    good_images(root / "train/ok", 2)
    return root


@broken(r"holds bad beside good")
def _defects_in_train(root):
    mvtec(root)
    good_images(root / "train/bad", 2)
    return root


@broken(r"holds no images, only folders: one, two")
def _subfolders(root):
    good_images(root / "one", 2)
    good_images(root / "two", 2)
    return root


@broken(r"002_mask\.png is 24×21 and its image .*002\.png is 24×20 \(width×height\)")
def _mask_size(root):
    mvtec(root)
    save(root / "ground_truth/hole/002_mask.png", np.zeros((21, 24), np.uint8))
    return root


@broken(r"009_mask\.png is a mask without an image in .*test/hole")
def _mask_without_image(root):
    mvtec(root)
    save(root / "ground_truth/hole/009_mask.png", np.zeros((20, 24), np.uint8))
    return root


@broken(r"000_mask\.png is a mask without an image in a test folder crack")
def _masks_without_folder(root):
    mvtec(root)
    save(root / "ground_truth/crack/000_mask.png", np.zeros((20, 24), np.uint8))
    return root


@broken(r"hole/001\.png has no mask in .*ground_truth/hole; add 001_mask\.png")
def _image_without_mask(root):
    mvtec(root)
    (root / "ground_truth/hole/001_mask.png").unlink()
    return root


@broken(r"number of channels: 5 with 1 \(such as .*\), 1 with 3 \(such as .*x\.png\); state data\.channels=1")
def _channels(root):
    good_images(root, 5)
    save(root / "x.png", pixels((20, 24, 3)))
    return root


@broken(r"001\.png is not a readable image")
def _header(root):
    good_images(root, 3)
    (root / "001.png").write_bytes(b"\x89PNG")
    return root


@broken(r"003\.png is not a readable image .*No such file")
def _link_to_nothing(root):
    good_images(root, 3)
    (root / "003.png").symlink_to("gone.png")
    return root


@pytest.mark.parametrize("message", BROKEN, ids=[f.__name__ for f in BROKEN.values()])
def test_bad_folders(tmp_path, message):
    with pytest.raises(UserError, match=message):
        load(BROKEN[message](tmp_path))


def test_stated_channels_allow_a_mixture(tmp_path):
    _channels(tmp_path)
    assert len(load(tmp_path, channels=3).splits["train"]) == 6
    with pytest.raises(UserError, match="cannot become data.channels=5"):
        load(tmp_path, channels=5)


def test_unknown_names_come_with_the_choices(tmp_path):
    good_images(tmp_path, 2)
    with pytest.raises(UserError, match="unknown data set 'foldr'; choose from folder, elpv, filaments"):
        load(tmp_path, dataset="foldr")
    with pytest.raises(UserError, match="no option 'middle'; choose from mask_threshold"):
        load(tmp_path, middle="good")
    with pytest.raises(UserError, match=r"needs data\.root"):
        data.load(dataset="folder", seed=0, calibration=0, validation=0)
    with pytest.raises(UserError, match="choose data.category from train, test, ground_truth|no such folder"):
        load(tmp_path, category="bottle")


def test_unlabelled_files_and_folders(tmp_path):
    mvtec(tmp_path / "d", train=2, good=1, bad=1)
    (tmp_path / "d/test/good/broken.png").write_bytes(b"nothing")
    skipped = []
    found = data.unlabelled(str(tmp_path / "d"), on_unreadable=lambda *call: skipped.append(call))
    assert [r.id for r in found] == [
        *("test/good/000.png", "test/hole/000.png", "train/good/000.png", "train/good/001.png"),
    ]
    assert {(r.label, r.defect, r.masks) for r in found} == {(-1, "", ())}
    assert len(skipped) == 1 and skipped[0][0].endswith("broken.png") and "not a readable image" in skipped[0][1]
    assert data.unlabelled(found[0].path)[0].id == "000.png"
    with pytest.raises(UserError, match=r"broken\.png is not a readable image"):
        data.unlabelled(str(tmp_path / "d"))
    with pytest.raises(UserError, match="no such file or folder"):
        data.unlabelled(str(tmp_path / "e"))


def test_fingerprints_say_what_differs(tmp_path):
    mvtec(tmp_path, train=4)

    def now():
        return fingerprint(record for split in load(tmp_path).splits.values() for record in split)

    saved = now()
    assert compare_fingerprints(saved, now()) == []
    size, _, crc = saved["train/good/000.png"].partition(":")
    assert int(size) == (tmp_path / "train/good/000.png").stat().st_size and len(crc) == 8
    save(tmp_path / "train/good/000.png", pixels((20, 24), seed=99))
    (tmp_path / "train/good/001.png").unlink()
    save(tmp_path / "train/good/009.png", pixels((20, 24)))
    save(tmp_path / "ground_truth/hole/000_mask.png", np.ones((20, 24), np.uint8))
    assert compare_fingerprints(saved, now()) == [
        "train/good/001.png is missing",
        "train/good/009.png is new",
        "test/hole/000.png or its mask has changed",
        "train/good/000.png has changed",
    ]


def test_filaments_are_made_and_read_like_any_folder(tmp_path, monkeypatch):
    from adjax.data import filaments

    def generate(root=None, *, level="L2", seed=0):
        return mvtec(root / f"{level}-{seed}", bad=1)

    monkeypatch.setattr(filaments, "generate", generate)
    made = data.load(dataset="filaments", root=tmp_path, level="L1", data_seed=3, seed=0, calibration=0, validation=0)
    assert made.splits["train"][0].path == str(tmp_path / "L1-3/train/good/000.png")
    assert [(r.label, len(r.masks)) for r in made.splits["test"]] == [(0, 0), (0, 0), (1, 1)]
    with pytest.raises(UserError, match="no option 'levle'; choose from level"):
        load(tmp_path, dataset="filaments", levle="L1")
