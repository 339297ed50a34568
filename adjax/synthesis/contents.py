"""What fills a shape: f32[h w c] from a key, the image and a texture. Each function makes a `Content`.

Axes: h height, w width, c channels. Greys are shares of the range [0, 1].
"""

import jax
import jax.numpy as jnp

from adjax.synthesis import augment
from adjax.synthesis.planted import Content, Image, need
from adjax.synthesis.procedural import procedural
from adjax.types import Key


def given(augmented: bool = True) -> Content:
    """The texture beside the image; `augmented` changes it as DRAEM does first."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        texture = need(texture, image)
        return augment.three_of_ten(key, texture) if augmented else texture

    return content


def grey(low: float = 10 / 255, high: float = 220 / 255, sigma: float = (0.05 / 255) ** 0.5) -> Content:
    """One level for all channels, with Gaussian noise: the stain of AE + Stain."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        del texture
        k_level, k_noise = jax.random.split(key)
        level = jax.random.uniform(k_level, (), minval=low, maxval=high)
        return level + sigma * jax.random.normal(k_noise, image.shape)

    return content


def colour() -> Content:
    """One level for every channel."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        del texture
        return jnp.broadcast_to(jax.random.uniform(key, image.shape[2:]), image.shape)

    return content


def static() -> Content:
    """Even noise, every pixel for itself."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        del texture
        return jax.random.uniform(key, image.shape)

    return content


def elsewhere(jitter: float = 0.1) -> Content:
    """The image itself, shifted around its border by at least a quarter of a side, and jittered in colour."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        del texture
        k_shift, k_jitter = jax.random.split(key)
        sides = jnp.array(image.shape[:2], jnp.float32)
        shift = sides * jax.random.uniform(k_shift, (2,), minval=0.25, maxval=0.75)
        return augment.jitter(k_jitter, jnp.roll(image, shift.astype(jnp.int32), axis=(0, 1)), jitter)

    return content


def shifted(low: float = 0.1, high: float = 0.4) -> Content:
    """The image, brighter or darker by a step."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        del texture
        k_step, k_sign = jax.random.split(key)
        step = jax.random.uniform(k_step, (), minval=low, maxval=high)
        return image + jnp.where(jax.random.bernoulli(k_sign), step, -step)

    return content


def contrasted(low: float = 2.0, high: float = 6.0, least: float = 0.02) -> Content:
    """The image, brighter or darker by some of its own standard deviations, each counted as at least `least`."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        del texture
        k_step, k_sign = jax.random.split(key)
        sigma = jnp.maximum(jnp.std(image), least)
        step = sigma * jax.random.uniform(k_step, (), minval=low, maxval=high)
        return image + jnp.where(jax.random.bernoulli(k_sign), step, -step)

    return content


def patterned() -> Content:
    """A procedural texture."""

    def content(key: Key, image: Image, texture: Image | None) -> Image:
        del texture
        return procedural(key, image.shape)

    return content
