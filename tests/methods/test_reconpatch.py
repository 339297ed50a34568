"""Without a lesson the learned features are PatchCore's, and a lesson moves the layer that is kept."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.patchcore import patchcore
from adjax.methods.reconpatch import reconpatch
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
IMAGES = matrix.normals(4, seed=3)
SMALL = {"layers": ("stage1",), "ratio": 1.0}


@functools.cache
def method():
    return reconpatch(tx=optax.sgd(0.1), dimensions=16, patches=50, **SMALL)


def filled(method, state, phase):
    """With all patches of the images."""
    state, _ = jax.jit(method.phases[phase].update)(state, matrix.batch(IMAGES), jax.random.key(0))
    return method.phases[phase].finish(state, jax.random.key(1))


def start(method):
    info = Info({"train": 4}, dict.fromkeys(method.phases, 1), 4)
    return jax.jit(lambda key: method.init(key, matrix.batch(IMAGES), info))(jax.random.key(0, impl="rbg"))


def test_with_the_identity_it_is_patchcore():
    state = start(method())
    params = {"f": {"kernel": jnp.eye(16), "bias": jnp.zeros(16)}, "g": state.head.params["g"]}
    state = state._replace(head=state.head._replace(params=params))
    plain = patchcore(**SMALL)
    images = matrix.planted(IMAGES, seed=1)[0]
    found = matrix.score(method(), filled(method(), state, "bank"), images)
    expected = matrix.score(plain, filled(plain, start(plain), "train"), images)
    np.testing.assert_allclose(found.score, expected.score, rtol=1e-4)
    np.testing.assert_allclose(found.map, expected.map, rtol=1e-3, atol=1e-4)
    assert (found.score > 0.1).all()


def test_a_lesson_moves_the_layer_and_its_average_follows():
    first = start(method())
    rows = dict(matrix.batch(IMAGES))
    rows["_mask"] = np.arange(4) < 1
    state, scalars = jax.jit(method().phases["train"].update)(first, rows, jax.random.key(0))
    moved = lambda tree: float(jnp.abs(tree["f"]["kernel"] - first.head.params["f"]["kernel"]).max())
    assert 0 < moved(state.head.average) < moved(state.head.params)
    assert np.isfinite(scalars["loss/contrastive"])


def test_more_neighbours_than_patches_are_refused():
    with pytest.raises(UserError, match="nearest=9 of patches=4 of reconpatch"):
        reconpatch(tx=optax.sgd(0.1), nearest=9, patches=4)
