"""Centres as good as scikit-learn's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans

from adjax.fitted import kmeans as module
from adjax.types import UserError

DRAW = np.random.default_rng(0)
BLOBS = (100 + 20 * DRAW.normal(size=(8, 1, 3)) + DRAW.normal(size=(8, 40, 3))).reshape(-1, 3).astype(np.float32)
CLOUD = DRAW.normal(size=(300, 4)).astype(np.float32)


def inertia(points, centres) -> float:
    return ((points[:, None].astype(np.float64) - np.asarray(centres)[None]) ** 2).sum(-1).min(1).sum()


@pytest.mark.parametrize(("points", "slack"), [(BLOBS, 1e-4), (CLOUD, 0.03)], ids=["blobs", "cloud"])
def test_the_centres_are_as_good_as_scikit_learns(points, slack):
    centres = module.kmeans(jnp.asarray(points), 8, jax.random.key(0), restarts=5)
    assert inertia(points, centres) <= (1 + slack) * KMeans(8, n_init=5, random_state=0).fit(points).inertia_
    owner = np.asarray(jax.jit(module.assigned)(points, centres))
    means = np.stack([points[owner == i].mean(0, dtype=np.float64) for i in range(8)])
    np.testing.assert_allclose(centres, means, rtol=1e-4, atol=1e-4)  # it ended where Lloyd's iteration rests


def test_starts_are_drawn_by_squared_distance():
    """Of three places, one far away, the second centre is the far one nearly always, and never the first again."""
    points = jnp.array([[0.0], [1.0], [10.0]]).repeat(20, 0)
    pairs = jax.jit(jax.vmap(lambda key: module.start(points, 2, key)[:, 0]))(jax.random.split(jax.random.key(0), 300))
    first, second = np.asarray(pairs).T
    assert (first != second).all()
    assert 0.98 < (second[first == 0] == 10).mean() < 1.0  # 100 : 1


def test_medoids_are_the_nearest_points():
    chosen = jax.jit(module.medoids)(BLOBS, BLOBS[[7, 300]] + np.float32(0.01))
    np.testing.assert_array_equal(chosen, [7, 300])


def test_more_means_than_points_are_refused():
    with pytest.raises(UserError, match="4 means of 3 points"):
        module.kmeans(jnp.zeros((3, 2)), 4, jax.random.key(0))
