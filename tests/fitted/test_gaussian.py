"""Moments from batches against NumPy's, and what Mahalanobis distances must do."""

import functools

import jax
import numpy as np

from adjax.fitted import gaussian

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
    few = X[:3].astype(np.float64)
    moments = gaussian.merge(gaussian.empty(PLACES, D), X[:3], np.ones((3, PLACES), np.float32))
    expected = []
    for place in range(PLACES):
        inverse = np.linalg.inv(np.cov(few[:, place].T) + 0.01 * np.eye(D))
        offset = X[5, place] - few[:, place].mean(0)
        expected.append(np.sqrt(offset @ inverse @ offset))
    np.testing.assert_allclose(distances(moments, X[5:6], 0.01)[0], expected, rtol=1e-3)
