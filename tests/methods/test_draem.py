"""One step of tiny networks: what is planted, and where the segmentation's gradient goes."""

import jax
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.draem import draem
from adjax.types import Info

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


def step(**options):
    method = draem(tx=optax.sgd(1e-2), base=2, multiples=(1, 2), **options)
    rows, info = matrix.batch(matrix.normals(4, seed=0)), Info({"train": 4}, {"train": 1}, 4)
    state = jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    after, scalars = jax.jit(method.phases["train"].update)(state, rows, jax.random.key(1))
    moved = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), after.params, state.params)
    return {k: max(jax.tree.leaves(v)) for k, v in moved.items()}, scalars


def test_the_segmentation_trains_both_networks():
    moved, scalars = step(loss="1e-12*l2", synthesis="stain", share=1.0)
    assert moved["discriminative"] > 1e-5 and moved["reconstructive"] > 1e-5
    assert all(np.isfinite(value) for value in scalars.values())


def test_without_anomalies_the_reconstruction_is_an_autoencoders():
    """Whatever the synthesis: it is not used."""
    one, two = (step(synthesis=name, share=0.0)[1] for name in ("stain", "erasing"))
    np.testing.assert_allclose(one["loss/l2"], two["loss/l2"], rtol=1e-5)
    assert one["loss/l2"] != step(synthesis="erasing", share=1.0)[1]["loss/l2"]


@pytest.mark.slow
@pytest.mark.budget(45)  # two trainings
def test_without_anomalies_the_segmentation_finds_none():
    """What it never saw planted it calls nowhere anomalous, however badly it is rebuilt; having seen some, it does."""
    planted, _ = matrix.planted(matrix.normals(16, seed=11), seed=11)
    highest = {}
    for share in (0.0, 0.5):
        method = draem(tx=matrix.SMALL["tx"], base=2, multiples=(1, 2), synthesis="draem", share=share)
        state = matrix.train(method, steps=100).state
        highest[share] = matrix.score(method, state, planted).map.max()
    assert highest[0.0] < 0.5 < highest[0.5], highest


def test_a_texture_is_asked_for():
    assert draem(tx=optax.sgd(0.0)).needs == {"texture"}
    assert draem(tx=optax.sgd(0.0), synthesis="structured").needs == frozenset()
