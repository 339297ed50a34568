"""Patches of random places and sizes, and others that look almost alike.

Axes: b batch, n patches, h height, w width, c channels, p patch side.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from adjax.synthesis.augment import sometimes_grey
from adjax.types import Key

SIDES = (4.0, 16.0)  # patches that fit beside each other into the resized image
SHIFT = 1 / 16  # of the patch's side, to either direction
GREY = 0.1  # of the patches
LIGHT, NOISE = 0.1, 0.02  # more or less of it, and the standard deviation


def crop(
    image: Float[Array, "h w c"],
    size: int,
    draws: Float[Array, "3"],
    shift: Float[Array, "2"],
    sides: tuple[float, float] = SIDES,
) -> Float[Array, "p p c"]:
    """A patch of the image, whose shorter side is first resized to between `sides` patches, moved by `shift` pixels of
    its own but not beyond the border. `draws` are uniform in [0, 1) and decide on the size and on the place."""
    extent = jnp.array(image.shape[:2], jnp.float32)
    scale = (sides[0] + (sides[1] - sides[0]) * draws[0]) * size / extent.min()
    room = scale * extent - size
    corner = jnp.clip(draws[1:] * room + shift, 0.0, room)
    shape = (size, size, image.shape[2])
    return jax.image.scale_and_translate(image, shape, (0, 1), jnp.stack([scale, scale]), -corner, "linear")


def moved(key: Key, size: int) -> Float[Array, "2"]:
    return jax.random.uniform(key, (2,), minval=-SHIFT * size, maxval=SHIFT * size)


def relit(key: Key, patch: Float[Array, "p p c"]) -> Float[Array, "p p c"]:
    """Brighter or darker, with noise."""
    k_light, k_noise = jax.random.split(key)
    light = jax.random.uniform(k_light, (), minval=1 - LIGHT, maxval=1 + LIGHT)
    return jnp.clip(patch * light + NOISE * jax.random.normal(k_noise, patch.shape), 0.0, 1.0)


def triplets(
    key: Key,
    images: Float[Array, "b h w c"],
    real: Bool[Array, "b"],
    number: int,
    size: int,
    sides: tuple[float, float] = SIDES,
) -> Float[Array, "3 n p p c"]:
    """`number` patches from the real images in turn, for each one that looks almost alike, and one of the next image;
    some of these threes are grey."""
    order, count = jnp.argsort(~real, stable=True), jnp.maximum(real.sum(), 1)
    turn = jnp.arange(number)
    own, other = (order[(turn + more) % count] for more in (0, 1))

    def three(key: Key, image, next_image):
        k_own, k_other, k_shift, k_light, k_grey = jax.random.split(key, 5)
        here, still = jax.random.uniform(k_own, (3,)), jnp.zeros(2)
        anchor = crop(image, size, here, still, sides)
        positive = relit(k_light, crop(image, size, here, moved(k_shift, size), sides))
        negative = crop(next_image, size, jax.random.uniform(k_other, (3,)), still, sides)
        column = sometimes_grey(k_grey, jnp.concatenate([anchor, positive, negative]), GREY)
        return column.reshape(3, size, size, -1)

    drawn = jax.vmap(three)(jax.random.split(key, number), images[own], images[other])
    return drawn.swapaxes(0, 1)
