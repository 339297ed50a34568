"""What methods that remember features of normal images share: a bank, filled in one pass.

Their states have a `bank` and `left`, how many images of the first pass are to come.
Axes: b batch, r vectors of an image, i grid height, j grid width, d dimensions.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from adjax.fitted import reservoir
from adjax.fitted.coreset import affordable
from adjax.fitted.reservoir import Reservoir
from adjax.nets.patches import first_pass, valid_patches
from adjax.types import Batch, Info, Key


def empty(info: Info, each: int, dimensions: int, memory_mb: float) -> tuple[Reservoir, Int[Array, ""]]:
    """A bank for `each` vectors of every training image, or for a random share of them that fits into `memory_mb`
    (0: all); and how many images of the first pass are to come."""
    images = info.counts["train"]
    return reservoir.empty(affordable(images * each, dimensions, memory_mb), dimensions), jnp.int32(images)


def collect(
    state: Any, what: str, vectors: Float[Array, "b r d"], real: Bool[Array, "b r"], batch: Batch, key: Key
) -> tuple[Any, dict[str, Array]]:
    """An update: the state with the vectors that are `real`, of images of the first pass; how many were seen of
    `what`."""
    first, left = first_pass(state.left, batch)
    wanted = (first[:, None] & real).reshape(-1)
    bank = reservoir.fill(state.bank, vectors.reshape(-1, vectors.shape[-1]), wanted, key)
    return state._replace(bank=bank, left=left), {what: bank.seen.astype(jnp.float32)}


def collect_patches(state: Any, features: Float[Array, "b i j d"], batch: Batch, key: Key):
    """`collect` of the patches that count."""
    b, i, j, d = features.shape
    real = valid_patches(batch, (i, j)).reshape(b, -1)
    return collect(state, "patches", features.reshape(b, -1, d), real, batch, key)


def collect_images(state: Any, vectors: Float[Array, "b d"], batch: Batch, key: Key):
    """`collect` of one vector for each image."""
    return collect(state, "images", vectors[:, None], jnp.ones((len(vectors), 1), bool), batch, key)
