"""What a set of references promises of its own images."""

import jax
import matrix
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from adjax.methods.similarity import similarity
from adjax.types import UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
SMALL = {"layers": ("stage1",)}
METHOD = similarity(**SMALL)


@pytest.fixture(scope="module")
def state():
    """Of the first 32 images."""
    state = matrix.start(METHOD)
    rows = {"image": matrix.learned()[:32], "_mask": np.ones(32, bool)}
    return jax.jit(METHOD.phases["train"].update)(state, rows, jax.random.key(0))[0]


def finished(state, number=32, **settings):
    """With the first of the references only."""
    phase = similarity(**SMALL, **settings).phases["train"]
    bank = state.bank._replace(rows=state.bank.rows[:number])
    return phase.finish(state._replace(bank=bank), jax.random.key(1))


def test_the_score_is_the_distance_to_the_nearest_references(state):
    images = matrix.normals(4, seed=3)
    vectors = np.asarray(jax.jit(METHOD.embed)(state, matrix.batch(images)), np.float64)
    distances = np.sort(cdist(vectors, np.asarray(finished(state).bank.rows, np.float64), "cosine"), 1)
    for k in (1, 3):
        found = matrix.score(similarity(**SMALL, neighbours=k), finished(state), images)
        assert found.map is None
        np.testing.assert_allclose(found.score, distances[:, :k].mean(1), rtol=1e-3, atol=1e-7)


def test_references_score_nothing_and_more_of_them_never_raise_a_score(state):
    np.testing.assert_allclose(matrix.score(METHOD, finished(state), matrix.learned()[:4]).score, 0, atol=1e-9)
    images = matrix.normals(4, seed=3)
    few, many = (matrix.score(METHOD, finished(state, n), images).score for n in (8, 32))
    assert (many <= few + 1e-9).all() and (many < few).any()


def test_calibrated_scores_are_deviations_from_what_references_have_to_each_other(state):
    rows = np.asarray(finished(state).bank.rows, np.float64)
    others = cdist(rows, rows, "cosine") + 9 * np.eye(len(rows))
    usual = np.asarray(finished(state, calibrated=True).usual)
    np.testing.assert_allclose(usual, [others.min(1).mean(), others.min(1).std()], rtol=1e-3)
    assert usual[0] > 0
    with pytest.raises(UserError, match="needs 3 references that differ; there are 2"):
        finished(state, 2, calibrated=True)


def test_an_unknown_distance_is_refused():
    with pytest.raises(UserError, match="choose from cosine, euclidean"):
        similarity(distance="manhattan")
