"""Networks of patches: published parameters and fields, and that one pass over an image is all of its patches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.nets.patch_descriptor import LAYERS, PatchDescriptor, counted, padded, places, region, spread
from adjax.nets.pdn import window
from adjax.nets.taps import Window
from adjax.types import UserError


@pytest.mark.parametrize(
    ("size", "parameters", "seen"),
    [(17, 2_996_480, Window(1, 17)), (33, 1_616_000, Window(4, 32)), (65, 2_320_640, Window(8, 60))],
)
def test_parameters_and_fields(size, parameters, seen):
    """A patch becomes one vector, whatever is done to its poolings, which drop a last row that is odd."""
    assert window(LAYERS[size]) == seen
    patch = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    network = PatchDescriptor(size, stride=seen.stride)
    variables = jax.eval_shape(lambda x: network.init(jax.random.key(0), x), patch)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == parameters
    for net in (network, network.clone(stride=1)):
        assert jax.eval_shape(net.apply, variables, patch).shape == (1, 1, 1, 128)


@pytest.mark.parametrize(("size", "strides"), [(17, (1, 3)), (33, (1, 2, 4)), (65, (1, 4))])
def test_one_pass_is_the_network_on_every_patch(size, strides):
    """Of 9 × 9 places, whose patches reach beyond the poolings' grid to either side."""
    side = size + 8
    image = jax.random.uniform(jax.random.key(0), (1, side, side, 3), minval=-2.0, maxval=2.0)
    network = PatchDescriptor(size, 3, 1 / 32)
    single = network.clone(stride=window(LAYERS[size]).stride)
    patches = jnp.concatenate([image[:, y : y + size, x : x + size] for y in range(9) for x in range(9)])
    variables = jax.jit(single.init)(jax.random.key(1), patches[:1])
    expected = np.asarray(jax.jit(single.apply)(variables, patches)).reshape(9, 9, 3)
    assert expected.std((0, 1)).min() > 1e-4
    for stride in strides:
        found = jax.jit(network.clone(stride=stride).apply)(variables, image)[0]
        np.testing.assert_allclose(found, expected[::stride, ::stride], atol=1e-5)


def test_a_padded_image_has_a_place_for_every_pixel():
    image = jax.random.uniform(jax.random.key(0), (1, 20, 22, 3))
    assert padded(image, 17).shape == (1, 36, 38, 3)
    assert [places(20, 1), places(20, 4), places(21, 4), places(22, 4)] == [20, 6, 6, 7]
    wide = padded(image, 17, 4)
    assert wide.shape == (1, 5 * 4 + 17, 6 * 4 + 17, 3)
    np.testing.assert_array_equal(wide[0, 8:28, 8:30], image[0])
    np.testing.assert_array_equal(wide[0, :8], wide[0, 16:8:-1])  # mirrored at the first row
    with pytest.raises(UserError, match="20 × 22 px are too small for patches of 65 px"):
        padded(image, 65)


def test_a_map_goes_through_its_places():
    maps = jax.random.uniform(jax.random.key(0), (2, 4, 5))
    found = spread(maps, (11, 14), 4)
    assert found.shape == (2, 11, 14)
    np.testing.assert_allclose(found[:, ::4, ::4], maps[:, :3, :4], atol=1e-6)
    np.testing.assert_allclose(found[:, ::4, 2::4], (maps[:, :3, :3] + maps[:, :3, 1:4])[:, :, :3] / 2, atol=1e-6)
    assert spread(maps, (4, 5), 1) is maps


def test_places_beyond_the_image_do_not_count():
    ignored = jnp.zeros((1, 6, 6), bool).at[0, 4, 0].set(True)
    found = counted({"image": jnp.zeros((1, 6, 6, 1)), "_ignore": ignored}, 4)
    np.testing.assert_array_equal(found[0], [[1, 1, 0], [0, 1, 0], [0, 0, 0]])


def test_a_region_is_what_its_places_see():
    """The images' numbers are their pixels' places: the middle of the first patch tells where the region lies."""
    y, x = jnp.mgrid[:20.0, :20.0]
    image = jnp.tile((20 * y + x)[None, :, :, None], (8, 1, 1, 1))
    batch = {"image": image, "_ignore": image[..., 0] == 0}
    found, counts = jax.jit(lambda key: region(key, batch, padded(image, 5), 10, 5, 3))(jax.random.key(0))
    assert found.shape == (8, 9 // 3 * 3 + 5, 14, 1) and counts.shape == (8, 4, 4)
    middles = np.asarray(found[:, 2:-2:3, 2:-2:3, 0])
    assert len({row[0, 0] for row in middles}) > 4 and middles.min() >= 0
    np.testing.assert_array_equal(middles[:, 1:, 0] - middles[:, :-1, 0], 60)
    np.testing.assert_array_equal(counts, middles != 0)
    with pytest.raises(UserError, match="region=21 is larger than images of 20 × 20 px"):
        region(jax.random.key(0), batch, image, 21, 5, 1)


def test_a_region_has_the_border_as_often_as_the_middle():
    """8 of the 29 squares of 8 that meet a row of 22 pixels have any one of them; those that stood out are moved in."""
    image = jnp.tile(jnp.arange(22.0)[None, :, None, None], (4000, 1, 22, 1))
    found, _ = jax.jit(lambda key: region(key, {"image": image}, padded(image, 1), 8, 1, 1))(jax.random.key(0))
    share = np.bincount(np.asarray(found[:, :, 0, 0], int).ravel()) / len(image)
    squares = np.clip(np.arange(-7, 22), 0, 14)
    wanted = np.mean([(squares <= pixel) & (pixel < squares + 8) for pixel in range(22)], axis=1)
    np.testing.assert_allclose(wanted[[0, 7, 11, 21]], [8 / 29, 15 / 29, 8 / 29, 8 / 29])
    np.testing.assert_allclose(share, wanted, atol=0.03)
