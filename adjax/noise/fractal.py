"""Octaves of simplex noise, as AnoDDPM adds to images (Wyatt et al. 2022, section 3.2).

Axes: b batch, h height, w width, c channels, o octaves, d dimensions of the lattice.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, UInt32

from adjax.noise.simplex import SQUISH2, simplex2, simplex3
from adjax.types import Key, UserError


def fractal(
    keys: Key,
    shape: tuple[int, int, int],
    time: Float[Array, "b"] | None = None,
    *,
    frequency: float = 64.0,
    octaves: int = 6,
    persistence: float = 0.8,
    dims: int = 3,
    shift: bool = True,
    dtype: jnp.dtype = jnp.float32,
) -> Float[Array, "b h w c"]:
    """Σ_o persistence^o · simplex(x/f_o, y/f_o, time/f_o) with f_o = frequency / 2^o, anew for each key and channel.

    `frequency` is the published name of the largest *wavelength*, in pixels; `time` is measured in pixels too. With the
    defaults, which are the published ones, the standard deviation is 0.506, not 1. `dims=2` has no time and costs half.

    The published lattice lies still under the image: every octave is 0 where the nodes lie (at time 0 in the corner
    pixel), so the variance depends on the pixel. `shift` moves each octave by a random amount instead, after which no
    pixel and no time differs from another; without it only the octaves' seeds are random, as published.
    """
    if dims not in (2, 3) or (dims == 2 and time is not None):
        raise UserError(f"simplex noise of dims={dims} with time {time}; choose dims=3, or dims=2 without time")
    time = jnp.zeros(keys.shape) if time is None else time

    def image(key: Key, t: Float[Array, ""]) -> Float[Array, "h w c"]:
        seeds, shifts = draw(key, octaves, shape[2], dims, shift)

        def channel(c: int) -> Float[Array, "h w"]:
            """Into one sum, octave by octave."""
            total = jnp.zeros(shape[:2])
            for o in range(octaves):
                total += persistence**o * octave(seeds[o, c], shifts[o, c], shape[:2], t, jnp.float32(2**o / frequency))
            return total

        # Each channel on its own: with all of them in one array XLA computes the octaves in the order of the output,
        # whose last axis of three leaves the vector units half empty (four times as long on a CPU).
        return jnp.stack([channel(c) for c in range(shape[2])], axis=-1).astype(dtype)

    return jax.vmap(image)(keys, time)


def draw(
    key: Key, octaves: int, channels: int, dims: int, shift: bool
) -> tuple[UInt32[Array, "o c d"], Float[Array, "o c d"]]:
    """Seeds, and shifts that are uniform over whole periods of the lattice."""
    k_seed, k_shift = jax.random.split(key)
    size = (octaves, channels, dims)
    seeds = jax.random.bits(k_seed, size, jnp.uint32)
    if not shift:
        return seeds, jnp.zeros(size)
    cell = jax.random.uniform(k_shift, size)
    if dims == 3:
        return seeds, 6 * cell  # the published lattice repeats every 6 along each axis
    return seeds, cell + np.float32(SQUISH2) * cell.sum(-1, keepdims=True)


@partial(jax.jit, static_argnames="size")  # traced once for all octaves and channels; XLA inlines it
def octave(
    seed: UInt32[Array, "d"],
    shift: Float[Array, "d"],
    size: tuple[int, int],
    t: Float[Array, ""],
    scale: Float[Array, ""],
) -> Float[Array, "h w"]:
    x = lax.broadcasted_iota(jnp.float32, size, 1) * scale + shift[0]
    y = lax.broadcasted_iota(jnp.float32, size, 0) * scale + shift[1]
    if len(shift) == 2:
        return simplex2(seed, x, y)
    return simplex3(seed, x, y, jnp.broadcast_to(t * scale + shift[2], size))
