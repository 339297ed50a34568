"""What STFPM promises: no distance where the student is the teacher, bounded maps, a teacher that never changes."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.backbones import backbone
from adjax.methods.stfpm import distance, stfpm

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
IMAGES = matrix.normals(4, seed=3)
METHOD = matrix.build(stfpm)


@functools.cache
def started():
    return matrix.start(METHOD)


@functools.cache
def score():
    return jax.jit(METHOD.score)


def maps(state):
    return np.asarray(score()(state, matrix.batch(IMAGES), None).map)


def features(rng, scale=1.0):
    return jnp.asarray(scale * rng.normal(size=(2, 3, 3, 5)), jnp.float32)


def test_a_student_that_is_the_teacher_finds_nothing():
    state = started()
    student = state.student._replace(params=state.teacher["params"], stats=state.teacher["batch_stats"])
    assert (maps(state._replace(student=student)) == 0).all()
    assert maps(state).max() > 0.01


def test_distances_are_those_of_unit_vectors():
    rng = np.random.default_rng(0)
    one, other = features(rng), features(rng)
    cosine = (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
    np.testing.assert_allclose(distance(one, other), 2 - 2 * cosine, atol=1e-5)
    np.testing.assert_allclose(distance(one, -one), 4, atol=1e-5)
    np.testing.assert_allclose(distance(one, 10 * other), distance(one, other), atol=1e-5)


def test_the_map_is_the_product_of_layers():
    """The stem's grid is half the image's, layer1's a quarter: enlarged bilinearly, multiplied, enlarged again."""
    network, state = backbone("resnet18", ("stem", "layer1"), "random"), started()
    run = jax.jit(network.apply)
    wanted = run(state.teacher, IMAGES)
    found = run({"params": state.student.params, "batch_stats": state.student.stats}, IMAGES)
    stem, layer1 = (np.asarray(distance(found[n], wanted[n])) for n in ("stem", "layer1"))
    np.testing.assert_allclose(maps(state), doubled(stem * doubled(layer1)), rtol=1e-3, atol=1e-5)


def doubled(x):
    """Twice as many pixels a side, bilinearly: each new centre lies a quarter of a pixel off an old one."""
    for axis in (1, 2):
        x = np.moveaxis(x, axis, 1)
        before, after = np.concatenate([x[:, :1], x[:, :-1]], 1), np.concatenate([x[:, 1:], x[:, -1:]], 1)
        new = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], 2)
        x = np.moveaxis(new.reshape(len(x), -1, *x.shape[2:]), 1, axis)
    return x


def test_only_the_student_learns():
    state = matrix.train(METHOD, started(), steps=4).state
    jax.tree.map(np.testing.assert_array_equal, state.teacher, started().teacher)
    moved = jax.tree.map(lambda a, b: np.any(a != b), state.student.params, started().student.params)
    assert all(jax.tree.leaves(moved)) and METHOD.shared == {"teacher"}


@pytest.mark.parametrize(("backbone", "layer"), [("vgg16", "relu1_1"), ("dino_vits16", "block1")])
def test_a_student_needs_no_batch_normalisation(backbone, layer):
    method = stfpm(tx=optax.sgd(0.01), backbone=backbone, layers=(layer,), weights="random")
    begun = matrix.start(method)
    state = matrix.train(method, begun, steps=2).state
    jax.tree.map(np.testing.assert_array_equal, state.teacher, begun.teacher)
    moved = jax.tree.map(lambda a, b: np.any(a != b), state.student.params, begun.student.params)
    assert all(jax.tree.leaves(moved)) and state.student.stats == {}
