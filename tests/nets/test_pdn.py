"""The patch description networks and the autoencoder: published parameters, shapes and receptive fields."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.nets.pdn import LAYERS, PDN, Autoencoder, window
from adjax.nets.taps import Window
from adjax.types import UserError

IMAGE = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)


def shapes(module, *arguments):
    """Parameters and output."""
    variables = jax.eval_shape(lambda x: module.init(jax.random.key(0), x, *arguments), IMAGE)
    output = jax.eval_shape(lambda v, x: module.apply(v, x, *arguments), variables, IMAGE)
    return sum(leaf.size for leaf in jax.tree.leaves(variables)), output.shape


@pytest.mark.parametrize(
    ("name", "channels", "parameters"),
    [
        ("pdn_small", 384, 2_694_144),
        ("pdn_small", 768, 4_267_392),
        ("pdn_medium", 384, 8_026_624),
        ("pdn_medium", 768, 11_615_488),
    ],
)
def test_published_parameters_and_shapes(name, channels, parameters):
    assert shapes(PDN(LAYERS[name], channels)) == (parameters, (1, 56, 56, channels))


def test_padding_gives_a_description_for_every_4_pixels():
    assert all(shapes(PDN(layers, padding=True))[1] == (1, 64, 64, 384) for layers in LAYERS.values())


def test_the_autoencoders_published_parameters_and_shapes():
    assert shapes(Autoencoder((56, 56)), False) == (1_096_320, (1, 56, 56, 384))


def test_a_description_sees_33_pixels():
    """What lies in its window moves it, and nothing beyond."""
    assert {window(layers) for layers in LAYERS.values()} == {Window(4, 33)}
    network = PDN(LAYERS["pdn_small"], 3, width=1 / 32)
    image = jax.random.uniform(jax.random.key(0), (1, 45, 45, 3))
    variables = jax.jit(network.init)(jax.random.key(1), image)
    one = lambda image: network.apply(variables, image)[0, 1, 2].sum()
    seen = np.abs(jax.jit(jax.grad(one))(image)[0]).sum(-1)
    rows, columns = (np.flatnonzero(seen.sum(axis)) for axis in (1, 0))
    assert (rows.min(), rows.max()) == (4, 36) and (columns.min(), columns.max()) == (8, 40)


def test_an_image_that_cannot_be_halved_five_times_is_refused():
    with pytest.raises(UserError, match="height 48 is not a multiple of 32"):
        Autoencoder((12, 12)).init(jax.random.key(0), jnp.zeros((1, 48, 64, 3)), False)
