"""Published parameter counts, the zero it starts from, and options that must not change what it computes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.nets.unet import UNet, attend, sinusoids
from adjax.types import UserError

SMALL = UNet(1, (4, 8), blocks=0, attention=(2,), chunk=8)


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
    """A small network whose zero layers are not 0, and an input: one image at two times."""
    image, time = jax.random.normal(jax.random.key(1), (1, 8, 8, 1)), jnp.asarray([3, 700], jnp.int32)
    random = np.random.default_rng(0)
    draw = lambda leaf: jnp.asarray(random.normal(0.2, 0.4, leaf.shape), jnp.float32)
    return {"params": jax.tree.map(draw, parameters(SMALL, 8))}, jnp.tile(image, (2, 1, 1, 1)), time


@pytest.mark.parametrize(("attention", "count"), [((8, 16, 32), 131_649_793), ((16, 32), 130_331_393)])
def test_published_parameter_counts(attention, count):
    params = parameters(UNet(1, attention=attention), 256)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_in_bfloat16_the_parameters_stay_float32():
    params = parameters(UNet(3, (8, 8), blocks=1, attention=(1,), dtype=jnp.bfloat16), 16)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}


def test_patches_change_neither_the_image_s_size_nor_the_network_s_inside():
    """Only the first and the last layer see 16 pixels at once."""
    network = UNet(2, (8,), blocks=0, attention=(), heads=0)
    single, patches = (parameters(network.clone(patch=patch), 8) for patch in (1, 4))
    changed = {
        name for name in single if jax.tree.map(jnp.shape, single[name]) != jax.tree.map(jnp.shape, patches[name])
    }
    assert changed == {"Conv_0", "Conv_1"}
    assert patches["Conv_1"]["kernel"].shape == (3, 3, 8, 2 * 16)


def test_an_untrained_network_says_nothing():
    """Its last layer is 0; the rest is not even compiled."""
    _, x, time = moved()
    last = jax.jit(lambda key: SMALL.init(key, x, time)["params"]["Conv_1"])(jax.random.key(0))
    assert last["kernel"].shape == (3, 3, 4, 1)
    assert not any(leaf.any() for leaf in jax.tree.leaves(last))


@functools.cache
def gradient_and_output(**options):
    variables, x, time = moved()
    network = SMALL.clone(**options)

    @jax.jit
    def both(v):
        run = lambda v: (lambda y: ((y**2).mean(), y))(network.apply(v, x, time))
        return jax.grad(run, has_aux=True)(v)

    return both(variables)


def test_the_time_matters():
    _, (first, second) = gradient_and_output()
    assert not np.allclose(first, second, atol=1e-3)


def test_blocks_computed_anew_have_the_same_gradient():
    ours, plain = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient_and_output(**option))])
        for option in ({"remat": True}, {})
    )
    assert np.linalg.norm(ours - plain) < 1e-4 * np.linalg.norm(plain)


def test_bfloat16_computes_about_the_same():
    variables, x, time = moved()
    _, plain = gradient_and_output()
    ours = jax.jit(SMALL.clone(dtype=jnp.bfloat16).apply)(variables, x, time)
    assert 0 < np.linalg.norm(ours - plain) < 0.1 * np.linalg.norm(plain)


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
