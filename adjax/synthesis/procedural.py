"""Textures without files: stripes, clouds and ridges between two colours.

Axes: h height, w width, c channels. Lengths are in pixels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.noise.fractal import fractal
from adjax.synthesis.boxes import grid
from adjax.types import Key

OCTAVES, PERSISTENCE = 4, 0.6
SPREAD = 0.39  # standard deviation of the field: 0.314 an octave


def procedural(key: Key, shape: tuple[int, int, int]) -> Float[Array, "h w c"]:
    """A texture in [0, 1]: one of three patterns of one noise field, in a random scale, direction, contrast and grain.

    The longest wavelength is 1/16 to 1/2 of the shorter side, a stripe's period 1/32 to 1/4 and at least 3 pixels.
    """
    k_field, k_draw, k_kind, k_colours, k_grain = jax.random.split(key, 5)
    height, width, channels = shape
    side = float(min(height, width))
    longest, period, turn, warp, gain, grain = jax.random.uniform(k_draw, (6,))
    longest, period = side / 16 * 8**longest, jnp.maximum(side / 32 * 8**period, 3.0)
    field = fractal(
        k_field[None], (height, width, 1), frequency=longest, octaves=OCTAVES, persistence=PERSISTENCE, dims=2
    )
    field = field[0, ..., 0] / SPREAD
    y, x = grid((height, width))
    along = (x * jnp.cos(np.pi * turn) + y * jnp.sin(np.pi * turn)) / period
    patterns = jnp.stack([jnp.sin(2 * np.pi * (along + 0.5 * warp * field)), 0.5 * field, 1.0 - jnp.abs(field)])
    pattern = patterns[jax.random.randint(k_kind, (), 0, len(patterns))]
    mix = jnp.clip(0.5 + (0.25 + 0.5 * gain) * pattern, 0.0, 1.0)[..., None]
    low, high = jax.random.uniform(k_colours, (2, 1, 1, channels))
    texture = low + (high - low) * mix + 0.1 * grain * jax.random.normal(k_grain, shape)
    return jnp.clip(texture, 0.0, 1.0)
