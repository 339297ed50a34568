"""Uncertainty under dropout, noise that is preserved, and which batch fields a synthesis needs."""

import jax
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.stain_ae import stain_ae
from adjax.synthesis import SYNTHESES, compare
from adjax.types import Info

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


def fresh(**options):
    method = stain_ae(tx=optax.sgd(0.0), width=0.25, **options)
    rows, info = matrix.batch(matrix.normals(8, seed=0)), Info({"train": 8}, {"train": 1}, 8)
    return method, jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg")), rows


def test_uncertainty_is_the_variance_of_the_passes():
    images = matrix.normals(2, seed=0)
    method, state, _ = fresh(passes=5)
    found = matrix.score(method, state, images).map
    assert found.min() >= 0 and found.mean() > 1e-6
    assert not np.allclose(found, matrix.score(method, state, images, [7, 8]).map)


def test_without_dropout_there_is_no_uncertainty():
    method, state, _ = fresh(passes=3, rates=(0.0,) * 6)
    assert np.all(matrix.score(method, state, matrix.normals(2, seed=0)).map < 1e-12)


def test_noise_is_in_what_is_to_be_given_back():
    """An untrained network's squared error is larger by the variance of the noise."""
    losses = []
    for noise in (0.0, 0.5):
        method, state, rows = fresh(noise=noise)
        _, scalars = jax.jit(method.phases["train"].update)(state, rows, jax.random.key(1))
        losses.append(float(scalars["loss/l2"]))
    assert losses[1] - losses[0] == pytest.approx(0.25, rel=0.3)


def test_textured_syntheses_ask_for_a_texture():
    assert stain_ae(tx=optax.sgd(0.0), synthesis="draem").needs == {"texture"}
    assert stain_ae(tx=optax.sgd(0.0)).needs == frozenset()


@pytest.mark.slow
@pytest.mark.budget(45)  # two trainings
def test_without_corruption_the_skips_give_back_what_was_never_seen(monkeypatch):
    """On its way to the identity: trained on squares of random grey with nothing planted, a network with skips gives
    back half of what stripes are, which it never saw; the code alone nothing of them."""
    monkeypatch.setitem(SYNTHESES, "nothing", lambda: lambda key, image, texture: compare(image, image))
    stripes, errors = matrix.normals(16, seed=11), {}
    for skips in (True, False):
        method = stain_ae(tx=matrix.SMALL["tx"], synthesis="nothing", skips=skips, width=0.25, score="l2")
        state, update = matrix.start(method), jax.jit(method.phases["train"].update)
        for step in range(150):
            rows = {"image": matrix.textures(16, step), "_mask": np.ones(16, bool)}
            state, _ = update(state, rows, jax.random.key(step))
        errors[skips] = matrix.score(method, state, stripes).map.mean() / stripes.var((1, 2)).mean()
    assert errors[True] < 0.6 and errors[False] > 0.8, errors
