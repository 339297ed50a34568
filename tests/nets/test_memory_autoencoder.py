"""The published parameter counts, and addressing against the published formula in NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.nets.memory_autoencoder import MemoryAutoencoder, address
from adjax.types import UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


def shapes(network, *size):
    x = jax.ShapeDtypeStruct(size, jnp.float32)
    return jax.eval_shape(network.init, jax.eval_shape(lambda: jax.random.key(0)), x)["params"]


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_published_parameter_count():
    """The network of 16 grey frames of 256x256; the memory apart."""
    params = shapes(MemoryAutoencoder(), 1, 16, 256, 256, 1)
    assert params.pop("memory").size == 2000 * 256
    assert count(params) == 5_980_801


def test_the_code_of_a_video_and_of_an_image():
    network = MemoryAutoencoder(items=7, width=0.125)
    for size, code in (((2, 16, 64, 32, 1), (2, 2, 4, 2, 7)), ((2, 64, 32, 3), (2, 4, 2, 7))):
        x = jax.ShapeDtypeStruct(size, jnp.float32)
        rebuilt, asked = jax.eval_shape(lambda x: network.init_with_output(jax.random.key(0), x)[0], x)
        assert (rebuilt.shape, asked.shape) == (size, code)


def test_other_sides_are_refused():
    with pytest.raises(UserError, match="height 40 is not a multiple of 16"):
        shapes(MemoryAutoencoder(), 1, 40, 32, 1)


def published(z, memory, shrink):
    """softmax(z W'), relu(a - s) a / (|a - s| + 1e-12), L1-normalised, in float64."""
    logits = z.astype(np.float64) @ memory.astype(np.float64).T
    a = np.exp(logits - logits.max(-1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    a = np.maximum(a - shrink, 0) * a / (np.abs(a - shrink) + 1e-12)
    return a, a / np.maximum(a.sum(-1, keepdims=True), 1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_addressing_is_the_published_formula(scale):
    random = np.random.default_rng(0)
    z = scale * random.normal(size=(5, 3, 16)).astype(np.float32)
    memory = random.uniform(-0.25, 0.25, (200, 16)).astype(np.float32)
    kept, wanted = published(z, memory, 0.01)
    found = np.asarray(jax.jit(functools.partial(address, shrink=0.01, similarity="dot", temperature=1.0))(z, memory))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    sums = found.sum(-1)
    np.testing.assert_allclose(sums, np.where(kept.sum(-1) > 0, 1, 0), atol=1e-6)
    assert np.all((found == 0) | (found * kept.sum(-1, keepdims=True) > 0.01 - 1e-6))


def test_at_temperature_zero_the_code_is_the_nearest_item():
    random = np.random.default_rng(0)
    z, memory = random.normal(size=(6, 8)).astype(np.float32), random.normal(size=(30, 8)).astype(np.float32)
    nearest = {
        "dot": (z @ memory.T).argmax(-1),
        "cosine": (z @ memory.T / np.linalg.norm(memory, axis=-1)).argmax(-1),
    }
    for similarity, rows in nearest.items():
        found = address(jnp.asarray(z), jnp.asarray(memory), 0.0, similarity, 1e-6) @ memory
        np.testing.assert_array_equal(found, memory[rows])


def test_cosine_at_temperature_one_addresses_nothing_in_a_large_memory():
    """The trap, and its cure."""
    k_z, k_memory = jax.random.split(jax.random.key(0))
    z, memory = jax.random.normal(k_z, (20, 256)), jax.random.normal(k_memory, (2000, 256))
    assert jnp.all(address(z, memory, 0.0025, "cosine", 1.0) == 0)
    assert jnp.all(address(z, memory, 0.0025, "cosine", 0.05).max(-1) > 0)


def test_an_unknown_similarity_names_the_choices():
    with pytest.raises(UserError, match="unknown similarity 'l2'; choose from dot, cosine"):
        address(jnp.ones((1, 2)), jnp.ones((3, 2)), 0.0, "l2", 1.0)


def test_one_item_rebuilds_every_image_alike():
    network = MemoryAutoencoder(items=1, width=0.125)
    x = jax.random.uniform(jax.random.key(0), (3, 32, 32, 1))
    variables = jax.jit(network.init)(jax.random.key(1, impl="rbg"), x)
    rebuilt, _ = jax.jit(network.apply)(variables, x)
    np.testing.assert_array_equal(rebuilt, jnp.broadcast_to(rebuilt[:1], x.shape))
    assert rebuilt.std() > 0
