"""Fourier losses against their sums over the full spectrum, written plainly in NumPy."""

import jax
import numpy as np
import pytest

from adjax.losses import map_focal_frequency, map_weighted_frequency

weighted = jax.jit(map_weighted_frequency, static_argnames=("gamma", "floor"))


def pair(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(shape, np.float32), rng.random(shape, np.float32)


def spectrum(pred, target):
    return np.fft.fft2((pred - target).astype(np.float64), axes=(1, 2), norm="ortho")


def radius(h, w):
    """In units of the largest radial frequency of the full grid."""
    fy, fx = np.meshgrid(np.fft.fftfreq(h), np.fft.fftfreq(w), indexing="ij")
    r = np.sqrt(fy**2 + fx**2)
    return (r / r.max())[None, :, :, None]


@pytest.mark.parametrize("size", [(8, 12), (9, 7), (6, 11)])
def test_weighted_frequency_is_the_weighted_spectrum(size):
    pred, target = pair((2, *size, 3))
    for gamma, floor in ((1.0, 0.1), (2.0, 0.0)):
        weight = radius(*size) ** gamma + floor
        expected = (weight * np.abs(spectrum(pred, target)) ** 2).mean((1, 2, 3))
        ours = weighted(pred, target, gamma=gamma, floor=floor).mean((1, 2))
        np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_parseval():
    """gamma = 0 and no floor is W = 1: the squared error, as a map."""
    pred, target = pair((2, 8, 9, 2))
    ours = weighted(pred, target, gamma=0.0, floor=0.0)
    np.testing.assert_allclose(ours, ((pred - target) ** 2).mean(-1), atol=1e-6)


def test_an_offset_changes_the_mean_only():
    """Adding c to an image whose error has no mean adds W(0, 0) c²."""
    pred, target = pair((1, 10, 12, 1))
    pred += (target - pred).mean()
    more = weighted(pred + np.float32(0.4), target).mean() - weighted(pred, target).mean()
    np.testing.assert_allclose(more, 0.1 * 0.4**2, rtol=1e-4)


def test_sharp_detail_counts_more():
    checkerboard = 0.1 * (-1.0) ** np.add.outer(np.arange(8), np.arange(8))
    slow = 0.1 * np.sqrt(2) * np.cos(2 * np.pi * np.arange(8) / 8) * np.ones((8, 1))
    sharp, smooth = (
        weighted(v[None, :, :, None].astype(np.float32), np.zeros((1, 8, 8, 1), np.float32)).mean()
        for v in (checkerboard, slow)
    )
    np.testing.assert_allclose(sharp, 1.1 * 0.01, rtol=1e-4)
    np.testing.assert_allclose(smooth, (np.sqrt(1 / 32) + 0.1) * 0.01, rtol=1e-4)


@pytest.mark.parametrize(("alpha", "log"), [(1.0, False), (0.5, False), (1.0, True)])
def test_focal_frequency_agrees_with_its_definition(alpha, log):
    pred, target = pair((2, 9, 12, 3))
    pred[1] *= 0.1  # the largest value is each image's own
    size = np.abs(spectrum(pred, target))
    weight = np.log(size**alpha + 1) if log else size**alpha
    weight /= weight.max((1, 2), keepdims=True)
    expected = (weight * size**2).mean((1, 2, 3))
    ours = jax.jit(map_focal_frequency, static_argnames=("alpha", "log"))(pred, target, alpha=alpha, log=log)
    np.testing.assert_allclose(ours.mean((1, 2)), expected, rtol=1e-4)


def test_focal_weight_is_a_constant_for_the_gradient():
    """d mean(w |FFT(e)|²) / de = 2 IFFT(w FFT(e)) / n."""
    pred, target = pair((1, 8, 10, 1))
    f = spectrum(pred, target)
    expected = 2 * np.fft.ifft2(np.abs(f) / np.abs(f).max() * f, axes=(1, 2), norm="ortho").real / 80
    ours = jax.jit(jax.grad(lambda p: map_focal_frequency(p, target).mean()))(pred)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
