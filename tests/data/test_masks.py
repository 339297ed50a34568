"""Masks find their image by name, whatever the order of the files, and are read for what they mean."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from adjax.data import masks
from adjax.types import UserError
from tests.data.files import pixels, record, save

MASK = np.zeros((8, 9), np.uint8)
MASK[2:5, 3:6] = 255


def matched(folder, images, names):
    for name in names:
        save(folder / name, MASK)
    found = masks.match([Path(image) for image in images], folder)
    return {str(image): [Path(path).relative_to(folder).as_posix() for path in paths] for image, paths in found.items()}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("7.png", "7_mask.png"),
        ("7.JPG", "7.png"),
        ("7.png", "7_gt.bmp"),
        ("7.png", "7_GT.PNG"),
        ("7.PNG", "7_label.tif"),
    ],
)
def test_known_suffixes(tmp_path, image, mask):
    assert matched(tmp_path, [image], [mask]) == {image: [mask]}


def test_stems_are_equal_not_contained(tmp_path):
    found = matched(tmp_path, ["1.png", "10.png", "11.png"], ["10_mask.png", "11_mask.png"])
    assert found == {"10.png": ["10_mask.png"], "11.png": ["11_mask.png"]}


def test_numbered_masks_and_folders_of_masks_belong_to_one_image(tmp_path):
    found = matched(tmp_path, ["a.png", "b.png"], ["a_mask2.png", "a_mask1.png", "b/001.png", "b/000.png"])
    assert found == {"a.png": ["a_mask1.png", "a_mask2.png"], "b.png": ["b/000.png", "b/001.png"]}


def test_an_image_may_be_named_like_a_mask(tmp_path):
    found = matched(tmp_path, ["a.png", "a_mask.png"], ["a_mask.png", "a_mask_mask.png"])
    assert found == {"a.png": ["a_mask.png"], "a_mask.png": ["a_mask_mask.png"]}


def test_a_mask_without_an_image_is_named(tmp_path):
    with pytest.raises(UserError, match=r"10_mask\.png is a mask without an image"):
        matched(tmp_path, ["1.png"], ["1_mask.png", "10_mask.png"])


def defective(tmp_path, *names, **fields):
    image = save(tmp_path / "x.png", pixels((8, 9)))
    return record(image, label=1, defect="hole", masks=tuple(str(tmp_path / name) for name in names), **fields)


ENCODINGS = {
    "0/255": lambda path: save(path, MASK),
    "bits": lambda path: save(path, MASK > 0),
    "labels": lambda path: save(path, (MASK > 0) * np.uint8(3)),
    "16 bits": lambda path: save(path, (MASK > 0) * np.uint16(1)),
    "colour": lambda path: save(path, MASK[..., None] * np.array([1, 0, 0], np.uint8)),
    "opaque alpha": lambda path: save(path, np.stack([MASK, np.full_like(MASK, 255)], -1)),
    "palette": lambda path: Image.fromarray(MASK // 128).convert("P").save(path),
}


@pytest.mark.parametrize("kind", ENCODINGS)
def test_encodings(tmp_path, kind):
    ENCODINGS[kind](tmp_path / "m.png")
    got = masks.read_mask(defective(tmp_path, "m.png"))
    assert got.dtype == bool
    np.testing.assert_array_equal(got, MASK > 0)


@pytest.mark.parametrize("dtype", [bool, "uint8", "float32"])
def test_tiff_masks(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "m.tif", (MASK // 255).astype(dtype))
    np.testing.assert_array_equal(masks.read_mask(defective(tmp_path, "m.tif")), MASK > 0)


def test_union_and_threshold(tmp_path):
    soft = np.tile(np.array([0, 1, 127, 128, 255, 0, 0, 0, 0], np.uint8), (8, 1))
    save(tmp_path / "m1.png", MASK)
    save(tmp_path / "m2.png", soft)
    some = defective(tmp_path, "m1.png", "m2.png")
    np.testing.assert_array_equal(masks.read_mask(some), (MASK > 0) | (soft > 0))
    stated = some._replace(meta={"mask_threshold": 128})
    np.testing.assert_array_equal(masks.read_mask(stated), (MASK > 0) | (soft >= 128))


def test_good_images_are_all_false_and_defective_ones_need_a_mask(tmp_path):
    some = defective(tmp_path)
    assert not masks.read_mask(some._replace(label=0)).any()
    with pytest.raises(UserError, match=r"x\.png is defective and has no mask"):
        masks.read_mask(some)


def test_a_broken_mask_is_named(tmp_path):
    (tmp_path / "m.png").write_bytes(b"\x89PNG and nothing else")
    with pytest.raises(UserError, match=r"m\.png cannot be read"):
        masks.read_mask(defective(tmp_path, "m.png"))
