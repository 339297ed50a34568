"""What every synthesis promises: exact masks, values in range, one result per key, alone, in batches and on devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding

from adjax import parallel
from adjax.synthesis import (
    SYNTHESES,
    TEXTURED,
    batched,
    chain,
    one_of,
    redrawn,
    restricted,
    scaled,
    sometimes,
    synthesis,
)
from adjax.synthesis.cutpaste import cutpaste
from adjax.synthesis.planted import compare
from adjax.synthesis.recipes import erasing
from adjax.types import UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it

SIDES = (40, 56)
ROWS = 4
# Every synthesis is batched and split by the same function, and knows the number of channels only as a shape.
COMPILED_ANEW = [n if n in ("cutpaste", "stain") else pytest.param(n, marks=pytest.mark.slow) for n in SYNTHESES]


def pictures(channels, seed):
    """Blurred noise: neither flat nor rough."""
    rough = np.random.default_rng(seed).uniform(0, 1, (ROWS, SIDES[0] + 4, SIDES[1] + 4, channels))
    windows = np.lib.stride_tricks.sliding_window_view(rough, (5, 5), axis=(1, 2))
    return np.clip(4 * (windows.mean((-2, -1)) - 0.5) + 0.5, 0, 1).astype(np.float32)


def key():
    return jax.random.key(7)


@functools.cache
def planter(name):
    """Compiled once for each size of images."""
    return jax.jit(batched(synthesis(name)))


def plant(sampler, images, textures=None, key=None):
    made = jax.jit(batched(sampler))(jax.random.key(7) if key is None else key, images, textures)
    return jax.tree.map(np.asarray, made)


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("name", SYNTHESES)
def test_the_mask_is_where_the_image_changed(name, channels):
    images, textures = pictures(channels, 0), pictures(channels, 1)
    made = jax.device_get(planter(name)(key(), images, textures))
    assert made.image.dtype == np.float32 and made.image.min() >= 0 and made.image.max() <= 1
    np.testing.assert_array_equal(made.mask, np.any(made.image != images, axis=-1))
    change = np.abs(made.image - images).mean(-1)
    for row in range(ROWS):
        expected = change[row][made.mask[row]].mean() if made.mask[row].any() else 0.0
        np.testing.assert_allclose(made.severity[row], expected, rtol=1e-4)
    assert made.mask.any() and not made.mask.all()


@pytest.mark.parametrize("name", SYNTHESES)
def test_a_key_gives_one_result_in_any_company(name):
    images, textures = pictures(3, 0), pictures(3, 1)
    made, again, other = (planter(name)(jax.random.key(k), images, textures) for k in (7, 7, 8))
    for first, second in zip(made, again):
        np.testing.assert_array_equal(first, second)
    assert np.any(other.image != made.image)
    company = np.arange(ROWS)[:, None, None, None] == 2
    among = planter(name)(key(), *(np.where(company, x, x[::-1]) for x in (images, textures)))
    for first, second in zip(made, among):
        np.testing.assert_array_equal(first[2], second[2])


@pytest.mark.parametrize("name", COMPILED_ANEW)
def test_a_key_gives_one_result_alone_and_in_batches(name):
    images, textures = pictures(3, 0), pictures(3, 1)
    made = planter(name)(key(), images, textures)
    alone = jax.jit(synthesis(name))(jax.random.fold_in(key(), 2), images[2], textures[2])
    for single, row in zip(alone, made):
        np.testing.assert_allclose(single, row[2], atol=1e-5)


@pytest.mark.parametrize("name", COMPILED_ANEW)
def test_two_devices_plant_as_one(name):
    images, textures = pictures(3, 0), pictures(3, 1)
    made = planter(name)(key(), images, textures)
    mesh = parallel.mesh(jax.devices()[:2])
    split = jax.device_put((images, textures), NamedSharding(mesh, parallel.DATA))
    for single, double in zip(made, planter(name)(key(), *split)):
        np.testing.assert_allclose(double, single, atol=1e-5)


@pytest.mark.parametrize("name", SYNTHESES)
def test_no_gradient_flows_through_an_anomaly(name):
    images, textures = pictures(1, 0)[0], pictures(1, 1)[0]

    def total(image):
        made = synthesis(name)(key(), image, textures)
        return jnp.sum(made.image) + made.severity

    assert not np.any(jax.jit(jax.grad(total))(images))


def test_nothing_changes_outside_the_foreground():
    images = pictures(1, 0)
    where = lambda image: jnp.arange(image.shape[1])[None] >= 28 + 0 * jnp.arange(image.shape[0])[:, None]
    made = plant(restricted(erasing(area=(0.9, 0.95), aspect=(0.7, 0.7)), where), images)
    assert not made.mask[:, :, :28].any() and made.mask[:, :, 28:].mean() > 0.8
    fixed = restricted(erasing(area=(0.9, 0.95), aspect=(0.7, 0.7)), jnp.asarray(where(images[0])))
    np.testing.assert_array_equal(plant(fixed, images).mask, made.mask)


def test_strength_scales_the_change():
    images = pictures(1, 0)
    whole, half = (plant(scaled(erasing(), s, s), images) for s in (1.0, 0.5))
    np.testing.assert_allclose(half.image - images, 0.5 * (whole.image - images), atol=1e-6)
    np.testing.assert_allclose(half.severity, 0.5 * whole.severity, rtol=1e-4)
    assert not plant(scaled(erasing(), 0.0, 0.0), images).mask.any()


def test_a_sampler_is_asked_until_something_changed():
    """One try in ten changes the image; of 100 images all are changed, none if only failures can be drawn."""
    image = jnp.full((4, 4, 1), 0.5)
    rarely = lambda key, image, texture: compare(image, jnp.where(jax.random.uniform(key) < 0.1, image + 0.1, image))
    never = lambda key, image, texture: compare(image, image)
    keys = jax.random.split(key(), 100)
    changed = lambda sampler: np.asarray(jax.jit(jax.vmap(lambda k: sampler(k, image).mask.any()))(keys))
    assert 0 < changed(lambda k, image: rarely(k, image, None)).mean() < 0.3
    assert changed(redrawn(rarely, 200)).all()
    assert not changed(redrawn(never, 3)).any()


def test_glass_leaves_no_image_as_it_is():
    image, texture = np.zeros((16, 16, 1), np.float32), np.ones((16, 16, 1), np.float32)
    draw = lambda k: synthesis("glass", mean=0.3)(k, image, texture).mask
    masks = jax.jit(lambda keys: jax.lax.map(draw, keys))(jax.random.split(key(), 60))
    assert masks.any((1, 2)).all()


def test_a_chain_masks_what_all_its_links_changed():
    images = jnp.asarray(pictures(1, 0))
    paint = lambda rows, value: lambda key, image, texture: compare(image, image.at[rows].set(value))
    made = plant(chain(paint(slice(0, 10), 0.3), paint(slice(20, 30), 0.7)), images)
    assert made.mask[:, :10].all() and made.mask[:, 20:30].all() and not made.mask[:, 10:20].any()
    for row, image in enumerate(images):
        undone = chain(paint(slice(0, 10), 0.3), lambda key, changed, texture, image=image: compare(changed, image))
        assert not undone(key(), image).mask.any(), row


def test_choices_come_as_often_as_weighed():
    image = np.full((4, 4, 1), 0.5, np.float32)
    paint = lambda value: lambda key, image, texture: compare(image, jnp.full_like(image, value))
    keys, again = jax.random.split(key(), (2, 4000))
    choice = one_of([paint(0.1), paint(0.2), paint(0.3)], (1, 0, 3))
    drawn = np.asarray(jax.jit(jax.vmap(lambda k: choice(k, image, None).image[0, 0, 0]))(keys))
    assert np.mean(drawn == np.float32(0.1)) == pytest.approx(0.25, abs=0.03)
    assert not np.any(drawn == np.float32(0.2))
    happens = np.asarray(jax.jit(jax.vmap(lambda k: sometimes(paint(0.1), 0.3)(k, image).mask.any()))(again))
    assert happens.mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.slow  # test_perlin.py draws as many of the same masks
def test_draem_blobs_cover_what_the_published_ones_cover():
    """Monte-Carlo of the published recipe at 256²: mean 4.9 %, quartiles 3.8, 4.6, 5.6 %, empty in 4.6 % of draws."""
    image, texture = np.zeros((256, 256, 1), np.float32), np.ones((256, 256, 1), np.float32)
    sampler = synthesis("draem", augmented=False)
    area = jax.jit(lambda k: jax.lax.map(lambda k: jnp.mean(sampler(k, image, texture).mask, dtype=jnp.float32), k))
    share = np.asarray(area(jax.random.split(key(), 600)))
    assert share.mean() == pytest.approx(0.049, abs=0.003)
    np.testing.assert_allclose(np.quantile(share, [0.25, 0.5, 0.75]), [0.038, 0.046, 0.056], atol=0.003)
    assert np.mean(share == 0) == pytest.approx(0.046, abs=0.025)


def test_a_texture_equal_to_the_image_changes_nothing():
    """And the opacity's range is [0.2, 1]: 1 on black shows it."""
    images = pictures(3, 0)
    made = plant(synthesis("draem", augmented=False), images, images)
    np.testing.assert_allclose(made.image, images, atol=1e-6)
    shown = plant(synthesis("draem", augmented=False, threshold=-2.0), np.zeros_like(images), np.ones_like(images))
    levels = shown.image.max((1, 2, 3))
    assert np.all(levels >= 0.2) and len(set(levels)) == ROWS


def test_the_label_of_a_vanished_patch_is_empty():
    flat = np.full((ROWS, *SIDES, 3), 0.4, np.float32)
    assert not plant(cutpaste(jitter=0.0), flat).mask.any()


def test_errors_name_the_choices():
    with pytest.raises(UserError, match="unknown synthesis 'cutpast'; choose from .*cutpaste.*stain"):
        synthesis("cutpast")
    with pytest.raises(UserError, match="'stain' has no option 'size'; choose from blur"):
        synthesis("stain", size=3)
    for name in TEXTURED:
        with pytest.raises(UserError, match="texture"):
            synthesis(name)(key(), jnp.zeros((8, 8, 1)))
    with pytest.raises(UserError, match="does not fit"):
        synthesis("draem")(key(), jnp.zeros((8, 8, 1)), jnp.zeros((8, 8, 3)))
    with pytest.raises(UserError, match="weights"):
        one_of([erasing()], (1, 2))
    with pytest.raises(UserError, match="strength"):
        scaled(erasing(), 0.0, 2.0)
