"""Sets of cells, and that no pixel is seen by the pass that predicts it."""

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.riad import assemble, erased, partitions, riad
from adjax.nets.inpainting_unet import InpaintingUNet
from adjax.types import Info

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


def owners(cell, sets, h, w):
    keys = jax.random.split(jax.random.key(0), 2)
    return jax.jit(partitions, static_argnums=(2, 3, 4))(keys, jnp.int32(cell), sets, h, w)


@pytest.mark.parametrize(("cell", "h", "w"), [(2, 16, 24), (4, 16, 24), (8, 20, 27), (16, 32, 32), (64, 32, 32)])
def test_sets_are_whole_cells_and_as_many_in_each_as_can_be(cell, h, w):
    owner = np.asarray(owners(cell, 3, h, w))
    first = owner[:, ::cell, ::cell]
    np.testing.assert_array_equal(owner, first.repeat(cell, 1).repeat(cell, 2)[:, :h, :w])
    for one in first:
        number = np.bincount(one.ravel(), minlength=3)
        assert number.max() - number.min() <= 1
    assert first[0].size < 6 or not np.array_equal(first[0], first[1])


def test_every_pixel_is_erased_once():
    holes = np.asarray(erased(owners(4, 3, 16, 24), 3))
    assert holes.shape == (2, 3, 16, 24, 1)
    np.testing.assert_array_equal(holes.sum(1), 1)


def test_assembled_is_what_each_pass_inpainted():
    owner = owners(4, 3, 16, 16)
    holes = erased(owner, 3)
    image = jax.random.uniform(jax.random.key(1), (2, 16, 16, 1))
    passes = jnp.broadcast_to(jnp.array([10.0, 20.0, 30.0]).reshape(1, 3, 1, 1, 1), (2, 3, 16, 16, 1))
    rebuilt = assemble(passes, holes, image)
    np.testing.assert_array_equal(rebuilt[..., 0], 10 * (owner + 1))
    # The order of the sets is of no account, and a network that gives 0 gives 0.
    order = np.array([2, 0, 1])
    np.testing.assert_array_equal(assemble(passes[:, order], holes[:, order], image), rebuilt)
    assert np.all(assemble(jnp.zeros_like(passes), holes, image) == 0)
    # With one set only, the rest stays as it is.
    partly = assemble(passes[:, :1], erased(owner, 1), image)
    np.testing.assert_array_equal(partly[..., 0], np.where(owner == 0, 10.0, image[..., 0]))


def test_an_erased_pixel_has_no_part_in_its_set():
    """The derivative of any pixel of a set by any of the set is 0; by the others it is not."""
    owner = owners(4, 3, 16, 16)[:1]
    image = jax.random.uniform(jax.random.key(1), (1, 16, 16, 1))
    network = InpaintingUNet(1, (4, 8))
    variables = jax.jit(network.init)(jax.random.key(2, impl="rbg"), image)

    def first_set(image):
        hole = erased(owner, 1)[:, 0]
        return jnp.sum(jnp.where(hole, network.apply(variables, jnp.where(hole, 0.0, image)) ** 2, 0.0))

    slope = np.asarray(jax.jit(jax.grad(first_set))(image))[..., 0]
    assert np.all(slope[owner == 0] == 0)
    assert np.any(slope[owner != 0] != 0)


@pytest.mark.slow  # compiles two updates; what is drawn is tested above
def test_more_sets_drawn_are_more_passes_and_a_larger_loss():
    """Of an untrained network, whose inpaintings are all wrong."""
    losses = []
    rows, info = matrix.batch(matrix.normals(4, seed=0)), Info({"train": 4}, {"train": 1}, 4)
    for drawn in (1, 3):
        method = riad(tx=optax.sgd(0.0), levels=(4, 8), drawn=drawn)
        state = jax.jit(lambda key, method=method: method.init(key, rows, info))(jax.random.key(0, impl="rbg"))
        _, scalars = jax.jit(method.phases["train"].update)(state, rows, jax.random.key(1))
        losses.append(scalars["loss/l2"])
    assert losses[1] > 1.5 * losses[0]
