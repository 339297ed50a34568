"""The rewriting changes nothing but the order of axes, and reaches every convolution of a loop."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.canonical import canonical

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it

X = jax.random.uniform(jax.random.key(0), (2, 16, 16, 3))
KERNEL = jax.random.normal(jax.random.key(1), (4, 4, 3, 5))


def convolve(x, kernel=KERNEL):
    return jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.custom_vjp
def twice(x):
    return 2 * x


twice.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))


def energy(x, kernel=KERNEL):
    """One of everything that may hold a convolution: jit, cond, scan, a custom rule."""
    y = jax.jit(convolve)(twice(x), kernel)
    y = jax.lax.cond(x.sum() > 0, lambda: y + convolve(x, kernel), lambda: y)
    step = lambda total, row: (total + jax.nn.relu(convolve(row, kernel)).sum(), None)
    total, _ = jax.lax.scan(step, (y**2).sum(), jnp.stack([x, 2 * x]))
    return total


@pytest.mark.parametrize("argnum", [0, 1])  # gradients of the image and of the kernel
def test_canonical_is_the_same_function(argnum):
    function = jax.value_and_grad(energy, argnums=argnum)
    (value, gradient), (value_2, gradient_2) = jax.jit(function)(X, KERNEL), jax.jit(canonical(function))(X, KERNEL)
    np.testing.assert_allclose(value_2, value, rtol=1e-5)
    np.testing.assert_allclose(gradient_2, gradient, rtol=1e-4, atol=1e-3 * np.abs(gradient).max())


def orders(step) -> set[str]:
    """The dimension orders of the convolutions in a compiled loop over `step`."""
    loop = jax.jit(lambda x: jax.lax.fori_loop(0, 3, lambda _, x: x - step(x), x))
    return set(re.findall(r"convolution\(.*dim_labels=(\S+?),", loop.lower(X).compile().as_text()))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only the CPU's convolutions are rewritten")
def test_a_loop_has_no_slow_convolution_left():
    assert orders(canonical(jax.grad(energy))) == {"b01f_01io->b01f"}
    assert len(orders(jax.grad(energy))) > 1, "XLA brings them in order by itself: canonical() has become idle"


def test_other_structures_pass_through():
    function = lambda tree, key: {"sum": tree["a"] + 1, "none": None, "draw": jax.random.normal(key, (2,))}
    found, wanted = (f({"a": X}, jax.random.key(3)) for f in (canonical(function), function))
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
