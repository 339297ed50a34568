"""The published parameter counts, how far the sides are halved, and that the skips are connected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.nets.skip_autoencoder import SkipAutoencoder, halvings
from adjax.types import UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


@pytest.mark.parametrize(("channels", "total"), [(1, 8_734_913), (3, 8_736_515)])
def test_published_parameter_counts(channels, total):
    x = jax.ShapeDtypeStruct((1, 256, 256, channels), jnp.float32)
    params = jax.eval_shape(SkipAutoencoder().init, jax.eval_shape(lambda: jax.random.key(0)), x)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == total


@pytest.mark.parametrize(("h", "w", "levels"), [(256, 256, 6), (1024, 512, 6), (128, 192, 5), (96, 96, 4), (32, 32, 3)])
def test_halvings(h, w, levels):
    assert halvings(h, w) == levels


def test_other_sides_are_refused():
    with pytest.raises(UserError, match="width 130 is not a multiple of 32"):
        halvings(128, 130)


@pytest.mark.parametrize("skips", [True, False])
def test_with_a_dead_code_only_the_skips_carry_the_image(skips):
    network = SkipAutoencoder(width=0.125, skips=skips)
    x = jax.random.uniform(jax.random.key(0), (1, 32, 32, 1))
    variables = jax.jit(network.init)(jax.random.key(1, impl="rbg"), x)
    deepest = variables["params"]["ConvNorm_2"]
    deepest["BatchNorm_0"] = jax.tree.map(jnp.zeros_like, deepest["BatchNorm_0"])
    slope = jax.jit(jax.grad(lambda x: jnp.sum(network.apply(variables, x) ** 2)))(x)
    assert bool(np.any(slope != 0)) == skips
