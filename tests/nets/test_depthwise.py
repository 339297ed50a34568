"""Both formulations of the depthwise convolution are one function, and Flax's."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from adjax.nets.depthwise import DepthwiseConv, grouped, shifted

CASES = [(3, 1, (8, 9)), (3, 2, (8, 8)), (3, 2, (7, 9)), (5, 1, (6, 6)), (5, 2, (9, 8))]


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "sides"), CASES)
def test_equals_flax(kernel, stride, sides, same):
    k_x, k_init = jax.random.split(jax.random.key(0))
    x = jax.random.normal(k_x, (2, *sides, 6))
    ours = DepthwiseConv(kernel, stride, same)
    padding = "SAME" if same else kernel // 2
    theirs = nn.Conv(6, (kernel,) * 2, stride, padding=padding, feature_group_count=6, use_bias=False)
    variables = ours.init(k_init, x)
    assert jax.tree.map(lambda v: v.shape, variables) == jax.tree.map(
        lambda v: v.shape, jax.eval_shape(theirs.init, k_init, x)
    )
    np.testing.assert_allclose(*(jax.jit(m.apply)(variables, x) for m in (ours, theirs)), atol=1e-5)
    slopes = [jax.jit(jax.grad(lambda x, m=m: (m.apply(variables, x) ** 2).sum()))(x) for m in (ours, theirs)]
    np.testing.assert_allclose(*slopes, atol=1e-4)


@pytest.mark.parametrize(("kernel", "stride", "sides"), CASES)
def test_formulations_agree_in_value_and_gradients(kernel, stride, sides):
    k_x, k_weight = jax.random.split(jax.random.key(0))
    x = jax.random.normal(k_x, (2, *sides, 6))
    weight = jax.random.normal(k_weight, (kernel, kernel, 1, 6))
    padding = ((1, 2), (kernel // 2, kernel // 2))
    results = []
    for formulation in (shifted, grouped):
        value = jax.jit(lambda x, weight, f=formulation: f(x, weight, stride, padding))
        loss = lambda x, weight, f=value: (f(x, weight) ** 3).sum()
        results.append((value(x, weight), *jax.jit(jax.grad(loss, argnums=(0, 1)))(x, weight)))
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)
