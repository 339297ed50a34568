"""Feature losses against NumPy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.losses import map_cosine, map_perceptual, term_perceptual


def pair(shape=(2, 3, 4, 5)):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)


def test_cosine():
    u, v = pair()
    cosine = (u * v).sum(-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))
    np.testing.assert_allclose(map_cosine(u, v), 1 - cosine, atol=1e-5)
    np.testing.assert_allclose(map_cosine(3 * u, 0.5 * v), 1 - cosine, atol=1e-5)
    np.testing.assert_allclose(map_cosine(u, -u), 2, atol=1e-5)
    np.testing.assert_array_equal(map_cosine(u, u), 0)


def test_cosine_of_zero_vectors():
    u, _ = pair()
    zero = np.zeros_like(u)
    np.testing.assert_array_equal(map_cosine(zero, zero), 0)
    np.testing.assert_allclose(map_cosine(zero, u), 0.5, atol=1e-5)
    for v in (zero, u):
        gradient = jax.jit(jax.grad(lambda x, v=v: map_cosine(x, v).mean()))(zero)
        assert np.isfinite(gradient).all() and np.abs(gradient).max() <= 1e3


def layers(x):
    """Two layers a plain mean can check: the image, and its 2x2 sums."""
    return x, x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]


def test_perceptual():
    x, y = pair((2, 4, 6, 3))
    fine, coarse = (((a - b) ** 2).mean((1, 2, 3)) for a, b in zip(layers(x), layers(y)))
    np.testing.assert_allclose(term_perceptual(x, y, features=layers), fine + coarse, rtol=1e-5)
    weighted = term_perceptual(x, y, features=layers, weights=(2.0, 0.5))
    np.testing.assert_allclose(weighted, 2 * fine + 0.5 * coarse, rtol=1e-5)
    np.testing.assert_array_equal(term_perceptual(x, x, features=layers), 0)
    with pytest.raises(ValueError, match="3 weights for 2 feature layers"):
        term_perceptual(x, y, features=layers, weights=(1.0, 1.0, 1.0))


def test_perceptual_map():
    x, _ = pair((1, 4, 4, 1))
    constant = map_perceptual(x + 0.5, x, features=layers, weights=(1.0, 3.0))
    np.testing.assert_allclose(constant, 0.25 + 3 * 4.0, rtol=1e-4)
    spot = jnp.zeros((1, 8, 8, 1)).at[0, 6, 1].set(1.0)
    found = map_perceptual(spot, jnp.zeros_like(spot), features=layers)
    assert found.shape == (1, 8, 8) and int(found.argmax()) == 6 * 8 + 1
