"""Both formulations of the depthwise convolution are one function, and Flax's."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from adjax.nets.depthwise import DepthwiseConv, grouped, shifted

CASES = [(3, 1, (8, 9)), (3, 2, (8, 8)), (3, 2, (7, 9)), (5, 1, (6, 6)), (5, 2, (9, 8))]


def value_and_slope(function, *arguments):
    """The value, and the gradients of its sum of squares by all arguments."""
    slope = jax.grad(lambda *a: (function(*a) ** 2).sum(), argnums=tuple(range(len(arguments))))
    value, slopes = jax.jit(lambda *a: (function(*a), slope(*a)))(*arguments)
    return value, *slopes


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "sides"), CASES)
def test_equals_flax(kernel, stride, sides, same):
    random = np.random.default_rng(0)
    x, weight = (random.normal(size=shape).astype(np.float32) for shape in ((2, *sides, 6), (kernel, kernel, 1, 6)))
    weight /= kernel  # so that outputs vary as the input does
    ours = DepthwiseConv(kernel, stride, same)
    padding = "SAME" if same else kernel // 2
    theirs = nn.Conv(6, (kernel,) * 2, stride, padding=padding, feature_group_count=6, use_bias=False)
    shapes = [jax.eval_shape(m.init, jax.eval_shape(lambda: jax.random.key(0)), x) for m in (ours, theirs)]
    assert shapes[0] == shapes[1]
    found, expected = (
        value_and_slope(lambda x, m=m: m.apply({"params": {"kernel": weight}}, x), x) for m in (ours, theirs)
    )
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-4)


@pytest.mark.parametrize(("kernel", "stride", "sides"), CASES)
def test_formulations_agree_in_value_and_gradients(kernel, stride, sides):
    random = np.random.default_rng(0)
    both = [random.normal(size=shape).astype(np.float32) for shape in ((2, *sides, 6), (kernel, kernel, 1, 6))]
    padding = ((1, 2), (kernel // 2, kernel // 2))
    results = (value_and_slope(lambda x, weight, f=f: f(x, weight, stride, padding), *both) for f in (shifted, grouped))
    for a, b in zip(*results):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)
