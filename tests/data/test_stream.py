"""Training batches: what a batch holds is decided by seed and number, and by nothing else."""

import time
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import tifffile

from adjax.data import decode, pipeline
from adjax.data.decode import read_image
from adjax.data.view import View
from adjax.types import UserError
from tests.data.files import good_images, pixels, record, save

ALL = ("flip_h", "flip_v", "rot90")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Seven images of several sizes, some smaller than the tile, no two pixels alike across images."""
    folder = tmp_path_factory.mktemp("images")
    shapes = [(40, 50), (33, 32), (64, 40), (20, 25), (40, 50), (32, 70), (9, 80)]
    return [record(save(folder / f"{i}.png", pixels(s, "uint16", seed=i))) for i, s in enumerate(shapes)]


def batches(records, count, *, view=None, batch_size=4, seed=5, **options):
    view = view or View(tile=32, augment=ALL)
    stream = pipeline.stream(records, view, batch_size=batch_size, seed=seed, **options)
    return [batch["image"] for batch in islice(stream, count)]


def test_fields(records):
    batch = next(pipeline.stream(records, View(tile=32), batch_size=4, seed=0))
    assert set(batch) == {"image", "_mask"}
    assert batch["image"].shape == (4, 32, 32, 1) and batch["image"].dtype == np.float32
    assert batch["image"].min() >= 0 and batch["image"].max() <= 1
    assert batch["_mask"].dtype == bool and batch["_mask"].all()


def test_resuming_equals_never_having_stopped(records):
    whole = batches(records, 8)
    for start in (1, 5):
        np.testing.assert_array_equal(batches(records, 8 - start, start=start), whole[start:])
    np.testing.assert_array_equal(batches(records, 1, start=10**12), batches(records, 1, start=10**12))


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 4}, {"cache_mb": 0}, {"cache_mb": 0.01, "workers": 3}])
@pytest.mark.parametrize("crops", [1, 3])
def test_neither_threads_nor_memory_change_a_bit(records, options, crops):
    view = View(tile=32, augment=ALL, crops=crops)
    np.testing.assert_array_equal(batches(records, 8, view=view, **options), batches(records, 8, view=view))


def test_neither_does_a_cache_on_disk_nor_a_resumption_from_it(records, tmp_path):
    whole = batches(records, 8)
    for start in (0, 3):  # the second finds what the first has stored
        got = batches(records, 8 - start, start=start, cache_dir=str(tmp_path / "cache"))
        np.testing.assert_array_equal(got, whole[start:])


def test_many_crops_of_one_visit(tmp_path):
    """Every image gives its crops in a row, is visited once an epoch, and is decoded once a visit without any cache."""
    paths = [save(tmp_path / f"{i:02d}.png", np.full((9, 9), i, np.uint8)) for i in range(7)]
    view, some = View(tile=8, crops=6), [record(p) for p in paths]
    seen = np.concatenate(batches(some, 21, view=view, batch_size=4))[:, 0, 0, 0] * 255
    visits = np.round(seen).astype(int).reshape(14, 6)
    assert (visits == visits[:, :1]).all()
    assert all(sorted(epoch) == list(range(7)) for epoch in visits[:, 0].reshape(2, 7))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_epoch_decodes_each_image_once_however_many_tiles_it_gives(tmp_path, monkeypatch, workers):
    calls = Counter()
    plain = decode.decode
    monkeypatch.setattr(decode, "decode", lambda r: calls.update([r.id]) or plain(r))
    some = [record(p) for p in good_images(tmp_path, 12, shape=(40, 40))]
    view = View(tile=16, crops=7)
    stream = pipeline.stream(some, view, batch_size=4, seed=0, cache_mb=0, workers=workers)
    list(islice(stream, 21))  # 84 tiles are one epoch
    stream.close()
    ahead = sum(calls.values()) - 12  # batches made ahead reach into the next epoch
    assert set(calls) == {r.id for r in some} and 0 <= ahead <= 6
    assert sum(n > 1 for n in calls.values()) <= ahead


def test_hosts_share_a_global_batch(records):
    whole = batches(records, 3, batch_size=6)
    for host in range(3):
        part = batches(records, 3, batch_size=6, shard=(host, 3))
        np.testing.assert_array_equal(part, [batch[2 * host : 2 * host + 2] for batch in whole])


def test_seeds_differ(records):
    assert not np.array_equal(batches(records, 1, seed=5), batches(records, 1, seed=6))


def test_every_epoch_visits_every_image_once_in_its_own_order(tmp_path):
    paths = [save(tmp_path / f"{i:02d}.png", np.full((8, 8), i, np.uint8)) for i in range(13)]
    seen = np.concatenate(batches([record(p) for p in paths], 13, view=View(tile=8), batch_size=5))[:, 0, 0, 0] * 255
    epochs = np.round(seen).astype(int).reshape(5, 13)
    assert all(sorted(epoch) == list(range(13)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_one_image_is_enough(tmp_path):
    only = record(save(tmp_path / "x.png", pixels((40, 40))))
    first, second = batches([only], 1, batch_size=2)[0]
    assert not np.array_equal(first, second)


def test_tiles_are_cut_everywhere_and_turned_every_way(tmp_path):
    """Each tile is found again in the image: all positions and all eight orientations occur, about equally often."""
    image = pixels((11, 10))
    only = record(save(tmp_path / "x.png", image))
    lookup = {}
    for y in range(4):
        for x in range(3):
            tile = image[y : y + 8, x : x + 8]
            for turn in range(4):
                lookup[np.rot90(tile, turn).tobytes()] = (y, x, turn)
                lookup[np.rot90(tile[:, ::-1], turn).tobytes()] = (y, x, turn + 4)
    tiles = np.concatenate(batches([only], 24, view=View(tile=8, augment=ALL), batch_size=40))
    found = Counter(lookup[np.round(tile[..., 0] * 255).astype(np.uint8).tobytes()] for tile in tiles)
    for axis, kinds in enumerate((4, 3, 8)):
        counts = Counter()
        for place, n in found.items():
            counts[place[axis]] += n
        expected = 960 / kinds
        assert len(counts) == kinds and all(abs(n - expected) < 5 * np.sqrt(expected) for n in counts.values())


def test_the_phase_turns_augmentation_off_but_not_the_tiles(records):
    still = batches(records, 4, augment=False)
    np.testing.assert_array_equal(still, batches(records, 4, view=View(tile=32)))
    assert not np.array_equal(still, batches(records, 4))


def test_small_images_are_reflected_up_to_the_tile(tmp_path):
    image = pixels((3, 5))
    only = record(save(tmp_path / "x.png", image))
    got = batches([only], 1, view=View(tile=8), batch_size=1)[0][0, ..., 0] * 255
    rows, columns = [0, 1, 2, 2, 1, 0, 0, 1], [0, 1, 2, 3, 4, 4, 3, 2]
    np.testing.assert_array_equal(np.round(got), image[rows][:, columns])


def test_large_images_are_not_shrunk_unless_stated(tmp_path):
    checker = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    only = record(save(tmp_path / "x.png", checker))
    native = batches([only], 1, view=View(tile=16))[0]
    assert set(np.unique(native)) == {0, 1}
    shrunk = batches([only], 1, view=View(tile=16, size=(32, 32)))[0]
    np.testing.assert_allclose(shrunk, 0.5, atol=0.1)


def test_whole_images_and_shift(tmp_path):
    ramp = np.tile(np.arange(0, 160, 5, dtype=np.uint8), (32, 1))
    paths = [record(save(tmp_path / f"{i}.png", ramp)) for i in range(3)]
    np.testing.assert_array_equal(batches(paths, 1, view=View())[0][0, ..., 0], ramp / np.float32(255))
    got = np.concatenate(batches(paths, 20, view=View(augment=("shift",))))[:, 5, 10, 0] * 51
    assert set(np.round(got).astype(int)) == {8, 9, 10, 11, 12}  # by up to 32 / 16 pixels each way
    resized = batches(paths, 1, view=View(size=(16, 8)), batch_size=2)[0]
    assert resized.shape == (2, 16, 8, 1)


def test_channels_and_depth_are_kept(tmp_path):
    paths = []
    for i in range(3):
        image = pixels((12, 12, 5), "uint16", seed=i).astype(np.float32)
        tifffile.imwrite(tmp_path / f"{i}.tif", image, photometric="minisblack", planarconfig="contig")
        paths.append(tmp_path / f"{i}.tif")
    view, five = View(range=(0, 65535)), [record(p) for p in paths]
    got = np.concatenate(batches(five, 1, view=view, batch_size=3))
    want = {read_image(r, view).tobytes() for r in five}
    assert got.shape == (3, 12, 12, 5) and {row.tobytes() for row in got} == want


def test_mistakes_are_told_before_the_first_batch(records, tmp_path):
    square = [record(p) for p in good_images(tmp_path, 2, shape=(8, 9))]
    cases = [
        (lambda: batches([], 0), "the split is empty"),
        (lambda: batches(records, 0, view=View()), "whole images must share one size; set data.tile"),
        (lambda: batches(records, 0, batch_size=5, shard=(0, 2)), "multiple of the number of hosts, 2"),
        (lambda: batches(square, 0, view=View(augment=("rot90",))), "needs square images, not 8×9"),
        (lambda: View(augment=("flip",)), "unknown augmentation 'flip'; choose from flip_h, flip_v, rot90, shift"),
        (lambda: View(tile=8, augment=("shift",)), "'shift' is for whole images"),
        (lambda: View(range=(1, 0)), "low < high"),
        (lambda: View(tile=0), "must be positive"),
        (lambda: View(tile=8, crops=0), "crops=0 must be at least 1"),
        (lambda: View(crops=2), "needs data.tile"),
    ]
    for call, message in cases:
        with pytest.raises(UserError, match=message):
            call()


def test_lists_from_a_config_are_as_good_as_tuples():
    assert View(size=[8, 9], augment=["flip_h"], range=[0, 1]) == View(size=(8, 9), augment=("flip_h",), range=(0, 1))


@pytest.mark.parametrize("cache_mb", [0, 1024])
def test_a_broken_file_is_named_when_its_turn_comes(tmp_path, cache_mb):
    paths = good_images(tmp_path, 4, shape=(30, 30))
    records = [record(p) for p in paths]
    paths[2].write_bytes(paths[2].read_bytes()[:200])
    with pytest.raises(UserError, match=r"002\.png cannot be decoded.*replace or remove it"):
        batches(records, 3, view=View(tile=8), batch_size=2, cache_mb=cache_mb)


def test_of_several_broken_files_the_first_in_order_is_named(tmp_path, monkeypatch):
    """Though another thread stumbles over a later one long before."""
    paths = good_images(tmp_path, 4)
    records = [record(p) for p in paths]
    plain = decode.decode

    def slow(r):
        time.sleep(0.2 if r.id == "001.png" else 0)
        return plain(r)

    monkeypatch.setattr(decode, "decode", slow)
    for path in (paths[1], paths[2]):
        path.write_bytes(path.read_bytes()[:100])
    batches = pipeline.sweep(records, View(), batch_size=1, workers=3)
    next(batches)
    with pytest.raises(UserError, match=r"001\.png cannot be decoded"):
        next(batches)


def test_images_are_decoded_once_while_they_fit(records, monkeypatch):
    calls = Counter()
    plain = decode.decode
    monkeypatch.setattr(decode, "decode", lambda r: calls.update([r.id]) or plain(r))
    batches(records, 20, workers=4)
    assert set(calls.values()) == {1}
    calls.clear()
    batches(records, 20, workers=4, cache_mb=0)
    assert sum(calls.values()) > 40  # a few recent ones are kept all the same
