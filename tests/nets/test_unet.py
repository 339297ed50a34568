"""Published parameter counts, the zero it starts from, and options that must not change what it computes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.nets.unet import UNet, attend, sinusoids
from adjax.types import UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it

SMALL = UNet(1, (4, 8), blocks=1, attention=(2,), chunk=16)


def parameters(network, side):
    x, time = (
        jax.ShapeDtypeStruct((1, side, side, network.channels), jnp.float32),
        jax.ShapeDtypeStruct((1,), jnp.int32),
    )
    found, variables = jax.eval_shape(network.init_with_output, jax.eval_shape(lambda: jax.random.key(0)), x, time)
    assert (found.shape, found.dtype) == (x.shape, jnp.float32)
    return variables["params"]


@functools.cache
def moved():
    """A small network whose zero layers are no longer 0, with its input."""
    k_init = jax.random.key(0, impl="rbg")  # quick to compile
    x, time = jax.random.normal(jax.random.key(1), (2, 16, 16, 1)), jnp.asarray([3, 700], jnp.int32)
    variables = jax.jit(SMALL.init)(k_init, x, time)
    random = np.random.default_rng(0)
    shift = lambda leaf: leaf + jnp.asarray(random.normal(0, 0.1, leaf.shape), jnp.float32)
    return variables, jax.tree.map(shift, variables), x, time


@pytest.mark.parametrize(("attention", "count"), [((8, 16, 32), 131_649_793), ((16, 32), 130_331_393)])
def test_published_parameter_counts(attention, count):
    params = parameters(UNet(1, attention=attention), 256)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_in_bfloat16_the_parameters_stay_float32():
    params = parameters(UNet(3, (8, 8), blocks=1, attention=(1,), dtype=jnp.bfloat16), 16)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}


def test_an_untrained_network_says_nothing():
    variables, _, x, time = moved()
    np.testing.assert_array_equal(jax.jit(SMALL.apply)(variables, x, time), jnp.zeros_like(x))


def test_the_time_matters():
    _, variables, x, time = moved()
    first, second = (jax.jit(SMALL.apply)(variables, x, t) for t in (time, time[::-1]))
    assert not np.allclose(first, second, atol=1e-3)


@functools.cache
def output_and_gradient(**options):
    _, variables, x, time = moved()
    network = SMALL.clone(**options)
    loss = lambda v: (network.apply(v, x, time) ** 2).mean()
    found = jax.jit(lambda v: (network.apply(v, x, time), jax.grad(loss)(v)))(variables)
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(found)])


@pytest.mark.parametrize(("option", "tolerance"), [({"remat": True}, 1e-4), ({"dtype": jnp.bfloat16}, 0.1)])
@pytest.mark.budget(30)  # two gradients to compile
def test_options_compute_the_same(option, tolerance):
    ours, plain = output_and_gradient(**option), output_and_gradient()
    assert np.linalg.norm(ours - plain) < tolerance * np.linalg.norm(plain)


@pytest.mark.parametrize("chunk", [1, 8, 10, 32])
def test_chunks_of_queries_attend_as_all_at_once(chunk):
    query, key, value = jax.random.normal(jax.random.key(0), (3, 2, 32, 2, 4))
    weights = jax.nn.softmax(jnp.einsum("bnad,bmad->banm", query, key) / 2.0, axis=-1)
    expected = jnp.einsum("banm,bmad->bnad", weights, value)
    np.testing.assert_allclose(jax.jit(attend, static_argnums=3)(query, key, value, chunk), expected, atol=1e-5)


def test_chunks_have_the_gradient_of_all_at_once():
    qkv = jax.random.normal(jax.random.key(0), (3, 1, 10, 2, 4))
    loss = lambda qkv, chunk: jnp.sin(attend(*qkv, chunk)).sum()
    chunked, whole = (jax.jit(jax.grad(loss), static_argnums=1)(qkv, chunk) for chunk in (4, 10))
    np.testing.assert_allclose(chunked, whole, atol=1e-5)


def test_chunks_never_hold_all_weights():
    """No value of 4096² in the program, and one without chunks."""
    shape = jax.ShapeDtypeStruct((1, 4096, 1, 4), jnp.float32)
    full, chunked = (str(jax.make_jaxpr(lambda *qkv, c=c: attend(*qkv, c))(shape, shape, shape)) for c in (4096, 256))
    assert "4096,4096" in full and "4096,4096" not in chunked


def test_the_sines_come_first_and_the_slowest_is_not_quite_10000():
    found = sinusoids(jnp.asarray([10], jnp.int32), 128)[0]
    rates = 10000.0 ** (-np.arange(64) / 64)
    np.testing.assert_allclose(found, np.concatenate([np.sin(10 * rates), np.cos(10 * rates)]), atol=1e-5)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(UserError, match="height 255 is not a multiple of 32"):
        parameters(UNet(1), 255)
