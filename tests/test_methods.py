"""The matrix: what holds for every method of METHODS, with none named. Small settings are in matrix.py."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import programs
import pytest

from adjax import checkpoint, parallel
from adjax.methods import METHODS, factory
from adjax.types import Method, Prediction, UserError


def each(names):
    """One process runs all tests of a method, so that it is trained once."""
    return pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in names])


ALL = each(METHODS)
TRAINED = each(n for n in METHODS if matrix.build(METHODS[n]).phases)

IMAGES = matrix.normals(matrix.BATCH, seed=3)  # one number of images everywhere: one program to compile


def of(name: str) -> Method:
    return matrix.build(METHODS[name])


@functools.cache
def short(name: str) -> matrix.Fitted:
    return matrix.train(of(name), matrix.started(name), steps=4)


@functools.cache
def on_two_devices(name: str) -> matrix.Fitted:
    return matrix.train(of(name), matrix.started(name), steps=4, devices=2)


def spec(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


@ALL
@pytest.mark.budget(30)  # the method's training, and all that it compiles
def test_scores_and_maps_have_the_contracts_shapes(name):
    method, state = of(name), matrix.fitted(name).state
    prediction = matrix.score(method, state, IMAGES)
    assert (prediction.score.shape, prediction.score.dtype) == ((len(IMAGES),), np.float32)
    if prediction.map is not None:
        assert (prediction.map.shape, prediction.map.dtype) == (IMAGES.shape[:3], np.float32)
    if method.reconstruct is not None:
        assert jax.eval_shape(method.reconstruct, state, matrix.batch(IMAGES), None).shape == IMAGES.shape
    if method.embed is not None:
        assert jax.eval_shape(method.embed, state, matrix.batch(IMAGES)).shape[0] == len(IMAGES)


@TRAINED
def test_updates_keep_the_tree(name):
    method, mesh = of(name), parallel.mesh(jax.devices()[:1])
    state = jax.device_put(matrix.started(name), parallel.whole(mesh))
    rows = parallel.put(matrix.draw(method, [0]), mesh)
    for phase in method.phases.values():
        after, scalars = jax.jit(phase.update, donate_argnums=0).eval_shape(state, rows, jax.random.key(0))
        assert spec(after) == spec(state)
        assert all(value.shape == () for value in scalars.values())


@TRAINED
@pytest.mark.budget(20)
def test_the_loss_falls(name):
    losses = [scalars["loss/total"] for scalars in matrix.fitted(name).losses if "loss/total" in scalars]
    if losses:
        assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])


@TRAINED
@pytest.mark.budget(20)
def test_planted_defects_are_found(name):
    assert matrix.detection(of(name), matrix.fitted(name).state) >= 0.9


@ALL
@pytest.mark.budget(20)
def test_a_score_does_not_depend_on_its_neighbours_or_their_order(name):
    method, state = of(name), matrix.fitted(name).state
    together = matrix.score(method, state, IMAGES)
    order = np.random.default_rng(0).permutation(len(IMAGES))
    shuffled = matrix.score(method, state, IMAGES[order], order)
    np.testing.assert_allclose(shuffled.score, together.score[order], rtol=1e-4, atol=1e-6)
    others, _ = matrix.planted(matrix.normals(len(IMAGES), seed=4), seed=4)
    others[2] = IMAGES[2]
    among = matrix.score(method, state, others)
    np.testing.assert_allclose(among.score[2], together.score[2], rtol=1e-4, atol=1e-6)
    if together.map is not None:
        np.testing.assert_allclose(among.map[2], together.map[2], rtol=1e-3, atol=1e-5)


@TRAINED
@pytest.mark.budget(20)
def test_the_same_seed_gives_the_same_bits(name):
    again = matrix.train(of(name), matrix.started(name), steps=4)
    jax.tree.map(np.testing.assert_array_equal, again.state, short(name).state)


@TRAINED
@pytest.mark.budget(20)
def test_one_device_equals_two(name):
    for a, b in zip(short(name).losses, on_two_devices(name).losses, strict=True):
        for what in a:
            np.testing.assert_allclose(b[what], a[what], rtol=1e-4, atol=1e-6)


@TRAINED
@pytest.mark.budget(20)
def test_no_device_waits_for_another_within_a_loop_of_a_step(name):
    """XLA's CPU backend can begin what comes after a loop before it ends; devices then wait for ever. Branches and
    calls are programs of their own, too.
    """
    for text in on_two_devices(name).programs:
        assert programs.waits(text, inner=True) == []


@ALL
@pytest.mark.budget(20)
def test_a_checkpoint_brings_back_the_same_scores(name, tmp_path):
    method, state = of(name), matrix.fitted(name).state
    with checkpoint.open_store(tmp_path) as store:
        checkpoint.save(store, 1, state, {})
        checkpoint.wait(store)
        like, whole = spec(matrix.started(name)), parallel.whole(parallel.mesh(jax.devices()[:1]))
        jax.tree.map(np.testing.assert_array_equal, checkpoint.restore(store, 1, like, whole), state)
        found = checkpoint.restore(store, 1, like, whole, optimiser=False)
    np.testing.assert_array_equal(matrix.score(method, found, IMAGES).score, matrix.score(method, state, IMAGES).score)


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
