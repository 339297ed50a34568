"""Convolution as `lax.conv_general_dilated`, of which five cases that are slow on the CPU are computed in another way.

Axes: b batch, h height, w width, c channels, f features, k l sides of the kernel.

Large convolutions by kernels of 3x3 to 5x5 and their gradients are computed with Winograd's fewer multiplications; what
a dilated kernel sees of an image comes apart into several images first.
XLA's CPU backend is three times slower at a convolution without padding than at the same one with a column of padding
on one side: that column is added, and taken off the result. Going over colours with a stride takes it twice as long as
the same sums over squares of pixels, each of them one pixel of more channels (space to depth). To many features without
a stride it takes 1.4 times as long as when what a row of the kernel sees is one pixel. And of many features it computes
the gradient by the kernel at half the speed of matrix products: it is computed as those, of a few rows of the image at
a time. Being a custom derivative it goes with reverse mode, also of itself, but not with forward mode.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from adjax import parallel
from adjax.nets import winograd

ENOUGH = 64  # features, and values in a kernel, from which on matrix products are faster,
WORTH = 10**9  # and multiplications from which on they, or Winograd's sums, are worth a second of compiling
PIXELS = 2048  # of the convolved image, of all images together, in one matrix product
MANY = 2048  # of the result, that are enough to transform a kernel for
FEW = range(2, 5)  # channels that are too few for XLA; of a single one folding takes longer than it saves,
TAPS = 64  # and so it does of more values in a kernel
LAYOUT = ("NHWC", "HWIO", "NHWC")


class Geometry(NamedTuple):
    """How a kernel goes over an image, by height and width."""

    stride: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int] = (1, 1)


PLAIN = Geometry((1, 1), ((0, 0), (0, 0)))


def convolve(x: Array, kernel: Array, stride, padding, **settings) -> Array:
    """`lax.conv_general_dilated`, as `nn.Conv` calls it."""
    dilation, spread, groups = (settings[name] for name in ("rhs_dilation", "lhs_dilation", "feature_group_count"))
    plain = x.ndim == 4 and groups == 1 and set(spread or [1]) == {1} and settings["precision"] is None
    if not plain:
        return lax.conv_general_dilated(x, kernel, stride, padding, **settings)
    dilation = tuple(dilation or (1, 1))
    if isinstance(padding, str):
        reach = [(side - 1) * d + 1 for side, d in zip(kernel.shape[:2], dilation, strict=True)]
        padding = lax.padtype_to_pads(x.shape[1:3], reach, stride, padding)
    geometry = Geometry(tuple(stride), tuple(map(tuple, padding)), dilation)
    if max(stride) == 1 < max(dilation):
        seen = jax.eval_shape(partial(_apart, geometry=geometry), x)
        if _minimal(seen, kernel.shape[:2], kernel.shape[3], PLAIN):
            dilated, default = (partial(function, geometry=geometry) for function in (_dilated, conv))
            return lax.platform_dependent(x, kernel, cpu=dilated, default=default)
    return conv(x, kernel, geometry)


Conv = partial(nn.Conv, conv_general_dilated=convolve)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv(x: Float[Array, "b h w c"], kernel: Float[Array, "k l c f"], geometry: Geometry) -> Float[Array, "b h2 w2 f"]:
    strided = max(geometry.stride) > 1 and geometry.dilation == (1, 1)
    if strided and kernel.shape[2] in FEW and math.prod(kernel.shape[:3]) <= TAPS:
        quick = _folded
    elif _minimal(x, kernel.shape[:2], kernel.shape[3], geometry):
        quick = _filtered
    elif geometry == PLAIN and kernel.shape[2] in FEW and kernel.shape[1] > 1 and kernel.shape[3] >= ENOUGH:
        quick = _gathered
    elif not any(map(any, geometry.padding)) and kernel.shape[:2] != (1, 1):
        quick = _edged
    else:
        return _conv(x, kernel, geometry)
    return lax.platform_dependent(
        x, kernel, cpu=partial(quick, geometry=geometry), default=partial(_conv, geometry=geometry)
    )


def _conv(x: Array, kernel: Array, geometry: Geometry) -> Array:
    stride, padding, dilation = geometry
    return lax.conv_general_dilated(x, kernel, stride, padding, rhs_dilation=dilation, dimension_numbers=LAYOUT)


def _minimal(x: Array, sides: tuple[int, int], features: int, geometry: Geometry) -> bool:
    """Whether Winograd's sums are faster."""
    stride, padding, dilation = geometry
    side = sides[0]
    known = sides == (side, side) and side in winograd.RULES and max(map(max, padding)) < side
    if not known or {*stride, *dilation} != {1} or x.dtype != jnp.float32:
        return False
    b, h, w, c = x.shape
    pixels = b * (h + sum(padding[0]) - side + 1) * (w + sum(padding[1]) - side + 1)
    return min(c, features) >= ENOUGH and pixels >= MANY and side**2 * pixels * c * features >= WORTH


def _filtered(x: Array, kernel: Array, geometry: Geometry) -> Array:
    return winograd.conv(x, kernel, geometry.padding)


def _apart(x: Array, geometry: Geometry) -> Float[Array, "n h w c"]:
    """The pixels that a dilated kernel sees together, as images for one that is not."""
    edges = [
        (before, after + -(size + before + after) % dilation)
        for size, (before, after), dilation in zip(x.shape[1:3], *geometry[1:], strict=True)
    ]
    down, right = geometry.dilation
    return rearrange(jnp.pad(x, ((0, 0), *edges, (0, 0))), "b (h s) (w t) c -> (b s t) h w c", s=down, t=right)


def _dilated(x: Array, kernel: Array, geometry: Geometry) -> Array:
    (_, h, w, _), (down, right) = jax.eval_shape(partial(_conv, geometry=geometry), x, kernel).shape, geometry.dilation
    found = conv(_apart(x, geometry), kernel, PLAIN)
    return rearrange(found, "(b s t) h w f -> b (h s) (w t) f", s=down, t=right)[:, :h, :w]


def _edged(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The same where there is no padding."""
    return _conv(x, kernel, geometry._replace(padding=((0, 0), (geometry.stride[1], 0))))[:, :, 1:]


def _gathered(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The same without stride or padding: the pixels that a row of the kernel sees become one."""
    columns, width = kernel.shape[1], x.shape[2] - kernel.shape[1] + 1
    seen = jnp.concatenate([x[:, :, column : column + width] for column in range(columns)], -1)
    return _edged(seen, rearrange(kernel, "k l c f -> k 1 (l c) f"), geometry)


def _folded(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """The same with a stride: squares of so many pixels become pixels."""
    wide, more = [], []
    for size, side, stride, (before, after) in zip(x.shape[1:3], kernel.shape[:2], *geometry[:2], strict=True):
        unread = (size + before + after - side) % stride
        more.append((0, -side % stride, 0))  # zeros that fill the kernel's last square
        wide.append((before, after - unread + more[-1][1], 0))
    whole, (down, right) = (0, 0, 0), geometry.stride
    x = lax.pad(x, jnp.zeros((), x.dtype), [whole, *wide, whole])
    kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), [*more, whole, whole])
    x = rearrange(x, "b (h s) (w t) c -> b h w (s t c)", s=down, t=right)
    kernel = rearrange(kernel, "(k s) (l t) c f -> k l (s t c) f", s=down, t=right)
    return _edged(x, kernel, PLAIN)


def _pullback(geometry: Geometry, residual, cotangent):
    x, kernel = residual
    if _minimal(x, kernel.shape[:2], kernel.shape[3], geometry):
        most = kernel.shape[0] - 1
        padding = tuple((most - before, most - after) for before, after in geometry.padding)
        by_image = conv(cotangent, kernel[::-1, ::-1].swapaxes(2, 3), geometry._replace(padding=padding))
    else:
        (by_image,) = jax.linear_transpose(lambda x: _conv(x, kernel, geometry), x)(cotangent)
    return by_image, kernel_gradient(x, cotangent, kernel.shape[:2], geometry)


conv.defvjp(lambda x, kernel, geometry: (conv(x, kernel, geometry), (x, kernel)), _pullback)


def kernel_gradient(
    x: Float[Array, "b h w c"], cotangent: Float[Array, "b h2 w2 f"], sides: tuple[int, int], geometry: Geometry
) -> Float[Array, "k l c f"]:
    """Of <cotangent, conv(x, kernel, geometry)>."""
    shape = (*sides, x.shape[-1], cotangent.shape[-1])

    def plain(x, cotangent):
        return jax.linear_transpose(lambda k: _conv(x, k, geometry), jax.ShapeDtypeStruct(shape, x.dtype))(cotangent)[0]

    seen = math.prod(shape[:3])
    if _minimal(x, sides, shape[3], geometry):
        products = partial(winograd.kernel_gradient, side=sides[0], padding=geometry.padding)
    elif min(seen, shape[3]) < ENOUGH or seen * cotangent.size < WORTH:
        return plain(x, cotangent)
    else:
        products = partial(by_blocks, sides=sides, geometry=geometry, pixels=PIXELS)

    def blocks(x, cotangent):
        """Each device's images by themselves: XLA can wait for ever where a loop communicates (test_conv.py)."""
        parts = parallel.parts(len(x))
        x, cotangent = (rearrange(rows, "(p b) h w c -> p b h w c", p=parts) for rows in (x, cotangent))
        return jax.vmap(products)(x, cotangent).sum(0).astype(x.dtype)

    return lax.platform_dependent(x, cotangent, cpu=blocks, default=plain)


def by_blocks(
    x: Float[Array, "b h w c"],
    cotangent: Float[Array, "b h2 w2 f"],
    sides: tuple[int, int],
    geometry: Geometry,
    pixels: int,
) -> Float[Array, "k l c f"]:
    """`kernel_gradient` as matrix products of the cotangent and what the kernel saw."""
    (b, h, w, f), (down, right) = cotangent.shape, geometry.stride
    number = -(-h // max(1, pixels // (b * w)))  # of blocks
    rows = -(-h // number)
    missing = rows * number - h  # rows of zeros fill the last block
    cotangent = jnp.pad(cotangent, ((0, 0), (0, missing), (0, 0), (0, 0)))
    (top, bottom), across = geometry.padding
    x = jnp.pad(x, ((0, 0), (top, bottom + missing * down), across, (0, 0)))
    firsts = [(i * geometry.dilation[0], j * geometry.dilation[1]) for i in range(sides[0]) for j in range(sides[1])]

    def add(total, block):
        part = lax.dynamic_slice_in_dim(x, block * rows * down, (rows - 1) * down + firsts[-1][0] + 1, 1)
        taps = [part[:, i : i + (rows - 1) * down + 1 : down, j : j + (w - 1) * right + 1 : right] for i, j in firsts]
        seen = jnp.concatenate(taps, axis=-1).reshape(b * rows * w, -1)
        given = lax.dynamic_slice_in_dim(cotangent, block * rows, rows, 1).reshape(b * rows * w, f)
        return total + jnp.dot(given.T, seen, preferred_element_type=total.dtype), None

    total = jnp.zeros((f, len(firsts) * x.shape[-1]), jnp.float32 if x.dtype.itemsize < 4 else x.dtype)
    total, _ = lax.scan(add, total, jnp.arange(number))
    return rearrange(total, "f (k l c) -> k l c f", k=sides[0], l=sides[1])
