"""What is known of single pixels goes wherever the image goes. Here the image shows it, so both can be compared."""

from itertools import islice

import numpy as np
import pytest

from adjax import data
from adjax.data import masks, pipeline, stored
from adjax.data.fingerprint import fingerprint
from adjax.data.view import View
from adjax.tiling import Grid
from adjax.types import UserError
from tests.data.files import good_images, mvtec, pixels, record, save

HIDDEN = 250  # the grey value of ignored pixels; no other pixel is above 200
ALL = ("flip_h", "flip_v", "rot90")


def showing(folder, index, shape, dtype="uint8"):
    """An image with a blot, and a record that ignores the blot."""
    scale = 257 if dtype == "uint16" else 1
    image, hidden = pixels(shape, seed=index) // 2, np.zeros(shape, bool)
    hidden[shape[0] // 3 : shape[0] // 3 + 5, 2 : shape[1] // 2] = True
    image[hidden] = HIDDEN
    save(folder / f"{index}_ignore.png", hidden.astype(np.uint8) * 7)
    path = save(folder / f"{index}.png", image.astype(dtype) * np.array(scale, dtype))
    return record(path, ignore=(str(folder / f"{index}_ignore.png"),))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    return [showing(folder, i, s) for i, s in enumerate([(40, 50), (33, 32), (9, 21), (40, 50)])]


def agree(batch):
    shown = np.abs(batch["image"][..., 0] - HIDDEN / 255) < 1e-3
    assert batch["_ignore"].dtype == bool
    np.testing.assert_array_equal(batch["_ignore"], shown)
    return int(shown.sum())


@pytest.mark.parametrize("options", [{}, {"cache_mb": 0}, {"cache_dir": True}, {"workers": 3}])
def test_random_tiles(records, options, tmp_path):
    options = {name: str(tmp_path) if name == "cache_dir" else value for name, value in options.items()}
    stream = pipeline.stream(records, View(tile=24, augment=ALL), batch_size=4, seed=1, **options)
    assert sum(agree(batch) for batch in islice(stream, 6)) > 500


def test_whole_images_shifted(records):
    same = [records[0], records[3]]
    stream = pipeline.stream(same, View(augment=("shift", "flip_h")), batch_size=2, seed=1)
    assert all(agree(batch) > 100 for batch in islice(stream, 4))


def test_passes_and_scoring(records):
    for batch in pipeline.sweep(records, View(), batch_size=3, grid=Grid(16, 12)):
        agree(batch)
    for _, batch in pipeline.images(records, View(), batch_size=3, grid=Grid(16, 12)):
        assert agree(batch) > 0


def test_deep_images_keep_their_depth_beside_a_mark(tmp_path):
    deep = showing(tmp_path, 0, (40, 50), "uint16")
    plain = deep._replace(ignore=())
    both = [next(pipeline.stream([r], View(tile=32), batch_size=2, seed=3)) for r in (deep, plain)]
    np.testing.assert_array_equal(both[0]["image"], both[1]["image"])
    assert agree(both[0]) and set(both[1]) == {"image", "_mask"}


def test_a_resized_mark_covers_whatever_an_ignored_pixel_flows_into(records):
    """Where the mark is not, other values below the blot change nothing."""
    image = stored.prepared(records[0], View(size=(17, 23)), ("_ignore",))
    mark = stored.mark(records[0], View(size=(17, 23)), "_ignore")
    np.testing.assert_array_equal(image[..., 1] > 0, mark)
    hidden = masks.read_ignore(records[0])
    whole = stored.decode.to_unit(stored.decode.decode(records[0]), View())
    other = stored.decode.resize(np.where(hidden[..., None], np.float32(0), whole), (17, 23))
    changed = np.abs(other - image[..., :1])[..., 0] > 1e-6
    np.testing.assert_array_equal(changed, mark)


def test_records_without_a_mask_have_nothing_to_ignore(records):
    some = [records[0], records[3]._replace(ignore=())]
    first, second = next(pipeline.sweep(some, View(), batch_size=2))["_ignore"]
    assert first.any() and not second.any()
    assert "_ignore" not in next(pipeline.sweep([some[1]], View(), batch_size=1))
    assert "_ignore" not in next(pipeline.images([some[1]], View(), batch_size=1))[1]


def folder(tmp_path):
    mvtec(tmp_path, train=3, good=2, bad=2)
    mark = np.zeros((20, 24), np.uint8)
    mark[:, :3] = 1
    for name in ("train/good/001_ignore.png", "test/good/000_ignore.png", "test/hole/001.png"):
        save(tmp_path / "ignore" / name, mark)
    return tmp_path, mark > 0


def load(root):
    return data.load(dataset="folder", root=str(root), seed=0, calibration=0, validation=0)


def test_a_folder_of_ignore_masks_mirrors_that_of_the_images(tmp_path):
    root, mark = folder(tmp_path)
    splits = load(root).splits
    found = {r.id: r for r in (*splits["train"], *splits["test"]) if r.ignore}
    assert sorted(found) == ["test/good/000.png", "test/hole/001.png", "train/good/001.png"]
    for r in found.values():
        np.testing.assert_array_equal(masks.read_ignore(r), mark)
    assert found["test/hole/001.png"].masks == (str(root / "ground_truth/hole/001_mask.png"),)
    assert all(r.id.startswith("t") and "ignore" not in r.id for r in data.unlabelled(str(root)))
    before = fingerprint(splits["train"])
    save(root / "ignore/train/good/001_ignore.png", (~mark).astype(np.uint8))
    assert [name for name, value in fingerprint(splits["train"]).items() if value != before[name]] == [
        "train/good/001.png"
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train/good/009_ignore.png", "009_ignore.png is a mask without an image"),
        ("test/scratch/000_ignore.png", "000_ignore.png is a mask without an image"),
        ("hole/000_ignore.png", "000_ignore.png is out of place; ignore masks belong into"),
        ("000_ignore.png", "000_ignore.png is out of place"),
    ],
)
def test_masks_that_no_image_answers_to_are_named(tmp_path, name, message):
    root, mark = folder(tmp_path)
    save(root / "ignore" / name, mark)
    with pytest.raises(UserError, match=message):
        load(root)


def test_a_mask_of_another_size_and_one_that_leaves_nothing_are_named(tmp_path):
    root, mark = folder(tmp_path)
    save(root / "ignore/train/good/001_ignore.png", mark[:5])
    with pytest.raises(UserError, match=r"001_ignore\.png is 24×5"):
        load(root)
    (path,) = good_images(root / "alone", 1)
    whole = record(path, ignore=(str(save(root / "alone/000_ignore.png", np.ones((20, 24), np.uint8))),))
    with pytest.raises(UserError, match="ignored as a whole"):
        masks.read_ignore(whole)
