"""Partial convolution against its definition, pixel by pixel in NumPy, and what follows from the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adjax.nets.partial import PartialConv, PartialUNet

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


def slow(x, mask, kernel, bias, stride):
    """W·(x ⊙ m) · (window size / Σm) + b where Σm > 0, else 0; masks count per channel, and are 1 beyond the border."""
    k, features = kernel.shape[0], kernel.shape[-1]
    pad = k // 2
    b, h, w, c = x.shape
    mask = np.broadcast_to(mask, x.shape)
    around = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    x, mask = (np.pad(a.astype(np.float64), around, constant_values=v) for a, v in ((x, 0), (mask, 1)))
    rows, columns = range(0, h, stride), range(0, w, stride)
    y, known = np.zeros((b, len(rows), len(columns), features)), np.zeros((b, len(rows), len(columns), 1))
    for n in range(b):
        for i, r in enumerate(rows):
            for j, s in enumerate(columns):
                m = mask[n, r : r + k, s : s + k]
                if m.sum() > 0:
                    window = x[n, r : r + k, s : s + k] * m
                    y[n, i, j] = np.einsum("ijc,ijcf->f", window, kernel) * (k * k * c / m.sum()) + bias
                    known[n, i, j] = 1
    return y, known


def layer(kernel, stride, x, mask, seed=0):
    module = PartialConv(4, kernel, stride)
    k_init, k_bias = jax.random.split(jax.random.key(seed, impl="rbg"))
    variables = jax.jit(module.init)(k_init, x, mask)
    variables["params"]["bias"] = jax.random.normal(k_bias, (4,))
    return jax.jit(module.apply), variables


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 2), (7, 2)])
@pytest.mark.parametrize("channels", [1, 3], ids=["one mask", "a mask per channel"])
def test_equals_the_definition(kernel, stride, channels):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 12, 10, 3)).astype(np.float32)
    mask = (random.uniform(size=(2, 12, 10, channels)) < 0.4).astype(np.float32)
    mask[0, 2:11, 1:9] = 0  # wider than the largest kernel
    apply, variables = layer(kernel, stride, x, mask)
    weight, bias = variables["params"]["Conv_0"]["kernel"], variables["params"]["bias"]
    wanted, wanted_mask = slow(x, mask, np.asarray(weight), np.asarray(bias), stride)
    y, known = apply(variables, x, mask)
    np.testing.assert_allclose(y, wanted, atol=1e-4, rtol=1e-4)
    np.testing.assert_array_equal(known, wanted_mask)
    assert known.min() == 0


def test_without_holes_it_is_the_ordinary_convolution():
    x = np.random.default_rng(0).normal(size=(1, 9, 9, 2)).astype(np.float32)
    apply, variables = layer(3, 1, x, np.ones_like(x))
    y, _ = apply(variables, x, np.ones_like(x))
    params = {"kernel": variables["params"]["Conv_0"]["kernel"], "bias": variables["params"]["bias"]}
    ordinary = jax.jit(nn.Conv(4, (3, 3), padding=1).apply)({"params": params}, x)
    np.testing.assert_allclose(y, ordinary, atol=1e-5)


def test_what_lies_in_the_hole_has_no_effect_even_if_it_is_not_finite():
    random = np.random.default_rng(0)
    x, mask = random.normal(size=(1, 9, 9, 2)).astype(np.float32), np.ones((1, 9, 9, 1), np.float32)
    mask[:, 3:6, 2:7] = 0
    apply, variables = layer(3, 1, x, mask)
    np.testing.assert_array_equal(
        apply(variables, np.where(mask > 0, x, np.nan), mask)[0], apply(variables, x, mask)[0]
    )


def test_a_mean_of_a_constant_is_the_constant_however_little_is_known():
    x = np.full((1, 8, 8, 1), 0.7, np.float32)
    mask = (np.random.default_rng(0).uniform(size=x.shape) < 0.3).astype(np.float32)
    apply, _ = layer(3, 1, x, mask)
    mean = {"Conv_0": {"kernel": jnp.full((3, 3, 1, 4), 1 / 9)}, "bias": jnp.zeros(4)}
    y, known = apply({"params": mean}, x, mask)
    wanted = 0.7 * np.broadcast_to(known, y.shape)
    np.testing.assert_allclose(y[:, 1:-1, 1:-1], wanted[:, 1:-1, 1:-1], rtol=1e-5)  # zeros lie beyond the border


@pytest.mark.parametrize(("side", "layers"), [(4, 2), (5, 2), (6, 3), (7, 3)])
def test_a_hole_is_closed_after_half_its_side_in_layers(side, layers):
    """3x3 layers eat one pixel from each side: s <= 2 L."""
    x, mask = np.ones((1, 15, 15, 4), np.float32), np.ones((1, 15, 15, 1), np.float32)
    mask[:, 4 : 4 + side, 4 : 4 + side] = 0
    apply, variables = layer(3, 1, x, mask)
    for _ in range(layers):
        _, mask = apply(variables, x, mask)
    assert (mask.min() == 1) == (side <= 2 * layers)


def test_the_network_fills_without_looking_into_the_hole():
    network = PartialUNet((4, 8, 8))
    x = jax.random.uniform(jax.random.key(0), (2, 32, 16, 1))
    mask = jnp.ones((2, 32, 16, 1)).at[:, 10:20, 4:12].set(0.0)
    variables = jax.jit(network.init)(jax.random.key(1, impl="rbg"), x, mask)
    apply = jax.jit(network.apply)
    filled = apply(variables, x, mask)
    assert filled.shape == x.shape
    np.testing.assert_array_equal(apply(variables, jnp.where(mask > 0, x, 5.0), mask), filled)
    assert np.all(np.asarray(filled)[:, 10:20, 4:12] != 0)
