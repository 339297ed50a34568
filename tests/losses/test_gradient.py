"""Gradient magnitude similarity against SciPy's Prewitt filter and its closed forms."""

import jax
import numpy as np
import pytest
from scipy import ndimage

from adjax.losses import LOSSES, map_gms, map_msgms, term_msgms
from adjax.types import UserError

C = 0.0026
gms = jax.jit(map_gms, static_argnames="median")


def slow_gms(x, y, median=False):
    """1 - GMS of two h w images in double precision."""
    magnitude = lambda v: np.hypot(*(ndimage.prewitt(v, axis, mode="nearest") / 3 for axis in (0, 1)))
    if median:
        x, y = (ndimage.median_filter(v, 3, mode="nearest") for v in (x, y))
    gx, gy = magnitude(x), magnitude(y)
    return 1 - (2 * gx * gy + C) / (gx**2 + gy**2 + C)


def pair(shape):
    rng = np.random.default_rng(0)
    return rng.random(shape, np.float32), rng.random(shape, np.float32)


@pytest.mark.parametrize("median", [False, True])
def test_gms_agrees_with_its_definition(median):
    x, y = pair((2, 15, 18, 3))
    for i in range(2):
        expected = slow_gms(x[i].astype(np.float64).mean(-1), y[i].astype(np.float64).mean(-1), median)
        np.testing.assert_allclose(gms(x, y, median=median)[i], expected, atol=3e-5)


def test_msgms_averages_four_scales():
    x, y = pair((1, 32, 48, 1))
    expected, small_x, small_y = 0.0, x[0, ..., 0].astype(np.float64), y[0, ..., 0].astype(np.float64)
    for _ in range(4):
        expected += slow_gms(small_x, small_y).mean() / 4
        small_x, small_y = (v.reshape(v.shape[0] // 2, 2, v.shape[1] // 2, 2).mean((1, 3)) for v in (small_x, small_y))
    np.testing.assert_allclose(jax.jit(term_msgms)(x, y)[0], expected, atol=1e-5)
    np.testing.assert_allclose(jax.jit(map_msgms)(x, y).mean(), expected, rtol=0.02)


def test_gms_is_blind_to_offsets():
    x = pair((1, 10, 10, 1))[0]
    np.testing.assert_allclose(gms(x, x + np.float32(0.3)), 0, atol=1e-5)


@pytest.mark.parametrize("slope", [0.01, np.sqrt(C) / 2, 0.2])
def test_gms_of_a_ramp_and_a_constant(slope):
    """Prewitt spans two pixels, so g is twice the slope; with none opposite, GMS = c / (g² + c)."""
    ramp = np.broadcast_to(slope * np.arange(9, dtype=np.float32), (1, 9, 9))[..., None].astype(np.float32)
    expected = 1 - C / ((2 * slope) ** 2 + C)
    np.testing.assert_allclose(gms(ramp, np.zeros_like(ramp))[:, :, 1:-1], expected, atol=3e-5)


def test_too_small():
    x = np.zeros((1, 2, 9, 1), np.float32)
    for function in (*LOSSES["gms"], *LOSSES["msgms"]):
        with pytest.raises(UserError, match="2x9 pixels is smaller than the 3x3 filter"):
            function(x, x)
