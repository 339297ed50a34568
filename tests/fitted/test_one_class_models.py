"""Compiled scores of what scikit-learn fits, beside scikit-learn's own.

Axes: n vectors, d dimensions.
"""

import jax
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from adjax.fitted import forest, kde, lof, standard, svm
from adjax.types import UserError

N, D = 60, 8
RANDOM = np.random.default_rng(0)
LEARNED = RANDOM.standard_normal((N, D)).astype(np.float32)
NEW = (RANDOM.standard_normal((40, D)) * np.linspace(0.2, 4, 40)[:, None]).astype(np.float32)
FAR = LEARNED[:1] + np.array([[40.0], [50.0], [60.0]], np.float32)


def scored(model, fitted, x):
    return np.asarray(jax.jit(model.score)(fitted, x))


def test_the_svm_is_scikit_learns_in_logarithms():
    """And it still ranks what is so far away that scikit-learn's decision is -rho for all of it."""
    reference = OneClassSVM().fit(LEARNED)
    fitted = svm.fit(LEARNED)
    rho = -reference.intercept_[0]
    found = scored(svm, fitted, NEW).astype(np.float64)
    np.testing.assert_allclose(rho * np.exp(-found), rho + reference.decision_function(NEW), rtol=1e-5)
    assert (np.sign(-found) == np.sign(reference.decision_function(NEW))).all()
    assert len(np.unique(reference.decision_function(FAR))) == 1
    assert (np.diff(scored(svm, fitted, FAR)) > 1).all()


@pytest.mark.parametrize("nu", [0.1, 0.5])
def test_nu_bounds_the_share_of_outliers_from_above_and_of_support_vectors_from_below(nu):
    fitted = svm.fit(LEARNED, nu=nu)
    outliers = (scored(svm, fitted, LEARNED) > 0.01).mean()  # libsvm ends within 0.001 of the margin
    assert outliers - 1 / N <= nu <= len(fitted.vectors) / N
    np.testing.assert_allclose(np.exp(fitted.log_weights).sum(), nu * N, rtol=1e-3)


def test_a_wide_kernel_ranks_by_the_distance_from_the_middle():
    fitted = svm.fit(LEARNED)._replace(gamma=np.float32(1e-4))
    weights, vectors = np.exp(fitted.log_weights), np.asarray(fitted.vectors)
    distances = np.linalg.norm(NEW - weights @ vectors / weights.sum(), axis=1)
    assert np.corrcoef(scored(svm, fitted, NEW), distances**2)[0, 1] > 0.9999


def test_the_forest_is_scikit_learns():
    reference = IsolationForest(n_estimators=20, random_state=3).fit(LEARNED)
    fitted = forest.fit(LEARNED, trees=20, seed=3)
    for x in (NEW, LEARNED):
        np.testing.assert_allclose(scored(forest, fitted, x), -reference.score_samples(x), rtol=1e-5)


def test_a_threshold_in_f32_changes_no_side():
    x = RANDOM.standard_normal(1000).astype(np.float32)
    for other in (np.float32(np.inf), np.float32(-np.inf)):
        between = (x.astype(np.float64) + np.nextafter(x, other)) / 2
        assert ((x <= forest.rounded_down(between)) == (x <= between)).all()
        assert ((np.nextafter(x, other) <= forest.rounded_down(between)) == (np.nextafter(x, other) <= between)).all()


def test_equal_vectors_score_a_half():
    fitted = forest.fit(np.ones((16, 2), np.float32), trees=5)
    np.testing.assert_allclose(scored(forest, fitted, NEW[:, :2]), 0.5, rtol=1e-6)


@pytest.mark.parametrize("bandwidth", ["scott", "silverman", 0.3])
def test_the_density_is_scikit_learns(bandwidth):
    reference = KernelDensity(bandwidth=bandwidth).fit(LEARNED)
    fitted = kde.fit(LEARNED, bandwidth=bandwidth)
    np.testing.assert_allclose(scored(kde, fitted, NEW), -reference.score_samples(NEW), rtol=1e-5)


def test_the_density_integrates_to_one():
    grid = np.linspace(-8, 8, 1601, dtype=np.float32)[:, None]
    density = np.exp(-scored(kde, kde.fit(LEARNED[:, :1]), grid))
    np.testing.assert_allclose(density.sum() * 0.01, 1, atol=1e-4)


def test_the_bandwidth_leads_from_the_nearest_neighbour_to_the_middle():
    distances = np.linalg.norm(NEW[:, None] - LEARNED, axis=2)
    narrow, wide = (scored(kde, kde.fit(LEARNED, bandwidth=width), NEW) for width in (0.02, 1e2))
    assert (np.argsort(narrow) == np.argsort(distances.min(1))).all()
    middle = np.linalg.norm(NEW - LEARNED.mean(0), axis=1)
    assert np.corrcoef(wide, middle**2)[0, 1] > 0.99


def test_an_unknown_bandwidth_names_the_choices():
    with pytest.raises(UserError, match="unknown bandwidth 'wide'; choose from scott, silverman"):
        kde.check("wide")
    with pytest.raises(UserError, match="not above 0"):
        kde.check(0.0)


def test_the_local_outlier_factor_is_scikit_learns():
    """With vectors that occur twice."""
    learned = np.concatenate([LEARNED, LEARNED[:5]])
    reference = LocalOutlierFactor(n_neighbors=7, novelty=True).fit(learned)
    fitted = lof.fit(learned, neighbours=7)
    found = np.asarray(jax.jit(lambda x: lof.score(fitted, x, neighbours=7))(NEW))
    np.testing.assert_allclose(found, -reference.score_samples(NEW), rtol=1e-5)


def test_within_a_grid_the_local_outlier_factor_is_one_at_any_scale_and_turn():
    grid = np.stack(np.meshgrid(np.arange(11.0), np.arange(11.0)), -1).reshape(-1, 2).astype(np.float32)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
    middle, edge = grid[60:61] + 0.5, grid[:1] - 3
    found = []
    for change in (np.eye(2, dtype=np.float32), 7 * turn):
        fitted = lof.fit(grid @ change, neighbours=4)
        found.append([np.asarray(lof.score(fitted, x @ change, neighbours=4))[0] for x in (middle, edge)])
    np.testing.assert_allclose(found[0][0], 1, rtol=1e-5)
    assert found[0][1] > 2
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4)


def test_one_vector_has_no_neighbours():
    with pytest.raises(UserError, match="two images"):
        lof.fit(LEARNED[:1])


def test_standardised_features_are_scikit_learns():
    """A dimension that never varies stays as it is."""
    x = LEARNED * np.arange(1, D + 1) + 5
    x[:, 2] = 3
    found = np.asarray(standard.apply(standard.fit(x), NEW))
    np.testing.assert_allclose(found, StandardScaler().fit(x).transform(NEW), rtol=1e-4, atol=1e-5)


def test_whitened_components_are_uncorrelated_and_no_more_than_there_are():
    x = (LEARNED[:, :3] @ RANDOM.standard_normal((3, D))).astype(np.float32)
    for components, kept in ((2, 2), (6, 3)):
        z = np.asarray(standard.apply(standard.fit(x, components), x), np.float64)
        np.testing.assert_allclose(np.cov(z.T, bias=True), np.eye(kept), atol=1e-3)
    with pytest.raises(UserError, match="all alike"):
        standard.fit(np.ones((4, 3)), 2)
