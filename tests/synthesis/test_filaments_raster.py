"""The rasteriser against exact distances computed pixel by pixel, and the properties that follow from them."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal

from adjax.synthesis.filaments import raster, sensor
from adjax.synthesis.filaments.recurrence import recur

paint = jax.jit(raster.paint, static_argnums=3)
blur = jax.jit(sensor.blur, static_argnums=2)
PLAIN = raster.Look(shadow=0.0, edge=0.0, additive=False)


def straight(angle, width, grey=1.0, centre=32.0, size=64):
    """A straight strand across the canvas, as vertices [v a]."""
    s = np.linspace(-size, size, 33)
    v = np.zeros((33, raster.ATTRIBUTES), np.float32)
    v[:, 0], v[:, 1] = centre + s * np.cos(angle), centre + s * np.sin(angle)
    v[:, 2], v[:, 3], v[:, 4] = width / 2, grey, 1.0
    return v


def wavy(rng, size):
    v = straight(rng.uniform(0, np.pi), 3.0, rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7) * size, size)
    v[:, :2] += 4 * np.sin(np.arange(33) / 3 + rng.uniform(0, 6))[:, None] * rng.normal(size=2)
    v[:, 2] = 1.5 + 0.8 * np.sin(np.arange(33) / 2)
    v[:, 4], v[:, 5] = rng.uniform(1, 3), rng.integers(0, 3)
    v[rng.integers(12, 20), 2] = 0.0  # a gap
    return v


def slow(ground, strands, depth, look):
    """Every strand's exact distance at every pixel, in float64, one strand over the other."""
    y, x = np.mgrid[: ground.shape[0], : ground.shape[1]].astype(float)
    grey, below, through, count = ground.astype(float), ground.astype(float), np.ones(x.shape), np.zeros(x.shape)
    for rank, v in enumerate(strands.astype(float)):
        best, r, g = np.full(x.shape, 1e6), np.zeros(x.shape), np.zeros(x.shape)
        for a, c in pairwise(v):
            if a[2] > 0 and c[2] > 0:
                dx, dy = c[:2] - a[:2]
                t = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy), 0, 1)
                d = np.hypot(x - a[0] - t * dx, y - a[1] - t * dy)
                near = d < best
                best, r, g = (np.where(near, n, o) for n, o in ((d, best), (a[2] + t * (c[2] - a[2]), r), (a[3], g)))
        a = np.clip(0.5 + (r - best) / v[0, 4], 0, 1)
        if look.additive:
            grey = grey + a * g * np.sqrt(np.maximum(1 - 0.6 * best**2 / np.maximum(r**2, 0.25), 0.2))
            on = np.ones(x.shape)
        else:
            u = np.minimum(best / np.maximum(r, 0.5), 0.89)
            shade = np.where(best > r, np.clip(1 - (best - r) / raster.SHADOW_REACH, 0, 1) ** 2, 1)
            on = (1 - a) * (1 - look.shadow * shade)
            grey = a * g * (1 + look.edge * (1 / np.sqrt(1 - u**2) - 1.3)) + on * grey
        below = grey if rank < depth else below
        through = np.ones(x.shape) if rank < depth else through * on
        count += best < r
    return grey, below, through, count


@pytest.mark.parametrize("additive", [False, True])
def test_equals_the_slow_reference(additive):
    rng, size = np.random.default_rng(1), 80
    strands = np.stack([wavy(rng, size) for _ in range(9)])
    ground = rng.uniform(0.1, 0.3, (size, size)).astype(np.float32)
    look = raster.Look(0.25, 0.15, additive)
    fast = paint(jnp.asarray(ground)[None], jnp.asarray(strands)[None], jnp.array([4.0]), look)
    for name, expected in zip(("grey", "below", "through", "count"), slow(ground, strands, 4, look)):
        difference = np.abs(np.asarray(getattr(fast, name)[0]) - expected)
        assert np.mean(difference > 2e-3) < 2e-3, name  # a rounded distance may fall to the other side of an edge
    assert np.asarray(fast.count).max() >= 3


@pytest.mark.budget(20)  # cold, the compiler takes nearly all of it
def test_a_batch_is_its_images():
    rng = np.random.default_rng(2)
    strands = np.stack([[wavy(rng, 48) for _ in range(4)] for _ in range(2)])
    ground = np.full((2, 48, 48), 0.2, np.float32)
    grey = lambda strands: paint(ground, strands, jnp.zeros(2), PLAIN).grey
    both = np.asarray(grey(strands))
    assert not np.allclose(both[0], both[1], atol=0.1)
    for i in range(2):
        twice = grey(strands[[i, i]])
        np.testing.assert_allclose(twice, both[np.array([i, i])], atol=1e-6)


def test_width_is_the_integral_of_coverage_at_all_orientations():
    size, widths = 64, (2.0, 3.3, 5.0)
    angles = np.linspace(0, np.pi, 12, endpoint=False) + 0.05
    strands = np.stack([straight(a, w) for a in angles for w in widths])[:, None]
    n = len(strands)
    grey = np.asarray(paint(jnp.zeros((n, size, size)), jnp.asarray(strands), jnp.zeros(n), PLAIN).grey)
    y, x = np.mgrid[:size, :size] - 32.0
    inside = np.hypot(x, y) < 24  # its chord along the strand is known
    for picture, (angle, width) in zip(grey, [(a, w) for a in angles for w in widths]):
        across = -np.sin(angle) * x + np.cos(angle) * y
        length = 2 * np.sqrt(24**2 - np.minimum(np.abs(across), 20) ** 2)
        assert np.sum(np.where(inside, picture / length, 0)) == pytest.approx(width, rel=0.02)


def test_half_width_after_the_point_spread():
    picture = paint(jnp.zeros((1, 64, 64)), jnp.asarray(straight(0.0, 4.0))[None, None], jnp.zeros(1), PLAIN)
    line = np.asarray(blur(picture.grey, jnp.array([0.8]), 6))[0, :, 32]
    fine = np.interp(np.linspace(0, 63, 6301), np.arange(64), line)
    assert np.sum(fine > fine.max() / 2) / 100 == pytest.approx(4.0, abs=0.5)


def test_the_upper_strand_runs_unchanged_through_a_crossing():
    look = raster.Look(0.25, 0.15, False)
    upper, lower = straight(0.0, 4.0, 0.7), straight(np.pi / 2, 4.0, 0.4)
    grey = np.asarray(
        paint(jnp.zeros((1, 64, 64)), jnp.asarray(np.stack([lower, upper]))[None], jnp.zeros(1), look).grey[0]
    )
    np.testing.assert_allclose(grey[31:34, 32], grey[31:34, 10], atol=1e-6)
    assert grey[36, 32] < 0.9 * grey[10, 32]  # the lower one lies in the shadow


def test_recurrence_is_a_cumulative_sum_and_a_filter():
    x = np.random.default_rng(0).normal(size=(3, 200)).astype(np.float32)
    np.testing.assert_allclose(recur(jnp.asarray(x)), np.cumsum(x, axis=1), atol=1e-4)
    np.testing.assert_allclose(recur(jnp.asarray(x), 0.9), signal.lfilter([1], [1, -0.9], x, axis=1), atol=1e-4)


def test_blur_is_gaussian():
    image = np.random.default_rng(0).uniform(size=(40, 50)).astype(np.float32)
    ours = blur(jnp.asarray(image)[None], jnp.array([1.3]), 6)[0]
    np.testing.assert_allclose(ours, ndimage.gaussian_filter(image, 1.3, mode="nearest", radius=6), atol=1e-5)
    wide = np.asarray(jax.jit(sensor.wide_blur, static_argnums=1)(jnp.asarray(image)[None], 8.0)[0])
    reference = ndimage.gaussian_filter(image, 8.0, mode="nearest")
    assert np.abs(wide - reference)[8:-8, 8:-8].max() < 0.03
