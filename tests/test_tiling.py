"""Grids cover every pixel, stitching undoes tiling, and a tiled score follows from the image alone.

Axes: b batch, h height, w width, c channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjax import tiling, transforms
from adjax.methods.intensity import intensity
from adjax.pooling import pool, valid_pixels
from adjax.tiling import Grid
from adjax.types import Method, Prediction, UserError

lengths = st.integers(16, 70)
grids = st.builds(
    lambda size, share: Grid(size, max(1, round(size * share))), st.sampled_from([8, 16]), st.floats(0.1, 1)
)


@given(lengths, grids)
@settings(max_examples=60, deadline=None)
def test_tiles_cover_every_pixel_and_stay_inside(length, grid):
    first = tiling.starts(length, grid)
    covered = np.zeros(length, bool)
    for start in first:
        assert 0 <= start <= length - grid.size
        covered[start : start + grid.size] = True
    assert covered.all()
    assert len(set(first)) == len(first)
    assert len(first) == tiling.steps(length, grid)


@given(lengths, lengths, grids)
@settings(max_examples=30, deadline=None)
def test_place_numbers_the_same_tiles(h, w, grid):
    wanted = [(y, x) for y in tiling.starts(h, grid) for x in tiling.starts(w, grid)]
    assert int(tiling.count((h, w), grid)) == len(wanted)
    assert [tuple(map(int, tiling.place(i, (h, w), grid))) for i in (0, len(wanted) - 1)] == [wanted[0], wanted[-1]]


@pytest.mark.parametrize(("hw", "grid"), [((32, 32), Grid(16, 8)), ((37, 21), Grid(16, 7)), ((16, 50), Grid(16, 16))])
def test_stitch_undoes_tile(hw, grid):
    image = jax.random.uniform(jax.random.key(0), (*hw, 2))
    np.testing.assert_allclose(tiling.stitch(tiling.tile(image, grid), hw, grid), image, atol=1e-6)


def test_published_grid_has_49_tiles():
    assert int(tiling.count((1024, 1024), Grid(256, 128))) == 49


@given(st.integers(1, 5000))
@settings(max_examples=50, deadline=None)
def test_buckets_are_few_and_large_enough(length):
    grid = Grid(128, 64)
    padded = tiling.bucket(length, grid)
    assert padded >= length
    assert padded < max(2 * length, 129)
    assert len({tiling.bucket(n, grid) for n in range(1, 4097)}) <= 11


def test_gaps_between_tiles_are_refused():
    with pytest.raises(UserError, match="stride 17"):
        transforms.tiled(intensity(), Grid(16, 17))


def batch_of(images, sizes=None):
    batch = {"image": images, "_mask": jnp.ones(len(images), bool)}
    return batch | ({} if sizes is None else {"_size": jnp.asarray(sizes, jnp.int32)})


def score(method, batch):
    keys = jax.random.split(jax.random.key(1), len(batch["image"]))
    return jax.jit(method.score)((), batch, keys)


def test_tiled_intensity_is_intensity():
    images = jax.random.uniform(jax.random.key(0), (3, 40, 56, 1))
    tiled = score(transforms.tiled(intensity(), Grid(16, 8), "max", chunk=5), batch_of(images))
    plain = score(intensity(), batch_of(images))
    np.testing.assert_allclose(tiled.map, plain.map, atol=1e-6)
    np.testing.assert_allclose(tiled.score, plain.score, atol=1e-6)


@pytest.mark.parametrize("rule", ["max", "mean", "top:0.05", "tile"])
def test_padding_and_neighbours_never_enter_a_score(rule):
    """An image in a padded bucket, beside another, with rubbish in its padding, scores as it does alone."""
    image = jax.random.uniform(jax.random.key(0), (1, 21, 30, 1))
    dirty = jnp.full((2, 32, 48, 1), jnp.nan).at[0, :21, :30].set(image[0]).at[1].set(0.5)
    method = transforms.tiled(intensity(), Grid(16, 8), rule, chunk=4)
    alone, padded = score(method, batch_of(image)), score(method, batch_of(dirty, [[21, 30], [32, 48]]))
    np.testing.assert_allclose(padded.map[0, :21, :30], alone.map[0], atol=1e-6)
    np.testing.assert_allclose(padded.score[0], alone.score[0], rtol=1e-6)


@pytest.mark.parametrize("rule", ["max", "mean", "top:0.05", "tile"])
@pytest.mark.parametrize("sigma", [0.0, 1.5])
def test_ignored_pixels_never_enter_a_score(rule, sigma):
    """A whole tile and part of others are ignored, whatever they hold; a plain score is that of the other pixels."""
    images = jax.random.uniform(jax.random.key(0), (2, 32, 48, 1))
    ignore = np.zeros((2, 32, 48), bool)
    ignore[0, :20, :17] = True
    dirty = jnp.where(ignore[..., None], 9.0, images)
    method = transforms.tiled(intensity(), Grid(16, 8), rule, chunk=4)
    if sigma and rule != "tile":
        method = transforms.smoothed(method, sigma, rule)
    found = [score(method, batch_of(x) | {"_ignore": jnp.asarray(ignore)}).score for x in (images, dirty)]
    assert np.isfinite(found[0]).all()
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_allclose(found[0][1], score(method, batch_of(images)).score[1], rtol=1e-6)
    pixels = np.asarray(images)[0, ..., 0][~ignore[0]]
    if not sigma and rule in ("max", "mean"):
        np.testing.assert_allclose(found[0][0], {"max": pixels.max(), "mean": pixels.mean()}[rule], rtol=1e-5)


@pytest.mark.parametrize("rule", ["max", "mean", "top:0.1"])
def test_without_a_pixel_that_counts_nothing_is_found(rule):
    assert float(pool(jnp.ones((1, 4, 4)), rule, jnp.zeros((1, 4, 4), bool))[0]) == -np.inf


def test_padded_rows_cost_nothing_and_change_nothing():
    images = jax.random.uniform(jax.random.key(0), (2, 32, 32, 1))
    method = transforms.tiled(intensity(), Grid(16, 8), chunk=4)
    both = score(method, batch_of(images))
    masked = score(method, batch_of(images.at[1].set(jnp.nan)) | {"_mask": jnp.array([True, False])})
    np.testing.assert_array_equal(masked.score[0], both.score[0])


def noisy(with_map: bool) -> Method:
    """Scores by the tile's randomness alone."""

    def score(state, batch, keys):
        values = jax.vmap(lambda key: jax.random.uniform(key))(keys)
        maps = jnp.broadcast_to(values[:, None, None], batch["image"].shape[:3]) if with_map else None
        return Prediction(values, maps)

    return Method(lambda key, batch, info: (), {}, score)


def test_a_tiles_randomness_depends_on_image_and_tile_only():
    images = jnp.zeros((2, 32, 32, 1))
    scores = {}
    for chunk in (3, 16):
        scores[chunk] = score(transforms.tiled(noisy(True), Grid(16, 16), "max", chunk=chunk), batch_of(images))
    np.testing.assert_array_equal(scores[3].map, scores[16].map)
    assert len(np.unique(np.asarray(scores[3].map).round(5))) == 8


def test_image_level_methods_get_their_highest_tile():
    images = jnp.zeros((2, 32, 32, 1))
    prediction = score(transforms.tiled(noisy(False), Grid(16, 16), "max"), batch_of(images))
    maps = score(transforms.tiled(noisy(True), Grid(16, 16), "max"), batch_of(images)).map
    assert prediction.map is None
    np.testing.assert_allclose(prediction.score, np.max(maps, axis=(1, 2)), rtol=1e-6)


def test_pooling_rules():
    maps = jnp.asarray(np.arange(40, dtype=np.float32).reshape(1, 5, 8))
    valid = valid_pixels({"image": maps[..., None], "_size": jnp.array([[5, 4]])})
    kept = np.asarray(maps)[0, :, :4].ravel()
    assert float(pool(maps, "max", valid)[0]) == kept.max()
    assert float(pool(maps, "mean", valid)[0]) == pytest.approx(kept.mean())
    assert float(pool(maps, "top:0.1", valid)[0]) == pytest.approx(np.sort(kept)[-2:].mean())
    for wrong in ("median", "top:0", "top:x"):
        with pytest.raises(UserError, match="choose from"):
            pool(maps, wrong, valid)


def test_smoothing_keeps_a_constant_and_spreads_a_peak():
    flat = jnp.full((1, 24, 24, 1), 0.7)
    np.testing.assert_allclose(score(transforms.smoothed(intensity(), 2.0), batch_of(flat)).map, 0.7, rtol=1e-5)
    peak = jnp.zeros((1, 25, 25, 1)).at[0, 12, 12].set(1.0)
    found = np.asarray(score(transforms.smoothed(intensity(), 2.0), batch_of(peak)).map[0])
    grid = np.arange(25) - 12
    wanted = np.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / 8) / (2 * np.pi * 4)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * wanted.max())


def test_what_has_no_map_cannot_be_smoothed():
    flat = Method(lambda *_: (), {}, lambda state, rows, keys: Prediction(jnp.zeros(len(rows["image"])), None))
    with pytest.raises(UserError, match="this method has none: set config.score.sigma=0"):
        transforms.smoothed(flat, 2.0).score((), batch_of(np.zeros((8, 8, 1), np.float32)), None)
