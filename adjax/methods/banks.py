"""What methods that remember features of normal images share: a bank, filled in one pass.

Axes: b batch, r vectors of an image, d dimensions.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from adjax.fitted import reservoir
from adjax.fitted.coreset import affordable
from adjax.fitted.reservoir import Reservoir
from adjax.nets.patches import first_pass
from adjax.types import Batch, Info, Key


def empty(info: Info, each: int, dimensions: int, memory_mb: float) -> tuple[Reservoir, Int[Array, ""]]:
    """A bank for `each` vectors of every training image, or for a random share of them that fits into `memory_mb`
    (0: all); and how many images of the first pass are to come."""
    images = info.counts["train"]
    return reservoir.empty(affordable(images * each, dimensions, memory_mb), dimensions), jnp.int32(images)


def fill(
    bank: Reservoir,
    left: Int[Array, ""],
    features: Float[Array, "b r d"],
    real: Bool[Array, "b r"],
    batch: Batch,
    key: Key,
) -> tuple[Reservoir, Int[Array, ""]]:
    """Adds the vectors that are `real`, of images of the first pass, of which `left` are to come."""
    first, left = first_pass(left, batch)
    wanted = (first[:, None] & real).reshape(-1)
    return reservoir.fill(bank, features.reshape(-1, features.shape[-1]), wanted, key), left
