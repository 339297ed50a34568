"""The fast transposed convolution against Flax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adjax.nets.conv import DoublingConvTranspose


@pytest.mark.parametrize("kernel", [3, 4])
@pytest.mark.parametrize(("shape", "features"), [((2, 5, 8, 3), 6), ((1, 1, 1, 4), 1)])
def test_equals_flax(shape, features, kernel):
    """Same parameters, same values, same gradients by parameter and by input."""
    ours = DoublingConvTranspose(features, kernel)
    theirs = nn.ConvTranspose(features, (kernel, kernel), (2, 2), padding="SAME")
    k_x, k_init, k_bias, k_weight = jax.random.split(jax.random.key(0), 4)
    x = jax.random.normal(k_x, shape)
    variables = jax.jit(ours.init)(k_init, x)
    for mine, flax in zip(jax.tree.leaves(variables), jax.tree.leaves(jax.jit(theirs.init)(k_init, x))):
        np.testing.assert_array_equal(mine, flax)
    variables["params"]["bias"] = jax.random.normal(k_bias, (features,))
    weight = jax.random.normal(k_weight, (shape[0], 2 * shape[1], 2 * shape[2], features))

    def value_and_gradients(layer):
        loss = lambda v, x: (weight * jnp.tanh(layer.apply(v, x))).sum()
        return jax.jit(lambda v, x: (layer.apply(v, x), jax.grad(loss, argnums=(0, 1))(v, x)))(variables, x)

    results = zip(*(jax.tree.leaves(value_and_gradients(layer)) for layer in (ours, theirs)))
    for mine, flax in results:
        np.testing.assert_allclose(mine, flax, atol=1e-5)
