"""Nearest neighbours against SciPy's distances in float64."""

import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from adjax.fitted.neighbours import nearest
from adjax.types import UserError


@pytest.mark.parametrize(("k", "largest", "offset"), [(1, 2**25, 0.0), (5, 700, 0.0), (3, 2**25, 1000.0)])
def test_the_nearest_are_scipys(k, largest, offset):
    """Also in chunks that do not come out even, and far from the origin, where |a|² drowns the distances."""
    draw = np.random.default_rng(k)
    bank = (draw.normal(size=(300, 24)) + offset).astype(np.float32)
    queries = np.concatenate([draw.normal(size=(15, 24)) + offset, bank[:2]]).astype(np.float32)
    distances, indices = jax.jit(nearest, static_argnums=2, static_argnames="largest")(
        queries, bank, k, largest=largest
    )
    expected = cdist(queries.astype(np.float64), bank.astype(np.float64))
    np.testing.assert_array_equal(indices, expected.argsort(1)[:, :k])
    np.testing.assert_allclose(distances, np.sort(expected, 1)[:, :k], rtol=2e-6, atol=1e-6 if not offset else 1e-4)
    assert (distances[-2:, 0] == 0).all()


def test_outlying_queries_keep_their_digits():
    """The bank's mean does not help here: two of its vectors are alike and far from the others."""
    bank = np.zeros((100, 8), np.float32)
    bank[0], bank[1] = 4096, 4096.25
    distances, indices = jax.jit(nearest)(bank[:2] + np.float32(0.0625), bank)
    np.testing.assert_array_equal(indices[:, 0], [0, 1])
    np.testing.assert_allclose(distances[:, 0], 0.0625 * 8**0.5, rtol=1e-6)


def test_no_more_distances_than_allowed_are_held():
    lowered = jax.jit(nearest, static_argnums=2, static_argnames="largest").lower(
        jax.ShapeDtypeStruct((4000, 8), np.float32), jax.ShapeDtypeStruct((5000, 8), np.float32), 1, largest=50_000
    )
    assert "4000x5000" not in lowered.as_text() and "10x5000" in lowered.as_text()


def test_too_many_neighbours_are_refused():
    with pytest.raises(UserError, match="4 nearest neighbours in a bank of 3"):
        nearest(np.zeros((2, 2), np.float32), np.zeros((3, 2), np.float32), 4)
