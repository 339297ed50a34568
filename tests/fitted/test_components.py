"""Principal components against scikit-learn's."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from adjax.fitted.components import components
from adjax.types import UserError

X = np.random.default_rng(0).normal(size=(200, 20)) * np.linspace(0.2, 3, 20) + 5


def test_the_leading_ones_are_scikit_learns():
    expected, found = PCA(0.9).fit(X), components(X, "leading", 0.9)
    assert len(found.axes) == expected.n_components_
    np.testing.assert_allclose(np.abs(found.axes), np.abs(expected.components_), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.spread**2, expected.explained_variance_ * 199 / 200, rtol=1e-9)
    np.testing.assert_allclose(found.mean, X.mean(0))


def test_leading_and_trailing_share_the_one_at_the_cut():
    leading, trailing, whole = (components(X, keep, 0.9).axes for keep in ("leading", "trailing", "all"))
    assert len(leading) + len(trailing) == 20 + 1
    np.testing.assert_array_equal(leading[-1], trailing[0])
    np.testing.assert_array_equal(whole, np.concatenate([leading, trailing[1:]]))


def test_few_vectors_span_few_dimensions():
    assert len(components(X[:12], "all").axes) == len(components(X[:12], "trailing", 0.0).axes) == 11
    with pytest.raises(UserError, match="no principal components of 3 vectors that are all alike"):
        components(np.ones((3, 2)))
    with pytest.raises(UserError, match="unknown components 'last'; choose from all, leading, trailing"):
        components(X, "last")
