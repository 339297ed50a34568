"""Rectangles of random size and place, and pictures sampled between their pixels.

Axes: h height, w width, c channels. Lengths are in pixels, places (y, x) with pixel centres at whole numbers.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from adjax.types import Key


class Box(NamedTuple):
    y: Int[Array, ""] | int
    x: Int[Array, ""] | int
    height: Int[Array, ""] | int
    width: Int[Array, ""] | int


def draw_size(
    key: Key, sides: tuple[int, int], area: tuple[float, float], aspect: tuple[float, float]
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Height and width: an even share of the image's area, height / width even in its logarithm; cut to the image."""
    k_area, k_aspect = jax.random.split(key)
    share = jax.random.uniform(k_area, (), minval=area[0], maxval=area[1]) * (sides[0] * sides[1])
    root = jnp.exp(0.5 * jax.random.uniform(k_aspect, (), minval=jnp.log(aspect[0]), maxval=jnp.log(aspect[1])))
    lengths = jnp.sqrt(share) * root, jnp.sqrt(share) / root
    height, width = (jnp.clip(jnp.round(n), 1, side).astype(jnp.int32) for n, side in zip(lengths, sides))
    return height, width


def place(key: Key, sides: tuple[int, int], height: Int[Array, ""], width: Int[Array, ""], margin: int = 0) -> Box:
    """A box of this size anywhere in the image, at least `margin` from its border."""
    room = jnp.array(sides) - jnp.stack([height, width]) - 2 * margin
    y, x = jax.random.randint(key, (2,), 0, room + 1) + margin
    return Box(y, x, height, width)


def inside(box: Box, sides: tuple[int, int]) -> Bool[Array, "h w"]:
    rows, columns = jnp.arange(sides[0]) - box.y, jnp.arange(sides[1]) - box.x
    return ((rows >= 0) & (rows < box.height))[:, None] & ((columns >= 0) & (columns < box.width))[None, :]


def grid(sides: tuple[int, int]) -> tuple[Float[Array, "h w"], Float[Array, "h w"]]:
    """y and x of every pixel."""
    y, x = (jnp.arange(n, dtype=jnp.float32) for n in sides)
    return jnp.meshgrid(y, x, indexing="ij")


def bilinear(
    image: Float[Array, "h w c"], y: Float[Array, "m n"], x: Float[Array, "m n"], outside: float | None = None
) -> Float[Array, "m n c"]:
    """The image at (y, x). Beyond its border: the nearest pixel, or `outside`, as if the image were framed by it."""
    height, width, channels = image.shape
    flat = jnp.reshape(image, (-1, channels))
    top, left = jnp.floor(y), jnp.floor(x)
    total = jnp.zeros((*y.shape, channels))
    for row, down in ((top, 1.0 - (y - top)), (top + 1, y - top)):
        for column, right in ((left, 1.0 - (x - left)), (left + 1, x - left)):
            i = jnp.clip(row, 0, height - 1).astype(jnp.int32)
            j = jnp.clip(column, 0, width - 1).astype(jnp.int32)
            value = flat.at[i * width + j].get(mode="promise_in_bounds")
            if outside is not None:
                valid = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                value = jnp.where(valid[..., None], value, outside)
            total = total + (down * right)[..., None] * value
    return total
