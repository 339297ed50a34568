"""One pass for fitting and whole images for scoring: everything once, and nothing twice."""

import zlib

import jax
import numpy as np
import pytest
import tifffile

from adjax.data import decode, pipeline
from adjax.data.decode import read_image
from adjax.data.view import View
from adjax.methods.intensity import intensity
from adjax.tiling import Grid, bucket, count, cut, place, starts
from adjax.transforms import tiled
from adjax.types import UserError
from tests.data.files import good_images, pixels, record, save

GRID = Grid(16, 12)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    shapes = [(40, 50), (16, 17), (20, 9), (40, 50), (33, 31)]
    return [record(save(folder / f"{i}.png", pixels((*s, 3), seed=i))) for i, s in enumerate(shapes)]


def valid(batches):
    return np.concatenate([batch["image"][batch["_mask"]] for batch in batches])


def plain_tiles(records):
    tiles = []
    for r in records:
        image = read_image(r, View())
        height, width = (max(16, n) for n in image.shape[:2])
        image = np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)), "symmetric")
        tiles += [image[y : y + 16, x : x + 16] for y in starts(height, GRID) for x in starts(width, GRID)]
    return np.stack(tiles)


@pytest.mark.parametrize("options", [{}, {"cache_mb": 0}, {"workers": 4}, {"cache_dir": "cache"}])
def test_sweep_gives_every_tile_once_in_order(records, options, tmp_path):
    options = {name: str(tmp_path / value) if name == "cache_dir" else value for name, value in options.items()}
    batches = list(pipeline.sweep(records, View(tile=8, augment=("flip_h",)), batch_size=7, grid=GRID, **options))
    want = plain_tiles(records)
    np.testing.assert_array_equal(valid(batches), want)
    assert len(batches) == -(-len(want) // 7) and {b["image"].shape for b in batches} == {(7, 16, 16, 3)}
    assert all(b["_mask"].all() for b in batches[:-1])
    assert batches[-1]["_mask"].sum() == len(want) % 7
    assert not batches[-1]["image"][len(want) % 7 :].any()


def test_sweep_over_hosts(records):
    whole = list(pipeline.sweep(records, View(), batch_size=8, grid=GRID))
    for host in range(2):
        part = list(pipeline.sweep(records, View(), batch_size=8, grid=GRID, shard=(host, 2)))
        assert len(part) == len(whole)
        for field in ("image", "_mask"):
            rows = [batch[field][4 * host : 4 * host + 4] for batch in whole]
            np.testing.assert_array_equal([batch[field] for batch in part], rows)


def test_sweep_over_whole_images(tmp_path, records):
    some = [record(p) for p in good_images(tmp_path, 5, shape=(10, 12))]
    batches = list(pipeline.sweep(some, View(), batch_size=4))
    np.testing.assert_array_equal(valid(batches), [read_image(r, View()) for r in some])
    assert [b["_mask"].tolist() for b in batches] == [[True] * 4, [True, False, False, False]]
    with pytest.raises(UserError, match="whole images must share one size"):
        pipeline.sweep(records, View(), batch_size=4)
    assert valid(pipeline.sweep(records, View(size=(8, 8)), batch_size=4)).shape == (5, 8, 8, 3)


def test_sweep_decodes_each_image_once_even_without_a_cache(records, monkeypatch):
    calls = []
    plain = decode.decode
    monkeypatch.setattr(decode, "decode", lambda r: calls.append(r.id) or plain(r))
    list(pipeline.sweep(records, View(), batch_size=2, grid=GRID, cache_mb=0, workers=3))
    assert sorted(calls) == sorted(r.id for r in records)


def test_scoring_slides_over_the_grid_of_a_pass(records):
    """`sweep` on the host and `tiled` on the device cut the same tiles, pixel for pixel, in the same order."""
    swept = valid(pipeline.sweep(records, View(), batch_size=16, grid=GRID))
    found = {}
    for members, batch in pipeline.images(records, View(), batch_size=2, grid=GRID):
        for row, r in enumerate(members):
            size = batch["_size"][row]
            places = [place(i, size, GRID) for i in range(int(count(size, GRID)))]
            found[r.id] = [cut(batch["image"][row], at, GRID.size) for at in places]
    np.testing.assert_array_equal(swept, np.concatenate([found[r.id] for r in records]))


def test_a_tiled_score_is_that_of_the_swept_tiles(records):
    method = intensity(rule="max")
    scored = {}
    for members, batch in pipeline.images(records, View(), batch_size=2, grid=GRID):
        keys = jax.random.split(jax.random.key(0), 2)
        scores = jax.jit(tiled(method, GRID, "tile").score)((), batch, keys).score
        scored |= {r.id: float(score) for r, score in zip(members, scores)}
    for r in records:
        tiles = valid(pipeline.sweep([r], View(), batch_size=16, grid=GRID))
        assert scored[r.id] == pytest.approx(tiles.mean(-1).max(), rel=1e-6)


@pytest.mark.parametrize("grid", [GRID, None])
def test_images_are_scored_once_whole_and_padded_by_reflection(records, grid):
    seen = []
    for members, batch in pipeline.images(records, View(), batch_size=2, grid=grid):
        assert batch["image"].shape[0] == 2 and batch["image"].dtype == np.float32
        assert (batch["_hash"].dtype, batch["_size"].dtype) == (np.uint32, np.int32)
        assert batch["_mask"].tolist() == [True] * len(members) + [False] * (2 - len(members))
        for row, r in enumerate(members):
            image = read_image(r, View())
            size = image.shape[:2] if grid is None else tuple(bucket(n, grid) for n in image.shape[:2])
            pad = [(0, n - have) for n, have in zip(size, image.shape)]
            np.testing.assert_array_equal(batch["image"][row], np.pad(image, (*pad, (0, 0)), "symmetric"))
            assert tuple(batch["_size"][row]) == image.shape[:2]
            assert batch["_hash"][row] == zlib.crc32(r.id.encode())
            seen.append(r.id)
    assert sorted(seen) == [r.id for r in records]


def test_images_of_one_bucket_share_batches(tmp_path):
    sizes = [(40, 50), (16, 16), (33, 64), (17, 16), (48, 49)]  # 3×4 tiles, 1×1, 3×4, 2×1, 3×4
    some = [record(save(tmp_path / f"{i}.png", pixels(size))) for i, size in enumerate(sizes)]
    got = [
        ("".join(r.id[0] for r in members), batch["image"].shape[1:3])
        for members, batch in pipeline.images(some, View(), batch_size=3, grid=GRID)
    ]
    assert got == [("024", (48, 64)), ("1", (16, 16)), ("3", (32, 16))]


def test_a_pixel_wide_image_is_reflected_as_often_as_it_takes(tmp_path):
    thin = record(save(tmp_path / "x.png", pixels((1, 3))))
    ((_, batch),) = pipeline.images([thin], View(), batch_size=1, grid=GRID)
    image = read_image(thin, View())[0, :, 0]
    want = np.tile(np.concatenate([image, image[::-1]]), 3)[:16]
    np.testing.assert_array_equal(batch["image"][0, ..., 0], np.tile(want, (16, 1)))


def test_resized_images_tell_their_new_size(records):
    got = list(pipeline.images(records, View(size=(12, 10)), batch_size=5))
    assert len(got) == 1 and (got[0][1]["_size"] == (12, 10)).all()


def test_no_images_no_batches():
    assert list(pipeline.images([], View(), batch_size=3)) == []


def test_an_unreadable_image_is_told_and_skipped(tmp_path):
    paths = good_images(tmp_path, 5)
    records = [record(p) for p in paths]
    for broken in (1, 4):
        paths[broken].write_bytes(paths[broken].read_bytes()[:100])
    skipped, seen = [], []
    for members, batch in pipeline.images(
        records, View(), batch_size=2, on_unreadable=lambda r, reason: skipped.append((r.id, reason))
    ):
        seen += [r.id for r in members]
        np.testing.assert_array_equal(batch["image"][batch["_mask"]], [read_image(r, View()) for r in members])
        assert batch["_hash"][batch["_mask"]].tolist() == [zlib.crc32(r.id.encode()) for r in members]
    assert seen == ["000.png", "002.png", "003.png"]
    assert [name for name, _ in skipped] == ["001.png", "004.png"]
    assert all(f"{name} cannot be decoded" in reason for name, reason in skipped)
    with pytest.raises(UserError, match=r"001\.png cannot be decoded"):
        list(pipeline.images(records, View(), batch_size=2))


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_depth_and_channels_come_through_every_way(tmp_path, kind, channels):
    """Neighbouring 16-bit values, and floats between them, differ in every batch as they do in the file."""
    values = (np.arange(40 * 48 * channels) % 4000 + 30_000).astype(kind).reshape(40, 48, channels)
    values += 0.25 if kind == "float32" else 0
    stored = values[..., 0] if channels == 1 else values
    planes = {} if channels == 1 else {"planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="minisblack", **planes)
    deep, view = record(tmp_path / "x.tif"), View(range=(0, 65535))
    want = values.astype(np.float64) / 65535
    ((_, scored),) = pipeline.images([deep], view, batch_size=1, grid=GRID)
    np.testing.assert_allclose(scored["image"][0, :40, :48], want, rtol=2e-7)
    (whole,) = pipeline.sweep([deep], view, batch_size=1)
    np.testing.assert_array_equal(whole["image"][0], scored["image"][0, :40, :48])
    tile = next(pipeline.stream([deep], View(tile=32, range=(0, 65535)), batch_size=1, seed=0))["image"][0]
    everywhere = np.lib.stride_tricks.sliding_window_view(whole["image"][0], tile.shape)
    assert tile.shape == (32, 32, channels) and (everywhere == tile).all((-3, -2, -1)).any()
    np.testing.assert_array_equal(read_image(deep, view), whole["image"][0])
