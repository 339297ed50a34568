"""The entropy of addressing, by closed forms."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from adjax.losses import term_entropy


def test_one_item_has_no_entropy_and_equal_items_have_most():
    weights = jnp.stack([jnp.eye(8)[:6], jnp.full((6, 8), 1 / 8)])
    np.testing.assert_allclose(term_entropy(weights), [0, math.log(8)], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 4), (2, 2, 2, 4)])
def test_places_are_averaged_not_summed(shape):
    np.testing.assert_allclose(term_entropy(jnp.full(shape, 1 / 4)), [math.log(4)] * 2, rtol=1e-6)


def test_a_place_that_addresses_nothing_counts_as_zero():
    weights = jnp.array([[[0.5, 0.5], [0.0, 0.0]]])
    np.testing.assert_allclose(term_entropy(weights), [math.log(2) / 2], rtol=1e-6)
