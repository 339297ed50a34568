"""Tiles with and without objects in the stated share, by number of the batch alone."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from adjax.data import balance, pipeline
from adjax.data.view import View
from adjax.types import UserError
from tests.data.files import pixels, record, save

SIDE, TILE = 96, 32
VIEW = View(tile=TILE, augment=("flip_h", "flip_v", "rot90"))
# Rows and columns of five objects in three images: in a corner, small, long, at the border, larger than a tile.
OBJECTS = [[(0, 9, 0, 12), (50, 52, 60, 63)], [(20, 70, 40, 43), (90, 96, 30, 41)], [(10, 60, 5, 60)]]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The grey value of an object's pixels is its own number, 201 and up; others are below 200. One image is good."""
    folder, found, number = tmp_path_factory.mktemp("objects"), [], 200
    for i, boxes in enumerate(OBJECTS):
        image, mask = pixels((SIDE, SIDE), seed=i) // 2, np.zeros((SIDE, SIDE), np.uint8)
        for y0, y1, x0, x1 in boxes:
            number += 1
            mask[y0:y1, x0:x1] = 255
            image[y0:y1, x0:x1] = number
        masks = (str(save(folder / f"{i}_mask.png", mask)),)
        found.append(record(save(folder / f"{i}.png", image), label=1, defect="spot", masks=masks))
    return [*found, record(save(folder / "9.png", pixels((20, SIDE), seed=9) // 2))]


def batches(records, count, *, share=0.25, batch_size=8, **options):
    stream = pipeline.stream(records, VIEW, batch_size=batch_size, seed=3, balance=share, **options)
    return list(islice(stream, count))


def numbers(batch):
    """The objects that each tile shows."""
    grey = np.round(batch["image"][..., 0] * 255).astype(int)
    return [set(np.unique(tile[tile > 200])) for tile in grey]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_the_share_is_exact_and_the_target_is_the_object(records, share):
    some = [r for r in records if share < 1 or r.label]
    found = batches(some, 25, share=share)
    for batch in found:
        shown = batch["image"][..., 0] > 200 / 255
        np.testing.assert_array_equal(batch["target"], shown)
        assert batch["_mask"].all()
    hits = np.concatenate([batch["target"].any((1, 2)) for batch in found])
    assert (np.cumsum(hits) == np.floor(np.arange(1, 201) * share)).all()


def test_every_object_comes_once_before_any_comes_again(records):
    tiles = [found for batch in batches(records, 50) for found in numbers(batch) if found]
    assert len(tiles) == 100
    counts = Counter(number for found in tiles for number in found)
    assert set(counts) == {201, 202, 203, 204, 205} and min(counts.values()) >= 20
    for start in range(0, 100, 5):  # two objects may meet in one tile
        assert set().union(*tiles[start : start + 5]) == set(counts)


def test_an_object_that_fits_is_shown_whole_and_lies_anywhere(records):
    places = []
    for batch in batches(records, 60, augment=False):
        for tile, target in zip(batch["image"][..., 0], batch["target"]):
            if (small := np.round(tile * 255) == 202).any():
                assert small.sum() == 6
                places.append(np.argwhere(small)[0])
            assert target.any() or tile.max() < 201 / 255
    spread = np.ptp(places, axis=0)
    assert len(places) > 20 and (spread > TILE / 2).all()


def test_tiles_without_objects_come_from_every_free_place(records):
    """Of image 0 alone, those that a plain search finds."""
    mask = np.zeros((SIDE, SIDE), bool)
    for y0, y1, x0, x1 in OBJECTS[0]:
        mask[y0:y1, x0:x1] = True
    want = [
        [not mask[y : y + TILE, x : x + TILE].any() for x in range(SIDE - TILE + 1)] for y in range(SIDE - TILE + 1)
    ]
    np.testing.assert_array_equal(balance.free(mask, TILE), want)
    draws = np.random.default_rng(0).random((4000, 7))
    found = {balance.beside(mask, TILE, d) for d in draws}
    assert found <= set(map(tuple, np.argwhere(want))) and len(found) > 0.7 * np.sum(want)


def test_resuming_threads_hosts_and_caches_change_nothing(records, tmp_path):
    whole = batches(records, 6)
    cases = [
        (batches(records, 3, start=3), whole[3:]),
        (batches(records, 6, workers=4), whole),
        (batches(records, 6, cache_mb=0), whole),
        (batches(records, 6, cache_dir=str(tmp_path)), whole),
        (batches(records, 6, cache_dir=str(tmp_path)), whole),
    ]
    for got, want in cases:
        for field in ("image", "target", "_mask"):
            np.testing.assert_array_equal([b[field] for b in got], [b[field] for b in want])
    for host in range(2):
        part = batches(records, 6, shard=(host, 2))
        for field in ("image", "target"):
            want = [b[field][4 * host : 4 * host + 4] for b in whole]
            np.testing.assert_array_equal([b[field] for b in part], want)


def test_without_the_option_there_is_no_target(records):
    assert "target" not in next(pipeline.stream(records, VIEW, batch_size=2, seed=0))


def test_what_cannot_be_balanced_is_explained(records):
    large = [records[2]._replace(ignore=())]
    cases = [
        (records, VIEW, 1.5, "balance=1.5 must lie between 0 and 1"),
        (records, View(size=(SIDE, SIDE)), 0.5, "balance needs data.tile"),
        (records[3:], VIEW, 0.5, "needs labelled objects, but no image has any"),
        (large, View(tile=90), 0.5, "every tile of 90 shows one"),
        ([records[0]._replace(masks=())], VIEW, 0.5, "is defective and has no mask"),
        ([records[0]._replace(label=-1)], VIEW, 0.5, "has no label"),
    ]
    for some, view, share, message in cases:
        with pytest.raises(UserError, match=message):
            pipeline.stream(some, view, batch_size=2, seed=0, balance=share)
