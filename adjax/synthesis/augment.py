"""Colour jitter, and the ten changes that DRAEM makes to its textures.

Axes: h height, w width, c channels, v values of a channel.

Values are shares of the range [0, 1]; three channels are red, green, blue, and what needs them leaves other images as
they are.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.synthesis.boxes import bilinear, grid
from adjax.synthesis.planted import of_bits
from adjax.types import Key

Image = Float[Array, "h w c"]
Values = Float[Array, "v c"]
LUMA = np.array([[[0.299, 0.587, 0.114]]], np.float32)
LEVELS = 256


def jitter(key: Key, image: Image, amount: float = 0.1) -> Image:
    """Brightness, contrast and saturation times factors from 1 ± `amount`. The hue stays."""
    brightness, contrast, saturation = jax.random.uniform(key, (3,), minval=1 - amount, maxval=1 + amount)
    image = jnp.clip(image * brightness, 0.0, 1.0)
    mean = jnp.mean(_luma(image))
    image = jnp.clip(mean + contrast * (image - mean), 0.0, 1.0)
    return jnp.clip(_luma(image) + saturation * (image - _luma(image)), 0.0, 1.0)


def jitter_one(key: Key, image: Image, amount: float = 0.2) -> Image:
    """Brightness, contrast or saturation times a factor from 1 ± `amount`; the others stay."""
    k_which, k_factor = jax.random.split(key)
    luma = _luma(image)
    fixed = jnp.stack([jnp.zeros_like(luma), jnp.full_like(luma, jnp.mean(luma)), luma])  # what the factor leaves alone
    fixed = fixed[jax.random.randint(k_which, (), 0, len(fixed))]
    factor = jax.random.uniform(k_factor, (), minval=1 - amount, maxval=1 + amount)
    return jnp.clip(fixed + factor * (image - fixed), 0.0, 1.0)


def sometimes_grey(key: Key, image: Image, share: float) -> Image:
    return jnp.where(jax.random.bernoulli(key, share), jnp.broadcast_to(_luma(image), image.shape), image)


def three_of_ten(key: Key, texture: Image) -> Image:
    """Three different changes of DRAEM's ten (arXiv 2108.07610). Theirs come in any order, these in that of the tables
    below; and brightness changes all channels alike here, not a channel of a random colour space.

    The last seven change every value of a channel by itself: they act on the table of 256 values and on a sample of
    the texture's own, and the texture is looked up once, at 8 bits as theirs.
    """
    k_which, *keys = jax.random.split(key, 1 + len(SPATIAL) + len(TABULAR))
    chosen = jax.random.permutation(k_which, len(SPATIAL) + len(TABULAR)) < 3

    def change(number: int, function: Callable, value: Array) -> Array:
        made = of_bits(lambda k, v: jnp.clip(function(k, v), 0.0, 1.0), key)
        return jax.lax.cond(chosen[number], made, lambda _, v: v, jax.random.key_data(keys[number]), value)

    for number, function in enumerate(SPATIAL):
        texture = change(number, function, texture)
    values = jnp.concatenate([ramp(texture.shape[-1]), sample(texture)])
    for number, function in enumerate(TABULAR, start=len(SPATIAL)):
        values = change(number, function, values)
    return look_up(values[:LEVELS], texture)


def ramp(channels: int) -> Values:
    """All values of 8 bits, in every channel."""
    return jnp.broadcast_to((jnp.arange(LEVELS, dtype=jnp.float32) / (LEVELS - 1))[:, None], (LEVELS, channels))


def sample(image: Image) -> Values:
    """Some thousand values of each channel, in order."""
    step = max(1, min(image.shape[:2]) // 32)
    return jnp.sort(image[::step, ::step].reshape(-1, image.shape[-1]), axis=0)


def look_up(tables: Values, image: Image) -> Image:
    index = jnp.round(image * (LEVELS - 1)).astype(jnp.int32)
    channels = jnp.arange(image.shape[-1])[None, None]
    return tables.reshape(-1).at[index * image.shape[-1] + channels].get(mode="promise_in_bounds")


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


def _sharpness(key: Key, image: Image) -> Image:
    """Between smoothed (0) and sharpened (2), with Pillow's kernel."""
    factor = jax.random.uniform(key, (), maxval=2.0)
    wide = jnp.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    smooth = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4.0 * image) / 13.0
    return smooth + factor * (image - smooth)


def _hue_and_saturation(key: Key, image: Image) -> Image:
    """Hue by up to ± 50/255 of the circle, saturation by ± 50/255."""
    if image.shape[-1] != 3:
        return image
    turn, more = jax.random.uniform(key, (2,), minval=-50 / 255, maxval=50 / 255)
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    high = jnp.maximum(jnp.maximum(r, g), b)
    spread = high - jnp.minimum(jnp.minimum(r, g), b)
    safe = jnp.maximum(spread, 1e-6)
    hue = jnp.where(high == r, (g - b) / safe, jnp.where(high == g, 2.0 + (b - r) / safe, 4.0 + (r - g) / safe))
    saturation = jnp.clip(spread / jnp.maximum(high, 1e-6) + more, 0.0, 1.0)
    sector = (hue + 6.0 * turn)[..., None] + np.array([[[5.0, 3.0, 1.0]]], np.float32)
    sector = sector - 6.0 * jnp.floor(sector / 6.0)
    missing = jnp.clip(jnp.minimum(sector, 4.0 - sector), 0.0, 1.0)
    return high[..., None] * (1.0 - saturation[..., None] * missing)


def _autocontrast(key: Key, values: Values) -> Values:
    """Stretches each channel over the range, up to 20 % of its pixels cut off at either end."""
    own = values[LEVELS:]
    cut = (jax.random.uniform(key, (), maxval=0.2) * (len(own) - 1)).astype(jnp.int32)
    low, high = own[cut][None], own[len(own) - 1 - cut][None]
    return jnp.where(high > low, (values - low) / jnp.maximum(high - low, 1e-6), values)


def _equalize(key: Key, values: Values) -> Values:
    """Each channel's values become their ranks."""
    del key
    rank = jax.vmap(lambda ordered, v: jnp.searchsorted(ordered, v, side="right"), in_axes=1, out_axes=1)
    return rank(values[LEVELS:], values).astype(jnp.float32) / (len(values) - LEVELS)


def _gamma(key: Key, values: Values) -> Values:
    """The exponent's range is that of the factor."""
    exponent = jax.random.uniform(key, (1, values.shape[1]), minval=0.5, maxval=2.0)
    return jnp.maximum(values, 1e-6) ** exponent


def _brightness(key: Key, values: Values) -> Values:
    factor, offset = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
    return values * (1.0 + 0.2 * factor) + offset * 30 / 255


def _solarize(key: Key, values: Values) -> Values:
    """With probability ½, inverts what is brighter than a threshold of 32 to 128."""
    k_happens, k_threshold = jax.random.split(key)
    threshold = jax.random.uniform(k_threshold, (), minval=32 / 255, maxval=128 / 255)
    return jnp.where(jax.random.bernoulli(k_happens) & (values >= threshold), 1.0 - values, values)


def _posterize(key: Key, values: Values) -> Values:
    """To the levels of 1 to 8 bits, at the middles of their bins."""
    bins = 2.0 ** jax.random.randint(key, (), 1, 9).astype(jnp.float32)
    return (jnp.minimum(jnp.floor(values * bins), bins - 1.0) + 0.5) / bins


def _invert(key: Key, values: Values) -> Values:
    del key
    return 1.0 - values


SPATIAL = (rotate, _sharpness, _hue_and_saturation)
# On the table with the texture's own values behind it; the first two need these in order, and keep them so.
TABULAR = (_autocontrast, _equalize, _gamma, _brightness, _posterize, _solarize, _invert)
