"""Planted anomalies: a good image, changed in a known place. Pure functions of keys, one image at a time.

Axes: h height, w width, c channels.

Most anomalies are a shape filled with a content: `painted` makes a sampler of the two. Key first, as in jax.random.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from adjax.types import Key, UserError


class Planted(NamedTuple):
    image: Float[Array, "h w c"]  # in [0, 1]
    mask: Bool[Array, "h w"]  # where any channel differs from the image it was planted in, and nowhere else
    severity: Float[Array, ""]  # mean |change| in the mask, as a share of the range [0, 1]; 0 where nothing changed


Image = Float[Array, "h w c"]
Sampler = Callable[..., Planted]  # (key, image[, texture]): image and texture f32[h w c] in [0, 1]
Shape = Callable[[Key, tuple[int, int]], Float[Array, "h w"]]  # (key, sides) -> coverage in [0, 1]
Content = Callable[[Key, Image, Image | None], Image]  # (key, image, texture) -> what fills the shape


def compare(before: Image, after: Image) -> Planted:
    """What was planted. No gradient flows through an anomaly."""
    # The barrier: mask and image must come of the very same numbers, not of one expression compiled twice.
    after = jax.lax.optimization_barrier(jax.lax.stop_gradient(jnp.clip(after, 0.0, 1.0)))
    mask = jnp.any(after != before, axis=-1)
    change = jnp.mean(jnp.abs(after - jax.lax.stop_gradient(before)), axis=-1)
    return Planted(after, mask, jnp.sum(change) / jnp.maximum(jnp.sum(mask, dtype=jnp.float32), 1.0))


def painted(shape: Shape, content: Content, opacity: tuple[float, float] = (1.0, 1.0)) -> Sampler:
    """(1 − α) image + α content, where α is the shape's coverage times an opacity drawn evenly from its range."""
    low, high = opacity

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        k_shape, k_content, k_opacity = jax.random.split(key, 3)
        cover = shape(k_shape, image.shape[:2]) * jax.random.uniform(k_opacity, (), minval=low, maxval=high)
        cover = jnp.where(cover < 1 / 512, 0.0, cover)[..., None]  # less than half a grey level of 8 bits
        # Without the barrier XLA computes shape and content anew for every channel and every use of them.
        cover, filling = jax.lax.optimization_barrier((cover, content(k_content, image, texture)))
        return compare(image, (1.0 - cover) * image + cover * filling)

    return sample


def need(texture: Image | None, image: Image) -> Image:
    """The texture, where a sampler can't do without."""
    if texture is None:
        raise UserError("this synthesis fills with textures: give the sampler one, method.needs={'texture'}")
    if texture.shape != image.shape:
        raise UserError(f"a texture of {texture.shape} does not fit an image of {image.shape} (h w c)")
    return texture
