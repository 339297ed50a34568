"""What EfficientAD promises of its hardest errors, its calibration, its channels, and of a teacher from a file."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.backbones import distilled
from adjax.backbones.convert import to_published
from adjax.config import base, steps
from adjax.methods.efficient_ad import efficient_ad, hardest
from adjax.nets.pdn import LAYERS, PDN
from adjax.optim import optimizer
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
IMAGES = matrix.normals(4, seed=3)
METHOD = matrix.build(efficient_ad)
TEACHER = PDN(LAYERS["pdn_small"], 12, True, 1 / 32)


@functools.cache
def calibrated():
    """Untrained: channels and maps of four images, which come twice, the second time beside padding."""
    rows = dict(matrix.batch(np.concatenate([IMAGES, IMAGES[:1] + 0.5])))
    rows["_mask"] = jnp.arange(5) < 4
    info = Info({"train": 4, "calibration": 4}, {}, 5)
    key = jax.random.key(0, impl="rbg")
    state = jax.jit(lambda k: METHOD.init(k, rows, info))(key)
    for name in ("teacher", "calibration"):
        update = jax.jit(METHOD.phases[name].update)
        for step in range(2):
            state, scalars = update(state, rows, jax.random.key(step))
        assert scalars["patches"] == 4 * 64
        maps = state.maps.rows
        state = METHOD.phases[name].finish(state, jax.random.key(2))
    return state, maps


def test_the_hardest_errors_are_those_from_the_quantile_on():
    errors = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 5, 5, 40)), jnp.float32)
    np.testing.assert_allclose(hardest(errors, 0.0), errors.mean((1, 2, 3)), rtol=1e-6)
    for share, number in ((0.999, 1), (0.9, 100)):
        each = np.asarray(errors).reshape(2, -1)
        kept = each >= np.quantile(each, share, axis=1, keepdims=True)
        assert kept.sum(1).tolist() == [number, number]
        np.testing.assert_allclose(hardest(errors, share), (each * kept).sum(1) / number, rtol=1e-6)
        assert np.count_nonzero(jax.jit(jax.grad(lambda e: hardest(e, share).sum()))(errors)) == 2 * number  # noqa: B023


def test_calibration_maps_have_their_quantiles_at_0_and_a_tenth():
    """Of both kinds of map; the finished rows are the quantiles, by which any map is rescaled."""
    state, maps = calibrated()
    low, high = np.asarray(state.maps.rows)
    rescaled = 0.1 * (np.asarray(maps) - low) / (high - low)
    np.testing.assert_allclose(np.quantile(rescaled, [0.9, 0.995], axis=0), [[0, 0], [0.1, 0.1]], atol=1e-5)
    prediction = jax.jit(METHOD.score)(state, matrix.batch(IMAGES), None)
    expected = rescaled.mean(1).reshape(4, 8, 8)
    means = np.asarray(jax.image.resize(jnp.asarray(expected, jnp.float32), (4, 32, 32), "bilinear"))
    np.testing.assert_allclose(prediction.map, means, atol=1e-4)


def test_the_teachers_channels_are_standardised_over_the_training_images():
    state, _ = calibrated()
    image = (jnp.repeat(IMAGES, 3, -1) - jnp.array([[[[0.485, 0.456, 0.406]]]])) / jnp.array(
        [[[[0.229, 0.224, 0.225]]]]
    )
    features = np.asarray(jax.jit(TEACHER.apply)(state.teacher, image)).reshape(-1, 12)
    count, mean, scatter = state.moments
    np.testing.assert_allclose(mean[:, 0], features.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scatter[:, 0, 0] / count, features.var(0), rtol=1e-3)


def test_a_teacher_comes_from_a_file_or_the_error_says_how_to_make_one(tmp_path):
    image = jax.ShapeDtypeStruct((1, 72, 72, 3), jnp.float32)
    like = jax.eval_shape(lambda image: TEACHER.init(jax.random.key(0), image), image)["params"]
    rng = np.random.default_rng(0)
    values = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), like)
    published = to_published({"params": values}, distilled.RULES)
    np.savez(tmp_path / "teacher.npz", **published)
    found = distilled.teacher("pdn_small", TEACHER, str(tmp_path / "teacher.npz"))
    jax.tree.map(np.testing.assert_array_equal, found["params"], values)
    assert sorted(published)[::2] == ["0.bias", "3.bias", "6.bias", "8.bias"]
    with pytest.raises(UserError, match="experiments.distill_teacher.run --network=pdn_small"):
        distilled.teacher("pdn_small", TEACHER, None)


def test_what_is_missing_is_said():
    with pytest.raises(UserError, match="set config.data.calibration"):
        METHOD.init(jax.random.key(0), matrix.batch(IMAGES), Info({"train": 4, "calibration": 0}, {}, 4))
    with pytest.raises(UserError, match="choose from pdn_small, pdn_medium"):
        efficient_ad(tx=optax.sgd(0.0), network="pdn_large")
    assert METHOD.needs == {"penalty"} and efficient_ad(tx=optax.sgd(0.0), penalty=0.0).needs == frozenset()


def test_the_recipe_passes_once_over_each_split_and_drops_the_rate_at_the_end():
    config = base()
    config.fit.update(steps={"teacher": 0, "train": 7, "calibration": 0}, batch_size=4)
    assert steps(config, {"train": 90, "calibration": 10}) == {"teacher": 23, "train": 7, "calibration": 3}
    tx = optimizer(steps=100, name="sgd", learning_rate=1.0, schedule="drop", momentum=0.0)
    state, moved = tx.init(jnp.zeros(())), []
    with jax.numpy_dtype_promotion("standard"):  # as in every update
        for _ in range(100):
            update, state = tx.update(jnp.ones(()), state)
            moved.append(float(update))
    np.testing.assert_allclose(moved, [-1.0] * 95 + [-0.1] * 5, rtol=1e-5)
