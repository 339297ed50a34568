"""Perlin noise and DRAEM's masks against the per-image recipe written plainly in NumPy."""

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import pytest

from adjax.noise import draem_mask, perlin
from adjax.noise.perlin import rotate


def recipe(size, res, angle):
    """Gradients at the corners, repeated over the cells; sides that are multiples of `res`."""
    steps = [n // r for n, r in zip(size, res)]
    gradient = np.stack([np.cos(angle), np.sin(angle)], -1)[: res[0] + 1, : res[1] + 1]
    y, x = np.meshgrid(*(np.arange(n) / s % 1 for n, s in zip(size, steps)), indexing="ij")
    tiles = lambda i, j: gradient[i : res[0] + i, j : res[1] + j].repeat(steps[0], 0).repeat(steps[1], 1)
    corner = lambda i, j: ((np.stack([y, x], -1) - [i, j]) * tiles(i, j)).sum(-1)
    fade = lambda t: 6 * t**5 - 15 * t**4 + 10 * t**3
    lerp = lambda a, b, t: a + t * (b - a)
    top, bottom = (lerp(corner(i, 0), corner(i, 1), fade(x)) for i in (0, 1))
    return 2**0.5 * lerp(top, bottom, fade(y))


@pytest.mark.parametrize("res", [(1, 1), (2, 8), (32, 4), (32, 32)])
def test_recipe(res):
    field = jax.jit(lambda keys, res: perlin(keys, (64, 96), res))(jax.random.key(3)[None], jnp.array([res]))[0]
    angle = np.asarray(jax.random.uniform(jax.random.key(3), (33, 33), maxval=2 * np.pi), np.float64)
    np.testing.assert_allclose(field, recipe((64, 96), res, angle), atol=2e-5)
    assert np.abs(field[:: 64 // res[0], :: 96 // res[1]]).max() < 1e-5  # 0 at the lattice points
    assert np.abs(field).max() <= 1


def test_published_share_of_masked_pixels():
    """4.9 % of the pixels, quartiles 3.8, 4.6 and 5.6 %, 4.6 % of the draws empty (4000 draws of the recipe).

    600 draws: 4 standard errors.
    """
    share = jax.jit(lambda k: draem_mask(k, (256, 256)).mean((1, 2)), compiler_options=matrix.OPTIMISED)
    found = np.concatenate([share(jax.random.split(jax.random.key(s), 100)) for s in range(6)])
    np.testing.assert_allclose(np.quantile(found, [0.25, 0.5, 0.75]), [0.038, 0.046, 0.056], atol=0.003)
    assert abs(found.mean() - 0.049) < 4 * 0.023 / 600**0.5
    assert abs((found == 0).mean() - 0.046) < 4 * (0.046 * 0.954 / 600) ** 0.5


def test_rotation():
    image = np.random.default_rng(0).random((9, 9), np.float32)
    turn = jax.jit(rotate)
    np.testing.assert_allclose(turn(image, jnp.float32(0)), image, atol=1e-5)
    np.testing.assert_allclose(turn(image, jnp.float32(np.pi / 2)), np.rot90(image, -1), atol=1e-5)
    np.testing.assert_allclose(turn(image, jnp.float32(-np.pi / 2)), np.rot90(image), atol=1e-5)
    tilted = np.asarray(turn(np.ones((21, 21), np.float32), jnp.float32(np.pi / 4)))
    assert (tilted[[0, 0, -1, -1], [0, -1, 0, -1]] == 0).all() and tilted[10, 10] == pytest.approx(1)
