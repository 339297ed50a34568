"""The published parameter count, and the sides it takes."""

import jax
import jax.numpy as jnp
import pytest

from adjax.nets.inpainting_unet import InpaintingUNet
from adjax.types import UserError

pytestmark = [pytest.mark.budget(30), pytest.mark.slow]  # slow until the table of methods has what it tests


def shapes(network, *size):
    x = jax.ShapeDtypeStruct(size, jnp.float32)
    return jax.eval_shape(network.init_with_output, jax.eval_shape(lambda: jax.random.key(0)), x)


def test_published_parameter_count():
    _, variables = shapes(InpaintingUNet(3), 1, 256, 256, 3)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == 28_805_699


def test_sides_are_kept_and_others_refused():
    filled, _ = shapes(InpaintingUNet(1, (4, 8, 8)), 2, 12, 32, 2)
    assert filled.shape == (2, 12, 32, 1)
    with pytest.raises(UserError, match="width 30 is not a multiple of 4"):
        shapes(InpaintingUNet(1, (4, 8, 8)), 2, 12, 30, 2)
