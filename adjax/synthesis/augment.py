"""Colour jitter, and the ten changes that DRAEM makes to its textures.

Axes: h height, w width, c channels. Values are shares of the range [0, 1]; three channels are red, green, blue, and
what needs them leaves other images as they are.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.synthesis.boxes import bilinear, grid
from adjax.types import Key

Image = Float[Array, "h w c"]
LUMA = np.array([[[0.299, 0.587, 0.114]]], np.float32)
STRIDE = 4  # histograms come from every 4th pixel of a row and a column
LEVELS = 256


def jitter(key: Key, image: Image, amount: float = 0.1) -> Image:
    """Brightness, contrast and saturation times factors from 1 ± `amount`. The hue stays."""
    brightness, contrast, saturation = jax.random.uniform(key, (3,), minval=1 - amount, maxval=1 + amount)
    image = jnp.clip(image * brightness, 0.0, 1.0)
    mean = jnp.mean(_luma(image))
    image = jnp.clip(mean + contrast * (image - mean), 0.0, 1.0)
    return jnp.clip(_luma(image) + saturation * (image - _luma(image)), 0.0, 1.0)


def three_of_ten(key: Key, texture: Image) -> Image:
    """Three different changes of DRAEM's ten (arXiv 2108.07610). Theirs come in any order, these in the order below.

    Brightness changes all channels alike, not a channel of a random colour space.
    """
    k_which, *keys = jax.random.split(key, 1 + len(TEN))
    chosen = jax.random.permutation(k_which, len(TEN)) < 3
    for each, k_each, change in zip(chosen, keys, TEN):
        texture = jnp.where(each, jnp.clip(change(k_each, texture), 0.0, 1.0), texture)
    return texture


def _luma(image: Image) -> Float[Array, "h w 1"]:
    return jnp.sum(image * LUMA, axis=-1, keepdims=True) if image.shape[-1] == 3 else jnp.mean(image, -1, keepdims=True)


def rotate(key: Key, image: Image, degrees: float = 45.0) -> Image:
    """About the centre by up to ± `degrees`, black where nothing is."""
    height, width, _ = image.shape
    turn = jnp.deg2rad(jax.random.uniform(key, (), minval=-degrees, maxval=degrees))
    y, x = grid((height, width))
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    rows = y * jnp.cos(turn) + x * jnp.sin(turn) + (height - 1) / 2
    return bilinear(image, rows, x * jnp.cos(turn) - y * jnp.sin(turn) + (width - 1) / 2, outside=0.0)


def _gamma(key: Key, image: Image) -> Image:
    """The exponent's range is that of the factor."""
    exponent = jax.random.uniform(key, image.shape[-1:], minval=0.5, maxval=2.0)
    return jnp.maximum(image, 1e-6) ** exponent[None, None]


def _brightness(key: Key, image: Image) -> Image:
    factor, offset = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
    return image * (1.0 + 0.2 * factor) + offset * 30 / 255


def _sharpness(key: Key, image: Image) -> Image:
    """Between smoothed (0) and sharpened (2), with Pillow's kernel."""
    factor = jax.random.uniform(key, (), maxval=2.0)
    wide = jnp.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width, _ = image.shape
    box = sum(wide[i : i + height, j : j + width] for i in range(3) for j in range(3))
    smooth = (box + 4 * image) / 13
    return smooth + factor * (image - smooth)


def _hue_and_saturation(key: Key, image: Image) -> Image:
    """Hue by up to ± 50/255 of the circle, saturation by ± 50/255."""
    if image.shape[-1] != 3:
        return image
    turn, more = jax.random.uniform(key, (2,), minval=-50 / 255, maxval=50 / 255)
    high, low = jnp.max(image, -1), jnp.min(image, -1)
    spread = high - low
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    safe = jnp.maximum(spread, 1e-6)
    hue = jnp.where(high == r, (g - b) / safe, jnp.where(high == g, 2.0 + (b - r) / safe, 4.0 + (r - g) / safe)) / 6.0
    saturation = jnp.clip(spread / jnp.maximum(high, 1e-6) + more, 0.0, 1.0)
    sector = ((hue + turn) * 6.0)[..., None] + np.array([5.0, 3.0, 1.0], np.float32)[None, None]
    sector = sector - 6.0 * jnp.floor(sector / 6.0)
    ramp = jnp.clip(jnp.minimum(sector, 4.0 - sector), 0.0, 1.0)
    return high[..., None] * (1.0 - saturation[..., None] * ramp)


def _solarize(key: Key, image: Image) -> Image:
    """With probability ½, inverts what is brighter than a threshold of 32 to 128."""
    k_happens, k_threshold = jax.random.split(key)
    threshold = jax.random.uniform(k_threshold, (), minval=32 / 255, maxval=128 / 255)
    return jnp.where(jax.random.bernoulli(k_happens) & (image >= threshold), 1.0 - image, image)


def _posterize(key: Key, image: Image) -> Image:
    """To the levels of 1 to 8 bits, at the middles of their bins."""
    bins = 2.0 ** jax.random.randint(key, (), 1, 9).astype(jnp.float32)
    return (jnp.minimum(jnp.floor(image * bins), bins - 1.0) + 0.5) / bins


def _invert(key: Key, image: Image) -> Image:
    del key
    return 1.0 - image


def _sorted(image: Image) -> Float[Array, "n c"]:
    return jnp.sort(image[::STRIDE, ::STRIDE].reshape(-1, image.shape[-1]), axis=0)


def _autocontrast(key: Key, image: Image) -> Image:
    """Stretches each channel over the range, up to 20 % of its pixels cut off at either end."""
    values = _sorted(image)
    cut = (jax.random.uniform(key, (), maxval=0.2) * (len(values) - 1)).astype(jnp.int32)
    low, high = values[cut][None, None], values[len(values) - 1 - cut][None, None]
    return jnp.where(high > low, (image - low) / jnp.maximum(high - low, 1e-6), image)


def _equalize(key: Key, image: Image) -> Image:
    """Each channel's values become their ranks."""
    del key
    levels = jnp.arange(LEVELS, dtype=jnp.float32) / (LEVELS - 1)
    values = _sorted(image)
    ranks = jax.vmap(lambda v: jnp.searchsorted(v, levels, side="right"), in_axes=1)(values).astype(jnp.float32)
    index = jnp.round(image * (LEVELS - 1)).astype(jnp.int32)
    return jnp.stack([ranks[c][index[..., c]] for c in range(image.shape[-1])], axis=-1) / len(values)


TEN = (
    rotate,
    _sharpness,
    _gamma,
    _brightness,
    _hue_and_saturation,
    _solarize,
    _posterize,
    _invert,
    _autocontrast,
    _equalize,
)
