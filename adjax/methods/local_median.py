"""Residual to a local median: a strong filter on textures and filaments, and no learning at all.

Axes: b batch, h height, w width, c channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Method, Prediction


def local_median(*, side: int = 21, bins: int = 64, rule: str = "max") -> Method:
    """|I - median of the side x side neighbourhood|, of the mean over channels."""

    def score(state, batch: Batch, keys) -> Prediction:
        del state, keys
        grey = jnp.mean(batch["image"], axis=-1)
        anomaly_map = jnp.abs(grey - median(grey, side, bins))
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map)

    return Method(lambda key, batch, info: (), {}, score)


def median(images: Float[Array, "b h w"], side: int, bins: int) -> Float[Array, "b h w"]:
    """Local median of images in [0, 1], exact to 1/bins and interpolated within a bin; borders are reflected.

    For each edge between bins, the pixels below it are counted in every window: 0.16 s for 1024² and 21×21 on two
    cores, where a sorting filter takes 5 s. Counts fit int16, which is twice as fast as float32: side is at most 181.
    """
    half, pad = side * side / 2.0, side // 2
    wide = jnp.pad(images, ((0, 0), (pad, pad), (pad, pad)), mode="symmetric")

    def step(carry, edge):
        below, value = carry
        # The last bin holds the 1.0 too.
        marked = ((wide < edge) | (edge >= 1.0)).astype(jnp.int16)
        count = _box(_box(marked, (1, side, 1)), (1, 1, side)).astype(jnp.float32)
        crossed = (below <= half) & (count > half)
        inside = edge + ((half - below) / jnp.maximum(count - below, 1.0) - 1.0) / bins
        return (count, jnp.where(crossed, inside, value)), None

    edges = jnp.asarray(np.arange(1, bins + 1) / bins, jnp.float32)
    (_, value), _ = jax.lax.scan(step, (jnp.zeros_like(images), jnp.zeros_like(images)), edges)
    return value


def _box(counts: Int[Array, "b h w"], window: tuple[int, int, int]) -> Int[Array, "b h w"]:
    return jax.lax.reduce_window(counts, jnp.int16(0), jax.lax.add, window, (1, 1, 1), "valid")
