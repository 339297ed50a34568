"""The matrix: what holds for every method of METHODS, with none named. Small settings are in matrix.py."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import pytest

from adjax import checkpoint, parallel
from adjax.methods import METHODS, factory
from adjax.types import Info, Method, Prediction, UserError


def each(names):
    """One process runs all tests of a method, so that it is trained once."""
    return pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in names])


ALL = each(METHODS)
TRAINED = each(n for n in METHODS if matrix.build(METHODS[n]).phases)


@functools.cache
def fitted(name: str):
    return matrix.train(matrix.build(METHODS[name]))


def spec(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype), tree)


@ALL
@pytest.mark.budget(20)
def test_scores_and_maps_have_the_contracts_shapes(name):
    method, state = matrix.build(METHODS[name]), fitted(name).state
    images = matrix.normals(4, seed=3)
    prediction = matrix.score(method, state, images)
    assert (prediction.score.shape, prediction.score.dtype) == ((4,), np.float32)
    if prediction.map is not None:
        assert (prediction.map.shape, prediction.map.dtype) == (images.shape[:3], np.float32)
    if method.reconstruct is not None:
        assert jax.eval_shape(method.reconstruct, state, matrix.batch(images), None).shape == images.shape
    if method.embed is not None:
        assert jax.eval_shape(method.embed, state, matrix.batch(images)).shape[0] == 4


@TRAINED
def test_updates_keep_the_tree(name):
    method = matrix.build(METHODS[name])
    info = Info({"train": 8, "calibration": 8}, dict.fromkeys(method.phases, 1), 8)
    rows, key = matrix.batch(matrix.normals(8, seed=3)), jax.random.key(0)
    state = jax.eval_shape(lambda k: method.init(k, rows, info), key)
    for phase in method.phases.values():
        after, scalars = jax.eval_shape(phase.update, state, rows, key)
        assert spec(after) == spec(state)
        assert all(value.shape == () for value in scalars.values())


@TRAINED
@pytest.mark.budget(20)
def test_the_loss_falls(name):
    losses = [scalars["loss/total"] for scalars in fitted(name).losses if "loss/total" in scalars]
    if losses:
        assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])


@TRAINED
@pytest.mark.budget(20)
def test_planted_defects_are_found(name):
    assert matrix.detection(matrix.build(METHODS[name]), fitted(name).state) >= 0.9


@ALL
@pytest.mark.budget(20)
def test_a_score_does_not_depend_on_its_neighbours_or_their_order(name):
    method, state = matrix.build(METHODS[name]), fitted(name).state
    images = matrix.normals(6, seed=3)
    together = matrix.score(method, state, images)
    order = np.array([4, 2, 0, 5, 1, 3])
    shuffled = matrix.score(method, state, images[order], order)
    np.testing.assert_allclose(shuffled.score, together.score[order], rtol=1e-4, atol=1e-6)
    alone = matrix.score(method, state, images[2:3], [2])
    np.testing.assert_allclose(alone.score, together.score[2:3], rtol=1e-4, atol=1e-6)
    if together.map is not None:
        np.testing.assert_allclose(alone.map, together.map[2:3], rtol=1e-3, atol=1e-5)


@TRAINED
@pytest.mark.budget(20)
def test_the_same_seed_gives_the_same_bits(name):
    method = matrix.build(METHODS[name])
    states = [matrix.train(method, steps=4).state for _ in range(2)]
    jax.tree.map(np.testing.assert_array_equal, *states)


@TRAINED
@pytest.mark.budget(20)
def test_one_device_equals_two(name):
    method = matrix.build(METHODS[name])
    one, two = (matrix.train(method, steps=4, devices=n).losses for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        for what in a:
            np.testing.assert_allclose(b[what], a[what], rtol=1e-4, atol=1e-6)


@ALL
@pytest.mark.budget(20)
def test_a_checkpoint_brings_back_the_same_scores(name, tmp_path):
    method, state = matrix.build(METHODS[name]), fitted(name).state
    info = Info({"train": 8, "calibration": 8}, dict.fromkeys(method.phases, 1), 8)
    images = matrix.normals(4, seed=3)
    with checkpoint.open_store(tmp_path) as store:
        checkpoint.save(store, 1, state, {})
        checkpoint.wait(store)
        like = jax.eval_shape(lambda k: method.init(k, matrix.batch(images), info), jax.random.key(0))
        whole = parallel.whole(parallel.mesh(jax.devices()[:1]))
        jax.tree.map(np.testing.assert_array_equal, checkpoint.restore(store, 1, like, whole), state)
        found = checkpoint.restore(store, 1, like, whole, optimiser=False)
    np.testing.assert_array_equal(matrix.score(method, found, images).score, matrix.score(method, state, images).score)


TRIVIAL = {
    "constant": lambda images, keys: jnp.zeros(len(images)),
    "random": lambda images, keys: jax.vmap(lambda key: jax.random.uniform(key))(keys),
    "intensity": lambda images, keys: images.max(axis=(1, 2, 3)),
    "darkness": lambda images, keys: -images.min(axis=(1, 2, 3)),
    "mean": lambda images, keys: images.mean(axis=(1, 2, 3)),
    "contrast": lambda images, keys: images.std(axis=(1, 2, 3)),
}


@pytest.mark.parametrize("name", TRIVIAL)
def test_trivial_detectors_fail_the_matrix(name):
    """The task is no test if they pass it."""
    trivial = Method(lambda *_: (), {}, lambda state, rows, keys: Prediction(TRIVIAL[name](rows["image"], keys), None))
    found = matrix.detection(trivial, ())
    assert max(found, 1 - found) < 0.8


def test_an_unknown_method_names_the_choices():
    with pytest.raises(UserError, match="unknown method 'vea'; choose from"):
        factory("vea")
