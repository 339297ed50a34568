"""The published parameter counts, and bilinear doubling against SciPy's interpolation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from adjax.nets.draem import Draem, doubled
from adjax.types import UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


def shapes(network, *size):
    x = jax.ShapeDtypeStruct(size, jnp.float32)
    return jax.eval_shape(network.init_with_output, jax.eval_shape(lambda: jax.random.key(0)), x)


def test_published_parameter_counts():
    _, variables = shapes(Draem(), 1, 256, 256, 3)
    counts = {k: sum(leaf.size for leaf in jax.tree.leaves(v)) for k, v in variables["params"].items()}
    assert counts == {"reconstructive": 69_048_579, "discriminative": 28_374_146}


def test_sides_are_kept_and_others_refused():
    (rebuilt, logits), _ = shapes(Draem(2, (1, 2, 2)), 2, 12, 32, 1)
    assert (rebuilt.shape, logits.shape) == ((2, 12, 32, 1), (2, 12, 32, 2))
    with pytest.raises(UserError, match="height 10 is not a multiple of 4"):
        shapes(Draem(2, (1, 2, 2)), 2, 10, 32, 1)


@pytest.mark.parametrize(("h", "w"), [(5, 8), (1, 2)])
def test_doubling_aligns_the_corners(h, w):
    x = np.random.default_rng(0).normal(size=(2, h, w, 3)).astype(np.float32)
    at = np.meshgrid(np.linspace(0, h - 1, 2 * h), np.linspace(0, w - 1, 2 * w), indexing="ij")
    wanted = np.stack([[map_coordinates(x[n, ..., c], at, order=1) for c in range(3)] for n in range(2)])
    np.testing.assert_allclose(doubled(jnp.asarray(x)), np.moveaxis(wanted, 1, -1), atol=1e-5)
