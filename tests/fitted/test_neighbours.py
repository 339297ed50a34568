"""Nearest neighbours against SciPy's distances in float64."""

import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from adjax.fitted.neighbours import highest, nearest, recall, unit
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


def test_the_highest_of_long_rows_are_those_of_all():
    """Also where some are equal, and where the groups do not come out even."""
    likeness = np.random.default_rng(0).integers(0, 40, (8, 333)).astype(np.float32)
    found = np.take_along_axis(likeness, np.asarray(jax.jit(highest, static_argnums=1)(likeness, 5)), 1)
    np.testing.assert_array_equal(found, -np.sort(-likeness, axis=1)[:, :5])


def test_too_many_neighbours_are_refused():
    with pytest.raises(UserError, match="4 nearest neighbours in a bank of 3"):
        nearest(np.zeros((2, 2), np.float32), np.zeros((3, 2), np.float32), 4)


def test_the_recall_of_approximate_search_is_what_was_asked_for():
    draw = np.random.default_rng(0)
    queries, bank = (draw.normal(size=(n, 16)).astype(np.float32) for n in (64, 2000))
    found = jax.jit(recall, static_argnums=(2, 3))(queries, bank, 3, 0.9)
    assert 0.9 <= found <= 1
    distances, indices = jax.jit(lambda q, b: nearest(q, b, 3, approximate=0.9))(queries, bank)
    offsets = queries[:, None] - bank[np.asarray(indices)]
    np.testing.assert_allclose(distances, np.linalg.norm(offsets, axis=-1), rtol=1e-5)
    with pytest.raises(UserError, match="approximate=1.0 is no recall"):
        nearest(queries, bank, approximate=1.0)


def test_unit_vectors_measure_cosines():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    u = np.asarray(unit(np.concatenate([x, np.zeros((1, 3), np.float32)])))
    np.testing.assert_allclose(((u[:5, None] - u[None, :5]) ** 2).sum(-1) / 2, cdist(x, x, "cosine"), atol=1e-6)
    assert (u[5] == 0).all()
