"""Grids of overlapping square tiles that cover every pixel, and the way back by a smooth, normalised window.

Axes: h height, w width, c channels, n tiles, t tile side. Lengths are in pixels. Tiles are numbered row by row; the
last of each row and column lies flush with the border. `count` and `place` take Python or traced integers, so one
compiled program serves every size below its bucket.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.types import UserError


class Grid(NamedTuple):
    size: int  # t, the side of a tile
    stride: int  # step between neighbours; size - stride is the overlap


def check(grid: Grid) -> Grid:
    if not 0 < grid.stride <= grid.size:
        raise UserError(
            f"tile stride {grid.stride} must lie between 1 and the tile size {grid.size}: else pixels are missed"
        )
    return grid


def steps(length, grid: Grid):
    """Tiles along an axis of `length` pixels; one when the tile is larger than the axis."""
    return jnp.maximum(0, -(-(length - grid.size) // grid.stride)) + 1


def count(hw, grid: Grid):
    """Number of tiles of an image of height and width `hw`."""
    return steps(hw[0], grid) * steps(hw[1], grid)


def place(index, hw, grid: Grid):
    """(y, x) of the first pixel of tile `index`."""
    row, column = index // steps(hw[1], grid), index % steps(hw[1], grid)
    last_y, last_x = jnp.maximum(hw[0] - grid.size, 0), jnp.maximum(hw[1] - grid.size, 0)
    return jnp.minimum(row * grid.stride, last_y), jnp.minimum(column * grid.stride, last_x)


def starts(length: int, grid: Grid) -> np.ndarray:
    """The same along one axis on the host, for an axis of at least grid.size pixels."""
    number = -(-(length - grid.size) // grid.stride) + 1
    return np.minimum(np.arange(number) * grid.stride, length - grid.size)


def bucket(length: int, grid: Grid) -> int:
    """The padded length that images of `length` share with their neighbours: 1, 2, 3, 4, 6, 8, 12, 16 ... tiles."""
    tiles = max(1, -(-length // grid.size))
    power = 1 << (tiles.bit_length() - 1)  # the largest power of two not above `tiles`
    if tiles == power:
        return power * grid.size
    return (power * 3 // 2 if power > 1 and tiles <= power * 3 // 2 else power * 2) * grid.size


def window(size: int) -> Float[np.ndarray, "t t"]:
    """Blending weights sin²(π(i+½)/t) along each axis: they sum to one at stride t/2, and are positive everywhere."""
    axis = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    return np.outer(axis, axis).astype(np.float32)


def cut(image: Float[Array, "h w c"], yx, size: int) -> Float[Array, "t t c"]:
    y, x = yx
    return jax.lax.dynamic_slice(image, (y, x, jnp.zeros_like(y)), (size, size, image.shape[-1]))


def tile(image: Float[Array, "h w c"], grid: Grid) -> Float[Array, "n t t c"]:
    """All tiles of an image of at least one tile's size."""
    check(grid)
    ys, xs = starts(image.shape[0], grid), starts(image.shape[1], grid)
    return jnp.stack([image[y : y + grid.size, x : x + grid.size] for y in ys for x in xs])


def stitch(tiles: Float[Array, "n t t c"], hw: tuple[int, int], grid: Grid) -> Float[Array, "h w c"]:
    """The window-weighted mean of overlapping tiles; stitch(tile(x)) == x up to rounding."""
    weight = jnp.asarray(window(grid.size))[..., None]
    places = [(y, x) for y in starts(hw[0], grid) for x in starts(hw[1], grid)]
    total, weights = jnp.zeros((*hw, tiles.shape[-1])), jnp.zeros((*hw, 1))
    for (y, x), piece in zip(places, tiles, strict=True):
        here = (slice(y, y + grid.size), slice(x, x + grid.size))
        total, weights = total.at[here].add(weight * piece), weights.at[here].add(weight)
    return total / weights
