"""Coloured Gaussian noise: variance, slope of the spectrum, kinds of numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.noise import power_law


def draw(n, shape, **options):
    return jax.jit(lambda keys: power_law(keys, shape, **options))(jax.random.split(jax.random.key(0), n))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0])
def test_power_falls_as_asked(exponent):
    image = np.asarray(draw(256, (24, 33, 2), exponent=exponent), np.float64)
    assert image.shape == (256, 24, 33, 2)
    power = (np.abs(np.fft.fft2(image, axes=(1, 2))) ** 2).mean((0, 3))
    radius = np.hypot(np.fft.fftfreq(24)[:, None], np.fft.fftfreq(33)[None])
    slope = np.polyfit(np.log(radius.ravel()[1:]), np.log(power.ravel()[1:]), 1)[0]
    assert abs(slope + exponent) < 0.03
    assert abs((image**2).mean() - 1) < 0.1
    assert abs(np.corrcoef(image[..., 0].ravel(), image[..., 1].ravel())[0, 1]) < 0.1


def test_white_is_the_normal_draw():
    keys = jax.random.split(jax.random.key(5), 1)
    with jax.debug_key_reuse(False):
        white = power_law(keys, (7, 6, 1), exponent=0.0)[0]
        np.testing.assert_allclose(white, jax.random.normal(keys[0], (7, 6, 1)), atol=1e-5)


def test_bfloat16():
    assert draw(1, (8, 8, 1), dtype=jnp.bfloat16).dtype == jnp.bfloat16
