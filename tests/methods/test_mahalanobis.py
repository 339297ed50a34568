"""What Gaussians of whole images' features must do, level by level."""

import jax
import matrix
import numpy as np
import pytest

from adjax.methods.mahalanobis import mahalanobis
from adjax.types import UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
LAYERS = ("stage1", "stage2")
METHOD = mahalanobis(layers=LAYERS)


@pytest.fixture(scope="module")
def state():
    return matrix.train(METHOD, steps=8).state


def test_the_score_is_the_sum_of_the_levels_distances(state):
    images = matrix.normals(4, seed=3)
    features = np.asarray(jax.jit(METHOD.embed)(state, matrix.batch(images)))
    found, ends = 0, [0, 16, 40]
    for layer, start, end in zip(LAYERS, ends, ends[1:]):
        whitening = np.asarray(state.whitening[layer], np.float64)
        offset = features[:, start:end] - np.asarray(state.mean)[start:end]
        found += np.sqrt(np.einsum("bd,de,be->b", offset, whitening.T @ whitening, offset))
    prediction = matrix.score(METHOD, state, images)
    assert prediction.map is None
    np.testing.assert_allclose(prediction.score, found, rtol=1e-4)


def test_it_keeps_nothing_but_the_gaussians(state):
    assert state.bank.rows.shape == (1, 40) and state.bank.seen == 128


def test_pixels_that_count_nowhere_change_nothing(state):
    rows = dict(matrix.batch(matrix.normals(2, seed=5)))
    rows["_ignore"] = np.zeros((2, 32, 32), bool)
    rows["_ignore"][:, :16] = True
    network = jax.jit(METHOD.embed)
    hidden = network(state, rows)
    assert not np.allclose(hidden, network(state, {**rows, "_ignore": np.zeros((2, 32, 32), bool)}), rtol=1e-3)


def test_an_unknown_choice_is_refused():
    with pytest.raises(UserError, match="unknown keep 'last' of mahalanobis; choose from all, leading, trailing"):
        mahalanobis(keep="last")
