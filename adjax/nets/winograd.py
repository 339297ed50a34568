"""3x3 convolutions with 16 multiplications for every 2x2 pixels of the result instead of 36.

After Winograd's minimal filtering F(2x2, 3x3) as Lavin and Gray 2016 (arXiv 1509.09308) give it: image and kernel are
transformed by sums, multiplied as 16 matrix products over all squares of 2x2 pixels, and transformed back. In float32
the result differs from the plain sum's by rounding.

Axes: b batch, h height, w width, c channels, f features, p squares of the result.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from einops import rearrange
from jaxtyping import Array, Float

IMAGE = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))  # Lavin and Gray's B^T,
KERNEL = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))  # G
RESULT = ((1, 1, 1, 0), (0, 1, -1, -1))  # and A^T

Matrix = Sequence[Sequence[float]]
Padding = tuple[tuple[int, int], tuple[int, int]]


def conv(x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c f"], padding: Padding) -> Float[Array, "b h2 w2 f"]:
    """Stride 1, `padding` zeros around."""
    h, w = (size + sum(edge) - 2 for size, edge in zip(x.shape[1:3], padding, strict=True))
    filters = _transform(KERNEL, lambda i, j: kernel[i, j])
    products = [image @ matrix for image, matrix in zip(_image(x, padding), filters, strict=True)]
    shape = (x.shape[0], -(-h // 2), -(-w // 2), kernel.shape[-1])
    pixels = jnp.stack([part.reshape(shape) for part in _transform(RESULT, lambda i, j: products[4 * i + j])])
    return rearrange(pixels, "(s t) b h w f -> b (h s) (w t) f", s=2)[:, :h, :w]


def kernel_gradient(
    x: Float[Array, "b h w c"], cotangent: Float[Array, "b h2 w2 f"], padding: Padding
) -> Float[Array, "3 3 c f"]:
    """Of <cotangent, conv(x, kernel, padding)>."""
    whole = jnp.pad(cotangent, ((0, 0), *((0, size % 2) for size in cotangent.shape[1:3]), (0, 0)))
    squares = lambda i, j: whole[:, i::2, j::2].reshape(-1, cotangent.shape[-1])
    given = _transform(_transposed(RESULT), squares)
    products = [g.T @ image for g, image in zip(given, _image(x, padding), strict=True)]
    taps = _transform(_transposed(KERNEL), lambda i, j: products[4 * i + j])
    return rearrange(jnp.stack(taps), "(k l) f c -> k l c f", k=3)


def _image(x: Array, padding: Padding) -> list[Float[Array, "p c"]]:
    """The 16 sums over the 4x4 pixels that each square of the result is made of."""
    odd = [(size + sum(edge)) % 2 for size, edge in zip(x.shape[1:3], padding, strict=True)]
    edges = [(before, after + more) for (before, after), more in zip(padding, odd, strict=True)]
    x = jnp.pad(x, ((0, 0), *edges, (0, 0)))
    h, w = (size - 2 for size in x.shape[1:3])
    return _transform(IMAGE, lambda i, j: x[:, i : i + h : 2, j : j + w : 2].reshape(-1, x.shape[-1]))


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
