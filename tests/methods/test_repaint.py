"""That a hole hides what is in it, and what its pixels are the mean of."""

import functools

import jax
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.repaint import repaint
from adjax.types import UserError

UNET = {"features": (8,), "blocks": 0, "attention": (), "heads": 0, "patch": 4}


def build(**options):
    return repaint(tx=optax.sgd(0.0), unet=UNET, **options)


@functools.cache
def untrained():
    """Says that there is no noise, whatever the options."""
    rows = matrix.batch(matrix.normals(1, seed=0))
    return jax.jit(lambda key: build().init(key, rows, None))(jax.random.key(0, impl="rbg"))


def random():
    """Says something that depends on all pixels around."""
    draw = np.random.default_rng(0)
    noisy = lambda leaf: leaf + draw.normal(0, 0.1, leaf.shape).astype(np.float32)
    return untrained()._replace(params=jax.tree.map(noisy, jax.device_get(untrained().params)), average=())


def test_a_reconstruction_does_not_see_its_hole():
    """The first position's holes begin at 0 and 32: pixels there may change, their reconstruction may not."""
    images = matrix.normals(1, seed=0)
    changed = images.copy()
    changed[:, :8, :8] += 0.3
    method = build(top=300, calls=2, rounds=2, ema_decay=0.0)
    before, after = (matrix.score(method, random(), each).aux["reconstruction"] for each in (images, changed))
    np.testing.assert_allclose(after[:, :8, :8], before[:, :8, :8], atol=1e-6)
    assert np.abs(after - before)[:, 8:16, :8].max() > 1e-3


def test_a_pixel_is_the_mean_over_the_positions_that_hid_it_each_with_noise_of_its_own():
    """What is left of pure noise, clipped, is black or white: a coin for each position."""
    images = np.full_like(matrix.normals(2, seed=0), 0.5)
    once, twice = (matrix.score(build(calls=1, hole=4, overlap=n), untrained(), images).map for n in (1, 2))
    share = lambda found, value: np.isclose(found, value, atol=0.02).mean()
    assert share(once, 0.5) > 0.97
    coins = [share(twice, off) for off in (0, 0.25, 0.5)]
    np.testing.assert_allclose(coins, [6 / 16, 8 / 16, 2 / 16], atol=0.06)


def test_no_round_is_refused():
    with pytest.raises(UserError, match="rounds 0; choose at least 1"):
        build(rounds=0)
