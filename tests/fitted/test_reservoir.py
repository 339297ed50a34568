"""A sample in which every vector of the stream is equally likely."""

import jax
import numpy as np

from adjax.fitted import reservoir


def test_it_is_filled_in_order_and_padding_is_left_out():
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    real = np.array([True, False, True, True, False, True])
    kept = jax.jit(reservoir.fill)(reservoir.empty(5, 2), rows, real, jax.random.key(0))
    np.testing.assert_array_equal(reservoir.contents(kept), rows[real])


def test_every_vector_is_equally_likely():
    """600 streams of 24 vectors, 6 kept: each is kept 150 ± 10.6 times."""

    def sample(key):
        kept = reservoir.empty(6, 1)
        for i, k in enumerate(jax.random.split(key, 3)):
            rows = 8.0 * i + np.arange(8, dtype=np.float32)[:, None]
            kept = reservoir.fill(kept, rows, np.ones(8, bool), k)
        return kept.rows[:, 0]

    kept = np.asarray(jax.jit(jax.vmap(sample))(jax.random.split(jax.random.key(1), 600)), int)
    assert all(len(set(row)) == 6 for row in kept)
    counts = np.bincount(kept.ravel(), minlength=24)
    assert abs(counts - 150).max() < 4.5 * 10.6
