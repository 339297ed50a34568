"""What PatchCore promises of its own training images, and its two conventions of scores."""

import functools

import jax
import matrix
import numpy as np
import pytest

from adjax import backbones
from adjax.config import base, make_method
from adjax.methods.patchcore import patchcore, weight
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it
IMAGES = matrix.normals(4, seed=3)


@functools.cache
def whole():
    """A bank of all patches of the images: two batches, of which the second repeats the first, padded by a row."""
    method = patchcore(layers=("stage2",), ratio=1.0)
    rows = dict(matrix.batch(np.concatenate([IMAGES, IMAGES[:1] + 0.5])))
    rows["_mask"] = np.arange(5) < 4
    info = Info({"train": 4}, {"train": 2}, 5)
    state = jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    update = jax.jit(method.phases["train"].update)
    for step in range(2):
        state, scalars = update(state, rows, jax.random.key(step))
    assert scalars["patches"] == 4 * 64  # padding and the second pass add nothing
    return method.phases["train"].finish(state, jax.random.key(2))


def test_training_images_of_a_whole_bank_score_nothing():
    prediction = matrix.score(patchcore(layers=("stage2",)), whole(), IMAGES)
    np.testing.assert_allclose(prediction.score, 0, atol=1e-4)
    np.testing.assert_allclose(prediction.map, 0, atol=1e-4)


def test_squared_scores_are_the_squares_of_distances():
    images = matrix.planted(IMAGES, seed=1)[0]
    plain, squared = (
        matrix.score(patchcore(layers=("stage2",), score=how), whole(), images) for how in ("distance", "squared")
    )
    assert (plain.score > 1).all()
    np.testing.assert_allclose(squared.score, plain.score**2, rtol=1e-5)


def test_the_weight_is_the_papers():
    """Equation 7, written out for one patch and the three neighbours of its match."""
    bank = np.array([[0, 0], [1, 0], [0, 3], [9, 9]], np.float32)
    patch = np.array([[-1, 0]], np.float32)
    d = np.exp([1, 2, 10**0.5])
    (found,) = weight(patch, bank, np.array([0]), 3)
    np.testing.assert_allclose(found, 1 - d[0] / d.sum(), rtol=1e-6)
    np.testing.assert_allclose(weight(1e3 * patch, 1e3 * bank, np.array([0]), 3), 1, atol=1e-6)  # no overflow


def test_what_cannot_be_combined_is_refused():
    with pytest.raises(UserError, match="set config.score.rule to max, not mean"):
        patchcore(reweight=9, rule="mean")
    with pytest.raises(UserError, match="choose from distance, squared"):
        patchcore(score="cosine")


def test_a_checkpoint_needs_no_file_of_weights(monkeypatch):
    """It holds the backbone's: a machine that only scores need not have the package."""

    def missing(*_):
        raise UserError("no weights here")

    monkeypatch.setattr(backbones, "find", missing)
    config = base()
    config.method = {"name": "patchcore", "layers": ("stage2",)}
    info = Info({"train": 4}, {"train": 2}, 2)
    init = lambda restored: jax.eval_shape(
        lambda key: make_method(config, info, restored=restored).init(key, matrix.batch(IMAGES), info),
        jax.random.key(0),
    )
    assert init(True).bank.rows.shape[0] == 4 * 64
    with pytest.raises(UserError, match="no weights here"):
        init(False)
