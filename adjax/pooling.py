"""From an anomaly map to one score per image, by a named rule that is stated with every result.

Axes: b batch, h height, w width. `valid` marks the image's own pixels; padding and ignored pixels never count, and
an image (a tile) without any valid pixel scores -inf.
Rules: "max"; "mean"; "top:F", the mean of the fraction F of the pixels with the highest scores ("top:0.0005" is the
mean of the top 0.05 %); "tile", the highest score that the method itself gave to any tile (transforms.tiled only).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from adjax.types import Batch, UserError

RULES = "max, mean, top:FRACTION, tile"


def check(rule: str) -> None:
    """Raises UserError for an unknown rule."""
    if rule not in ("max", "mean", "tile"):
        fraction(rule)


def fraction(rule: str) -> float:
    """F of "top:F"."""
    try:
        value = float(rule.removeprefix("top:"))
    except ValueError:
        value = -1.0
    if not rule.startswith("top:") or not 0.0 < value <= 1.0:
        raise UserError(f"unknown pooling rule '{rule}'; choose from {RULES} with 0 < FRACTION <= 1")
    return value


def valid_pixels(batch: Batch) -> Bool[Array, "b h w"]:
    """The image's own pixels that count: all of them where the batch has neither `_size` nor `_ignore`."""
    b, h, w, _ = batch["image"].shape
    counted = ~batch["_ignore"] if "_ignore" in batch else jnp.ones((b, h, w), bool)
    if "_size" not in batch:
        return counted
    size = batch["_size"]
    rows = jnp.arange(h, dtype=size.dtype)[None] < size[:, :1]
    columns = jnp.arange(w, dtype=size.dtype)[None] < size[:, 1:]
    return rows[:, :, None] & columns[:, None, :] & counted


def pool(maps: Float[Array, "b h w"], rule: str, valid: Bool[Array, "b h w"]) -> Float[Array, "b"]:
    if rule == "max":
        return jnp.max(jnp.where(valid, maps, -jnp.inf), axis=(1, 2))
    pixels = jnp.sum(valid, axis=(1, 2))
    if rule == "mean":
        total = jnp.sum(jnp.where(valid, maps, 0.0), axis=(1, 2))
        return jnp.where(pixels > 0, total / jnp.maximum(pixels, 1).astype(maps.dtype), -jnp.inf)
    share = fraction(rule)
    most = max(1, round(share * maps.shape[1] * maps.shape[2]))
    highest, _ = jax.lax.top_k(jnp.where(valid, maps, -jnp.inf).reshape(maps.shape[0], -1), most)
    wanted = jnp.clip(jnp.round(share * pixels.astype(jnp.float32)), 1.0, float(most))[:, None]
    taken = jnp.arange(most, dtype=jnp.float32)[None] < wanted
    return jnp.sum(jnp.where(taken, highest, 0.0), axis=1) / wanted[:, 0]
