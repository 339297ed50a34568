"""Defects planted in held-out good images, by which options are chosen without a test image.

Axes: b batch, h height, w width, c channels.
"""

import jax
import numpy as np
from jaxtyping import Bool, Float

from adjax.synthesis import batched, one_of, redrawn, scaled, synthesis

DEFECTS, STRENGTH = ("scratch", "blob", "stain", "cutpaste_or_scar"), (0.3, 1.0)
EACH = 2


def planted(held: Float[np.ndarray, "b h w c"]) -> tuple[Float[np.ndarray, "b2 h w c"], Bool[np.ndarray, "b2 h w"]]:
    """The images as they are, then EACH copies of every one with a planted defect, and all masks."""
    plant = jax.jit(batched(scaled(redrawn(one_of([synthesis(n) for n in DEFECTS])), *STRENGTH)))
    found = jax.device_get(plant(jax.random.key(0), np.repeat(held, EACH, 0)))
    return np.concatenate([held, found.image]), np.concatenate([np.zeros(held.shape[:3], bool), found.mask])
