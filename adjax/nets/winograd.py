"""Convolutions by Winograd's minimal filtering: fewer multiplications for every square of the result.

As Lavin and Gray 2016 (arXiv 1509.09308) compute 3x3 kernels: image and kernel are transformed by sums, multiplied as
matrix products over all squares of the result, and transformed back. F(2x2, 3x3) needs 16 multiplications for every 2x2
pixels of the result instead of 36, F(3x3, 4x4) 36 for every 3x3 pixels instead of 144, F(2x2, 5x5) 36 for every 2x2
pixels instead of 100. In float32 the result differs from the plain sum's by rounding, more with more points.

Axes: b batch, h height, w width, c channels, f features, k l sides of the kernel, p squares of the result.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from einops import rearrange
from jaxtyping import Array, Float

Matrix = Sequence[Sequence[float]]
Padding = tuple[tuple[int, int], tuple[int, int]]


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


POINTS = (0, 1, -1, 0.5, -2)  # 0.5 instead of 2 leaves less rounding
RULES = {3: rule(2, 3, POINTS[:3]), 4: rule(3, 4, POINTS), 5: rule(2, 5, POINTS)}  # by the kernel's side


def stored(side: int) -> float:
    """How many sums there are for each value of the image, and of the result; `side` is the kernel's."""
    return (len(RULES[side].image) / len(RULES[side].result)) ** 2


def conv(x: Float[Array, "b h w c"], kernel: Float[Array, "k k c f"], padding: Padding) -> Float[Array, "b h2 w2 f"]:
    """Stride 1, `padding` zeros around."""
    transforms = RULES[kernel.shape[0]]
    square, points = len(transforms.result), len(transforms.image)
    h, w = _sides(x, padding, kernel.shape[0])
    filters = _transform(transforms.kernel, lambda i, j: kernel[i, j])
    products = [image @ matrix for image, matrix in zip(_image(x, padding, transforms), filters, strict=True)]
    shape = (x.shape[0], -(-h // square), -(-w // square), kernel.shape[-1])
    parts = _transform(transforms.result, lambda i, j: products[points * i + j])
    pixels = jnp.stack([part.reshape(shape) for part in parts])
    return rearrange(pixels, "(s t) b h w f -> b (h s) (w t) f", s=square)[:, :h, :w]


def kernel_gradient(
    x: Float[Array, "b h w c"], cotangent: Float[Array, "b h2 w2 f"], side: int, padding: Padding
) -> Float[Array, "k k c f"]:
    """Of <cotangent, conv(x, kernel, padding)>; `side` is the kernel's."""
    transforms = RULES[side]
    square, points = len(transforms.result), len(transforms.image)
    whole = jnp.pad(cotangent, ((0, 0), *((0, -size % square) for size in cotangent.shape[1:3]), (0, 0)))
    squares = lambda i, j: whole[:, i::square, j::square].reshape(-1, cotangent.shape[-1])
    given = _transform(_transposed(transforms.result), squares)
    products = [g.T @ image for g, image in zip(given, _image(x, padding, transforms), strict=True)]
    taps = _transform(_transposed(transforms.kernel), lambda i, j: products[points * i + j])
    return rearrange(jnp.stack(taps), "(k l) f c -> k l c f", k=side)


def _sides(x: Array, padding: Padding, side: int) -> tuple[int, int]:
    h, w = (size + sum(edge) - side + 1 for size, edge in zip(x.shape[1:3], padding, strict=True))
    return h, w


def _image(x: Array, padding: Padding, transforms: Rule) -> list[Float[Array, "p c"]]:
    """The sums over the pixels that each square of the result is made of."""
    square = len(transforms.result)
    sides = _sides(x, padding, len(transforms.kernel[0]))
    edges = [(before, after + -size % square) for (before, after), size in zip(padding, sides, strict=True)]
    h, w = (size + -size % square for size in sides)
    x = jnp.pad(x, ((0, 0), *edges, (0, 0)))
    pixels = lambda i, j: x[:, i : i + h : square, j : j + w : square].reshape(-1, x.shape[-1])
    return _transform(transforms.image, pixels)


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _transform(matrix: Matrix, part: Callable[[int, int], Array]) -> list[Array]:
    """matrix @ parts @ matrix.T, row by row."""
    size = len(matrix[0])
    columns = [[_sum(row, [part(i, j) for i in range(size)]) for j in range(size)] for row in matrix]
    return [_sum(row, column) for column in columns for row in matrix]


def _sum(weights: Sequence[float], parts: Sequence[Array]) -> Array:
    terms = [part if weight == 1 else weight * part for weight, part in zip(weights, parts, strict=True) if weight]
    return sum(terms[1:], terms[0])
