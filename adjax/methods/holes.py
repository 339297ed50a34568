"""A grid of square holes that moves until every pixel was in one.

Axes: b batch, h height, w width, p positions.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adjax.types import UserError

PERIOD = 4  # of the grid, in hole sides


def grid(offsets: Int[Array, "b 2"], hole: int, h: int, w: int) -> Float[Array, "b h w"]:
    """0 in the holes of the grid that begins at each offset, and 1 between them."""
    rows, columns = (
        (jnp.arange(side, dtype=jnp.int32)[None] - offsets[:, axis, None]) % (PERIOD * hole) < hole
        for axis, side in enumerate((h, w))
    )
    return 1.0 - (rows[:, :, None] & columns[:, None, :]).astype(jnp.float32)


def positions(hole: int, overlap: int) -> Int[Array, "p 2"]:
    """All positions of the grid that a score takes: each pixel is in a hole overlap² times."""
    if hole % overlap:
        raise UserError(f"a hole of {hole} px can't move by a {overlap}th of itself: choose a divisor of {hole}")
    steps = jnp.arange(PERIOD * overlap, dtype=jnp.int32) * (hole // overlap)
    return jnp.stack(jnp.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
