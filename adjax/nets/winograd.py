"""Convolutions by Winograd's minimal filtering: fewer multiplications for every square of the result.

As Lavin and Gray 2016 (arXiv 1509.09308) compute 3x3 kernels: image and kernel are transformed by sums, multiplied as
matrix products over all squares of the result, and transformed back. F(4x4, 3x3) needs 36 multiplications for every 4x4
pixels of the result instead of 144, F(3x3, 4x4) 36 for every 3x3 pixels instead of 144, F(3x3, 5x5) 49 for every 3x3
pixels instead of 225. In float32 the result differs from the plain sum's by rounding, more with more points. One strip
of rows is computed after the other: the sums of all of them would take several times the image's memory, and longer.

Axes: b batch, h height, w width, c channels, f features, k l sides of the kernel, i j points by height and width,
s t pixels of a square of the result, p squares, n matrix products.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jax import lax
from jaxtyping import Array, Float

Matrix = Sequence[Sequence[float]]
Padding = tuple[tuple[int, int], tuple[int, int]]
STRIP = 2**26  # sums of the image and of the result that are kept at a time, 256 MB


class Rule(NamedTuple):
    """The transforms of image, kernel and result along one axis: Lavin and Gray's B^T, G and A^T."""

    image: Matrix
    kernel: Matrix
    result: Matrix


def rule(square: int, side: int, points: Sequence[float]) -> Rule:
    """F(`square`, `side`) after Toom and Cook: polynomials by their values at `points` and at infinity.

    The points' number is square + side - 2.
    """
    powers = lambda number: np.vander([*points, 0.0], number, increasing=True)
    image, kernel, result = np.zeros((len(points) + 1,) * 2), powers(side), powers(square)
    kernel[-1], result[-1] = np.eye(side)[-1], np.eye(square)[-1]
    image[-1] = np.poly(points)[::-1]
    for row, point in enumerate(points):
        others = np.delete(points, row)
        image[row, :-1] = np.poly(others)[::-1]
        kernel[row] /= np.prod(point - others)
    return Rule(image.tolist(), kernel.tolist(), result.T.tolist())


POINTS = (0, 1, -1, 0.5, -2, -0.5)  # of five, 0.5 instead of 2 leaves less rounding
RULES = {3: rule(4, 3, POINTS[:5]), 4: rule(3, 4, POINTS[:5]), 5: rule(3, 5, POINTS)}  # by the kernel's side


def conv(x: Float[Array, "b h w c"], kernel: Float[Array, "k k c f"], padding: Padding) -> Float[Array, "b h2 w2 f"]:
    """Stride 1, `padding` zeros around."""
    side, transforms = len(kernel), RULES[len(kernel)]
    (h, w), (number, rows) = _sides(x, padding, side), _strips(x, kernel.shape[-1], padding, transforms)
    x = _whole(x, padding, transforms, number * rows)
    filters = _transform(transforms.kernel, kernel)

    def strip(index):
        part = lax.dynamic_slice_in_dim(x, index * rows, rows + side - 1, 1)
        image = _squares(part, transforms)
        products = (_flat(image) @ _flat(filters)).reshape(*image.shape[:-1], kernel.shape[-1])
        pixels = _transform(transforms.result, products)
        return rearrange(pixels, "s t b h w f -> b (h s) (w t) f")

    strips = lax.map(strip, jnp.arange(number))
    return rearrange(strips, "n b h w f -> b (n h) w f")[:, :h, :w]


def kernel_gradient(
    x: Float[Array, "b h w c"], cotangent: Float[Array, "b h2 w2 f"], side: int, padding: Padding
) -> Float[Array, "k k c f"]:
    """Of <cotangent, conv(x, kernel, padding)>; `side` is the kernel's."""
    transforms, f = RULES[side], cotangent.shape[-1]
    points, square = len(transforms.image), len(transforms.result)
    (h, w), (number, rows) = _sides(x, padding, side), _strips(x, f, padding, transforms)
    x = _whole(x, padding, transforms, number * rows)
    whole = jnp.pad(cotangent, ((0, 0), (0, number * rows - h), (0, -w % square), (0, 0)))

    def add(total, index):
        part = lax.dynamic_slice_in_dim(whole, index * rows, rows, 1)
        seen = lax.dynamic_slice_in_dim(x, index * rows, rows + side - 1, 1)
        back = _transposed(transforms.result)
        given = _transform(back, part, lambda x, s: x[:, s::square], lambda x, t: x[:, :, :, t::square])
        return total + _flat(given).swapaxes(1, 2) @ _flat(_squares(seen, transforms)), None

    total, _ = lax.scan(add, jnp.zeros((points**2, f, x.shape[-1]), x.dtype), jnp.arange(number))
    total = total.reshape(points, points, *total.shape[1:])
    taps = _transform(_transposed(transforms.kernel), total)
    return rearrange(taps, "k l f c -> k l c f")


def _sides(x: Array, padding: Padding, side: int) -> tuple[int, int]:
    h, w = (size + sum(edge) - side + 1 for size, edge in zip(x.shape[1:3], padding, strict=True))
    return h, w


def _strips(x: Array, features: int, padding: Padding, transforms: Rule) -> tuple[int, int]:
    """Into how many strips the result is cut, and their rows: whole squares."""
    points, square = len(transforms.image), len(transforms.result)
    h, w = _sides(x, padding, len(transforms.kernel[0]))
    high, wide = -(-h // square), -(-w // square)
    number = min(high, -(-(points**2 * len(x) * high * wide * (x.shape[-1] + features)) // STRIP))
    rows = -(-high // number)
    return -(-high // rows), rows * square


def _whole(x: Array, padding: Padding, transforms: Rule, rows: int) -> Array:
    """Padded so that the result has so many rows, and columns of whole squares."""
    h, w = _sides(x, padding, len(transforms.kernel[0]))
    (top, bottom), (left, right) = padding
    return jnp.pad(x, ((0, 0), (top, bottom + rows - h), (left, right + -w % len(transforms.result)), (0, 0)))


def _squares(x: Float[Array, "b h w c"], transforms: Rule) -> Float[Array, "j i b h2 w2 c"]:
    """The sums over the pixels that each square of the result is made of."""
    square, side = len(transforms.result), len(transforms.kernel[0])
    h, w = (size - side + 1 for size in x.shape[1:3])
    row, column = lambda x, i: x[:, i : i + h : square], lambda x, j: x[:, :, :, j : j + w : square]
    return _transform(transforms.image, x, row, column)


def _flat(x: Float[Array, "j i ... c"]) -> Float[Array, "n p c"]:
    """As matrices: XLA takes twice as long to sum over several axes."""
    return x.reshape(x.shape[0] * x.shape[1], -1, x.shape[-1])


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _transform(
    matrix: Matrix, x: Array, row: Callable = lambda x, i: x[i], column: Callable = lambda x, j: x[:, j]
) -> Array:
    """matrix @ parts @ matrix.T, of which `row` gives those of a row and `column` one of these; column first."""
    return _along(matrix, column, _along(matrix, row, x))


def _along(matrix: Matrix, part: Callable, x: Array) -> Array:
    parts = [part(x, index) for index in range(len(matrix[0]))]
    return jnp.stack([_sum(weights, parts) for weights in matrix])


def _sum(weights: Sequence[float], parts: Sequence[Array]) -> Array:
    terms = [part if weight == 1 else weight * part for weight, part in zip(weights, parts, strict=True) if weight]
    return sum(terms[1:], terms[0])
