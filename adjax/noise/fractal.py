"""Octaves of simplex noise, as AnoDDPM adds to images (Wyatt et al. 2022, section 3.2).

Axes: b batch, h height, w width, c channels, o octaves, d dimensions of the lattice.
"""

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

        def add(o, total):
            scale = jnp.exp2(o.astype(jnp.float32)) / frequency
            return total + persistence ** o.astype(jnp.float32) * octave(seeds[o], shifts[o], shape[:2], t, scale)

        # Channels first while it is computed: a last axis of three would leave the vector units half empty.
        total = lax.fori_loop(0, octaves, add, jnp.zeros((shape[2], *shape[:2])), unroll=2)
        return jnp.moveaxis(total.astype(dtype), 0, 2)

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


def octave(
    seed: UInt32[Array, "c d"], shift: Float[Array, "c d"], size: tuple[int, int], t: Float[Array, ""], scale
) -> Float[Array, "c h w"]:
    c, dims = seed.shape
    parts = [shift[:, axis, None, None] for axis in range(dims)]
    x = lax.broadcasted_iota(jnp.float32, (c, *size), 2) * scale + parts[0]
    y = lax.broadcasted_iota(jnp.float32, (c, *size), 1) * scale + parts[1]
    seeds = [seed[:, axis, None, None] for axis in range(dims)]
    if dims == 2:
        return simplex2(seeds, x, y)
    return simplex3(seeds, x, y, jnp.broadcast_to(t * scale + parts[2], x.shape))
