"""Moments from batches against NumPy's, and what Mahalanobis distances must do."""

import functools

import jax
import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from adjax.fitted import gaussian
from adjax.fitted.components import components
from adjax.types import UserError

DRAW = np.random.default_rng(0)
PLACES, D, N = 3, 5, 40
MIX = DRAW.normal(size=(D, D))
X = (DRAW.normal(size=(N, PLACES, D)) @ MIX + 100).astype(np.float32)  # far from 0: raw sums of squares would lose it


@functools.cache
def fitted():
    """In batches of 8, with a row of padding in each."""
    moments = gaussian.empty(PLACES, D)
    merge = jax.jit(gaussian.merge)
    for start in range(0, N, 8):
        rows = np.concatenate([X[start : start + 8], np.full((1, PLACES, D), 1e3, np.float32)])
        moments = merge(moments, rows, np.repeat(np.arange(9) < 8, PLACES).reshape(9, PLACES).astype(np.float32))
    return moments


def distances(moments, x, epsilon):
    whiten = gaussian.whitening(moments, epsilon)
    return np.asarray(jax.jit(gaussian.mahalanobis)(x, moments.mean, whiten))


def test_the_moments_are_those_of_all_rows():
    moments = fitted()
    np.testing.assert_array_equal(moments.count, N)
    np.testing.assert_allclose(moments.mean, X.mean(0, dtype=np.float64), rtol=1e-6)
    for place in range(PLACES):
        covariance = np.cov(X[:, place].T.astype(np.float64))
        np.testing.assert_allclose(moments.scatter[place] / (N - 1), covariance, rtol=1e-3, atol=1e-4)


def test_the_mean_square_of_training_distances_is_known():
    """d (N - 1) / N of the unbiased covariance without regularisation."""
    np.testing.assert_allclose((distances(fitted(), X, 0.0) ** 2).mean(0), D * (N - 1) / N, rtol=1e-3)


def test_unit_covariance_gives_euclidean_distances():
    moments = fitted()._replace(scatter=np.tile(np.eye(D) * (N - 1), (PLACES, 1, 1)))
    expected = np.linalg.norm(X - np.asarray(moments.mean), axis=-1)
    np.testing.assert_allclose(distances(moments, X, 0.0), expected, rtol=1e-5)


def test_fewer_rows_than_dimensions_need_epsilon_alone():
    three = X[:3].astype(np.float64)
    moments = gaussian.merge(gaussian.empty(PLACES, D), X[:3], np.ones((3, PLACES), np.float32))
    expected = []
    for place in range(PLACES):
        inverse = np.linalg.inv(np.cov(three[:, place].T) + 0.01 * np.eye(D))
        offset = X[5, place] - three[:, place].mean(0)
        expected.append(np.sqrt(offset @ inverse @ offset))
    np.testing.assert_allclose(distances(moments, X[5:6], 0.01)[0], expected, rtol=1e-3)


def few(n=12, d=20):
    """Fewer vectors than dimensions, of unequal variance."""
    return DRAW.normal(size=(n, d)) * np.linspace(0.2, 3, d) + 5


@pytest.mark.parametrize("x", [few(), few(200), few(3)], ids=["few", "many", "three"])
def test_the_shrinkage_is_scikit_learns(x):
    expected = LedoitWolf().fit(x)
    covariance, shrinkage = gaussian.ledoit_wolf(x)
    np.testing.assert_allclose(shrinkage, expected.shrinkage_, rtol=1e-6)
    np.testing.assert_allclose(covariance, expected.covariance_, rtol=1e-6, atol=1e-12)


def test_full_shrinkage_leaves_the_distance_to_the_mean(monkeypatch):
    x, whole = few(), gaussian.ledoit_wolf
    monkeypatch.setattr(gaussian, "ledoit_wolf", lambda x: (np.eye(x.shape[1]) * np.trace(whole(x)[0]) / x.shape[1], 1))
    found = np.linalg.norm((x - x.mean(0)) @ gaussian.shrunk_whitening(x).T, axis=1)
    np.testing.assert_array_equal(found.argsort(), np.linalg.norm(x - x.mean(0), axis=1).argsort())


def test_what_was_left_out_is_farther():
    x = few()
    inside = np.linalg.norm((x - x.mean(0)) @ gaussian.shrunk_whitening(x).T, axis=1)
    for i in range(len(x)):
        others = np.delete(x, i, 0)
        assert np.linalg.norm(gaussian.shrunk_whitening(others) @ (x[i] - others.mean(0))) > inside[i]


def test_components_give_the_distance_within_what_they_span():
    x = few(200)
    whitening = gaussian.shrunk_whitening(x, "trailing", 0.9)
    axes = components(x, "trailing", 0.9).axes
    assert whitening.shape == axes.shape
    np.testing.assert_allclose(whitening @ axes.T @ axes, whitening, atol=1e-6)


@pytest.mark.parametrize("x", [np.ones((4, 2)), few(2)], ids=["alike", "two"])
def test_too_little_to_learn_from_is_refused(x):
    with pytest.raises(UserError, match=f"needs 3 images that differ; {len(x)} were learned from"):
        gaussian.shrunk_whitening(x)
