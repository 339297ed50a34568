"""The published parameter counts and layer sizes, and what may be asked of the module."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.nets.autoencoder import ConvAutoencoder, extra_halvings
from adjax.types import UserError


def initialised(network, x):
    return jax.jit(network.init)(jax.random.key(0, impl="rbg"), x)  # compiles 4 times faster than the default


def shapes(network, *size, batch=1):
    x = jax.ShapeDtypeStruct((batch, *size), jnp.float32)
    return jax.eval_shape(network.init, jax.eval_shape(lambda: jax.random.key(0)), x)["params"]


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("channels", "latent", "total"), [(1, 100, 1_048_549), (1, 500, 2_687_349), (3, 100, 1_050_599)]
)
def test_published_parameter_counts(channels, latent, total):
    assert count(shapes(ConvAutoencoder(latent), 128, 128, channels)) == total


def test_published_halves():
    params = shapes(ConvAutoencoder(100), 128, 128, 1)
    assert (count(params["encoder"]), count(params["decoder"])) == (524_324, 524_225)


def test_a_larger_image_gets_one_more_stage():
    """`C(4,2,1,32)` and its mirror: the code still sees 8x8x32."""
    stage = 4 * 4 * 32 * 32 + 32
    assert count(shapes(ConvAutoencoder(100), 256, 256, 1)) == 1_048_549 + 2 * stage
    assert count(shapes(ConvAutoencoder(100), 512, 512, 1)) == 1_048_549 + 4 * stage
    # 272 = 17 x 16 can't be halved a fifth time: the code sees 17x17x32.
    assert count(shapes(ConvAutoencoder(100), 272, 272, 1)) == 1_048_549 + 2 * (17**2 - 8**2) * 32 * 100


@pytest.mark.parametrize(
    ("h", "w", "extra"), [(16, 16, 0), (128, 4096, 0), (240, 240, 0), (256, 288, 1), (256, 272, 0), (1024, 1024, 3)]
)
def test_extra_halvings(h, w, extra):
    assert extra_halvings(h, w) == extra


@pytest.mark.parametrize(("h", "w", "message"), [(100, 128, "height 100"), (128, 8, "width 8"), (0, 16, "height 0")])
def test_other_sides_are_refused(h, w, message):
    with pytest.raises(UserError, match=message):
        extra_halvings(h, w)
    if h:
        with pytest.raises(UserError, match=message):
            shapes(ConvAutoencoder(), h, w, 1)


@pytest.mark.parametrize("size", [(32, 48, 3), (256, 256, 1)])
def test_sizes_are_kept(size):
    network = ConvAutoencoder(latent=7, width=0.25)
    params = shapes(network, *size)
    x = jax.ShapeDtypeStruct((2, *size), jnp.float32)
    apply = lambda method: lambda p, x: network.apply({"params": p}, x, method=method)
    assert jax.eval_shape(apply("__call__"), params, x).shape == (2, *size)
    assert jax.eval_shape(apply("encode"), params, x).shape == (2, 7)


def small():
    network = ConvAutoencoder(latent=5, width=0.125, dropout=0.5)
    x = jax.random.uniform(jax.random.key(1), (3, 16, 32, 2))
    return network, initialised(network, x), x


def test_encode_then_decode_is_the_network():
    network, variables, x = small()

    @jax.jit
    def both(variables, x):
        code = network.apply(variables, x, method="encode")
        return network.apply(variables, code, x.shape[1:], method="decode"), network.apply(variables, x)

    np.testing.assert_array_equal(*both(variables, x))


def test_dropout_acts_in_training_only():
    network, variables, x = small()

    @functools.partial(jax.jit, static_argnames="train")
    def apply(seed, train):
        return network.apply(variables, x, train=train, rngs={"dropout": jax.random.key(seed, impl="rbg")})

    np.testing.assert_array_equal(apply(2, train=False), apply(3, train=False))
    assert not np.allclose(apply(2, train=True), apply(3, train=True))
    assert not np.allclose(apply(2, train=True), apply(2, train=False))


def test_each_image_is_for_itself():
    network, variables, x = small()
    apply = jax.jit(network.apply)
    np.testing.assert_allclose(apply(variables, x)[1:2], apply(variables, x[1:2]), atol=1e-6)


@pytest.mark.budget(20)
def test_learns_one_patch_by_heart():
    """Capacity: the code is wider than the patch."""
    network = ConvAutoencoder(latent=64, width=0.5)
    x = jax.random.uniform(jax.random.key(1), (1, 16, 16, 1))
    params = initialised(network, x)
    tx = optax.adam(2e-3)

    @functools.partial(jax.jit, compiler_options=matrix.OPTIMISED)  # it runs often
    def step(params, state):
        loss, gradient = jax.value_and_grad(lambda p: ((network.apply(p, x) - x) ** 2).mean())(params)
        with jax.numpy_dtype_promotion("standard"):
            updates, state = tx.update(gradient, state)
        return optax.apply_updates(params, updates), state, loss

    state = tx.init(params)
    for _ in range(400):
        params, state, loss = step(params, state)
    assert loss < 1e-4
