"""Histograms of hue, saturation and value: what an image's colours are, wherever they are.

Axes: b batch, h height, w width, n bins, d dimensions.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from adjax.types import UserError

DARKEST = 0.05  # value below which a pixel has no hue worth counting


def hsv(image: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
    """All in [0, 1]; the hue, a part of the circle, is below 1, and 0 for grey."""
    value, lowest = image.max(-1), image.min(-1)
    spread = value - lowest
    red, green, blue = (image[..., i] for i in range(3))
    safe = jnp.where(spread > 0, spread, 1)
    sextant = jnp.where(
        value == red,
        (green - blue) / safe,
        jnp.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = jnp.where(spread > 0, (sextant / 6) % 1, 0)
    return jnp.stack([jnp.where(hue < 1, hue, 0), spread / jnp.where(value > 0, value, 1), value], axis=-1)


def histograms(image: Float[Array, "b h w c"], valid: Bool[Array, "b h w"], bins: int = 32) -> Float[Array, "b d"]:
    """Shares of the valid pixels in the bins of hue, saturation and value, one after the other; the hue's of those that
    are not dark. An image of one channel has no colour: shares of the value alone."""
    if image.shape[-1] == 1:
        return _shares(image[..., 0], valid, bins)
    if image.shape[-1] != 3:
        raise UserError(f"images of {image.shape[-1]} channels have no colour; set config.data.channels to 3 or 1")
    converted = hsv(image)
    bright = valid & (converted[..., 2] > DARKEST)
    parts = [(converted[..., 0], bright), (converted[..., 1], valid), (converted[..., 2], valid)]
    return jnp.concatenate([_shares(channel, counted, bins) for channel, counted in parts], axis=1)


def _shares(channel: Float[Array, "b h w"], counted: Bool[Array, "b h w"], bins: int) -> Float[Array, "b n"]:
    b = len(channel)
    place = jnp.clip(jnp.floor(channel * bins), 0, bins - 1).astype(jnp.int32).reshape(b, -1)
    weight = counted.astype(jnp.float32).reshape(b, -1)
    rows = jnp.arange(b, dtype=jnp.int32)[:, None]
    total = jnp.zeros((b, bins)).at[rows, place].add(weight)
    return total / jnp.maximum(weight.sum(1, keepdims=True), 1)
