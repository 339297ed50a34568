"""The fast strided and transposed convolutions against Flax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from adjax.nets.halving import NARROW, DoublingConvTranspose, HalvingConv, doubling_conv_transpose, halving_conv

PAIRS = {
    "halving": (HalvingConv, lambda f: nn.Conv(f, (4, 4), (2, 2), padding=1)),
    "doubling": (DoublingConvTranspose, lambda f: nn.ConvTranspose(f, (4, 4), (2, 2), padding="SAME")),
    "doubling by 3": (lambda f: DoublingConvTranspose(f, 3), lambda f: nn.ConvTranspose(f, (3, 3), (2, 2))),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("shape", "features"), [((2, 6, 8, 3), 6), ((1, 2, 2, 4), NARROW)])
def test_equals_flax(pair, shape, features):
    """Same parameters, same values, same gradients by parameter and by input, and the gradients' own gradients."""
    ours, theirs = (make(features) for make in PAIRS[pair])
    k_x, k_init, k_bias, k_weight = jax.random.split(jax.random.key(0), 4)
    x = jax.random.normal(k_x, shape)
    variables = jax.jit(ours.init)(k_init, x)
    for mine, flax in zip(jax.tree.leaves(variables), jax.tree.leaves(jax.jit(theirs.init)(k_init, x))):
        np.testing.assert_array_equal(mine, flax)
    variables["params"]["bias"] = jax.random.normal(k_bias, (features,))
    weight = jax.random.normal(k_weight, jax.eval_shape(theirs.apply, variables, x).shape)

    def value_and_gradients(layer):
        loss = lambda v, x: (weight * jnp.tanh(layer.apply(v, x))).sum()
        slope = lambda v, x: (jax.grad(loss, argnums=1)(v, x) ** 2).sum()
        everything = lambda v, x: (layer.apply(v, x), *(jax.grad(f, argnums=(0, 1))(v, x) for f in (loss, slope)))
        return jax.jit(everything)(variables, x)

    results = zip(*(jax.tree.leaves(value_and_gradients(layer)) for layer in (ours, theirs)))
    for mine, flax in results:
        np.testing.assert_allclose(mine, flax, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("convolve", [halving_conv, doubling_conv_transpose])
def test_the_gradient_dilates_no_operand(convolve):
    """That is what makes them fast: a dilated convolution multiplies zeros."""
    assert not _dilates(convolve)
    assert _dilates(lambda x, kernel: lax.conv(x, kernel, (2, 2), "SAME"))


def _dilates(convolve) -> bool:
    gradient = jax.grad(lambda x, kernel: convolve(x, kernel).sum())
    return "lhs_dilate = [2" in jax.jit(gradient).lower(jnp.zeros((1, 4, 4, 4)), jnp.zeros((4, 4, 4, 4))).as_text()
