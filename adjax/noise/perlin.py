"""Perlin noise and the anomaly masks that DRAEM cuts from it (Zavrtanik et al. 2021, arXiv 2108.07610).

Axes: b batch, h height, w width, i lattice rows, j lattice columns.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from adjax.types import Key


def perlin(keys: Key, size: tuple[int, int], res: Int[Array, "b 2"], *, largest: int = 32) -> Float[Array, "b h w"]:
    """One octave of √2 × gradient noise in [−1, 1]; `res` counts the cells (rows, columns) and is at most `largest`.

    Fading is linear in each corner's gradient, so the sum over the corners is two small matrix products: no gather, and
    `res` may differ from image to image in one program. Sides need not be multiples of `res`.
    """

    def image(key: Key, cells: Int[Array, "2"]) -> Float[Array, "h w"]:
        angle = jax.random.uniform(key, (largest + 1, largest + 1), maxval=2 * np.pi)
        (row, row_slope), (column, column_slope) = (weights(n, cells[axis], largest) for axis, n in enumerate(size))
        left = jnp.concatenate([row_slope @ jnp.cos(angle), row @ jnp.sin(angle)], axis=1)
        right = jnp.concatenate([column, column_slope], axis=1)
        return np.float32(2**0.5) * left @ right.T

    with jax.default_matmul_precision("highest"):
        return jax.vmap(image)(keys, res)


def weights(n: int, cells: Int[Array, ""], largest: int) -> tuple[Float[Array, "n i"], Float[Array, "n i"]]:
    """What the gradient at each lattice point weighs in each pixel, and the same times the pixel's distance from it."""
    at = jnp.arange(n, dtype=jnp.float32) * (cells.astype(jnp.float32) / n)
    d = at[:, None] - jnp.arange(largest + 1, dtype=jnp.float32)[None]
    t = jnp.minimum(jnp.abs(d), np.float32(1))
    weight = 1 - t**3 * (t * (6 * t - 15) + 10)
    return weight, weight * d


def draem_field(keys: Key, size: tuple[int, int], *, scales: tuple[int, int] = (0, 6)) -> Float[Array, "b h w"]:
    """Perlin noise of 2^j cells, j drawn per axis from range(*scales), turned by up to 90° either way, 0 outside."""

    def draw(key: Key):
        k_scale, k_field, k_angle = jax.random.split(key, 3)
        res = 2 ** jax.random.randint(k_scale, (2,), *scales)
        return res, k_field, jax.random.uniform(k_angle, minval=-np.pi / 2, maxval=np.pi / 2)

    res, fields, angles = jax.vmap(draw)(keys)
    return jax.vmap(rotate)(perlin(fields, size, res, largest=2 ** (scales[1] - 1)), angles)


def draem_mask(
    keys: Key, size: tuple[int, int], *, threshold: float = 0.5, scales: tuple[int, int] = (0, 6)
) -> Bool[Array, "b h w"]:
    """At 256² and the published threshold 4.9 % of the pixels on average, and nothing in about 5 % of the draws.

    The published scales are relative to the side; for larger images raise them to keep the blobs' size in pixels.
    """
    return draem_field(keys, size, scales=scales) > threshold


def rotate(image: Float[Array, "h w"], angle: Float[Array, ""]) -> Float[Array, "h w"]:
    """About the centre, bilinear, zeros from outside; the angle in radians."""
    h, w = image.shape
    y = lax.broadcasted_iota(jnp.float32, (h, w), 0) - np.float32((h - 1) / 2)
    x = lax.broadcasted_iota(jnp.float32, (h, w), 1) - np.float32((w - 1) / 2)
    c, s = jnp.cos(angle), jnp.sin(angle)
    # One ring of zeros, in which everything outside ends up.
    padded = jnp.pad(image, 1)
    rows = jnp.clip(c * y - s * x + np.float32((h - 1) / 2 + 1), 0, h + 1)
    columns = jnp.clip(s * y + c * x + np.float32((w - 1) / 2 + 1), 0, w + 1)
    row, column = jnp.minimum(jnp.floor(rows), h), jnp.minimum(jnp.floor(columns), w)
    fy, fx = rows - row, columns - column
    first = row.astype(jnp.int32) * (w + 2) + column.astype(jnp.int32)
    nw, ne, sw, se = (padded.reshape(-1)[first + step] for step in (0, 1, w + 2, w + 3))
    return (1 - fy) * ((1 - fx) * nw + fx * ne) + fy * ((1 - fx) * sw + fx * se)
