"""Triplets, compactness and disagreement against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np

from adjax.losses import descriptors

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(3, 12, 5)).astype(np.float32)


def test_triplets_swap_their_anchor():
    anchor, positive, negative = np.float64(X)
    squared = lambda a, b: ((a - b) ** 2).sum(1)
    away = np.minimum(squared(anchor, negative), squared(positive, negative))
    expected = np.maximum(0, 8 + squared(anchor, positive) - away)
    assert (expected == 0).any() and (away < squared(anchor, negative)).any()
    np.testing.assert_allclose(descriptors.triplet(*X, margin=8.0), expected, rtol=1e-5)


def test_correlations_are_of_components_over_patches():
    """Twelve patches of five components: the other correlation would be 12 × 12."""
    expected = np.corrcoef(X[0], rowvar=False)
    np.testing.assert_allclose(descriptors.correlation(X[0]), expected, atol=1e-5)
    np.testing.assert_allclose(descriptors.compactness(X[0]), (expected**2).sum() - 5, rtol=1e-4)
    np.testing.assert_allclose(descriptors.correlation(3 * X[0] + 7), expected, atol=1e-5)


def test_compactness_is_0_for_what_never_varies_and_highest_for_what_repeats():
    """Equal and opposite components alike: with the plain sum the opposite ones would be a gain."""
    found = jax.jit(jax.value_and_grad(descriptors.compactness))
    one = X[0, :, :1]
    for other, expected in ((2 * one, 2), (-2 * one, 2), (np.ones_like(one), 0)):
        value, slope = found(np.concatenate([one, other], axis=1))
        np.testing.assert_allclose(value, expected, atol=1e-4)
        assert np.isfinite(slope).all()


def test_disagreement_is_error_and_variance():
    answers, wanted = np.float64(DRAW.normal(size=(3, 2, 4, 4, 5))), np.float64(DRAW.normal(size=(2, 4, 4, 5)))
    mean = answers.mean(0)
    error, variance = descriptors.disagreement(*(jnp.asarray(a, jnp.float32) for a in (answers, wanted)))
    np.testing.assert_allclose(error, ((mean - wanted) ** 2).sum(-1), rtol=1e-4)
    # The paper's form: the mean of squared lengths less the squared length of the mean.
    np.testing.assert_allclose(variance, (answers**2).sum(-1).mean(0) - (mean**2).sum(-1), rtol=1e-3, atol=1e-5)
    assert variance.min() >= 0
    same = jnp.tile(jnp.asarray(wanted, jnp.float32)[None], (3, 1, 1, 1, 1))
    for found in descriptors.disagreement(same, same[0]):
        np.testing.assert_array_equal(found, 0)
