"""Depthwise convolution in two formulations, of which the faster one is taken on each backend.

Axes: b batch, h height, w width, c channels, k kernel side.

A grouped convolution is what accelerators like. XLA's CPU backend is slow at it: there the kernel's k² taps are k²
shifted multiply-adds, which fuse into one loop.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

Padding = tuple[tuple[int, int], tuple[int, int]]


class DepthwiseConv(nn.Module):
    """`nn.Conv(c, (k, k), stride, feature_group_count=c, use_bias=False)`: same parameters, same result.

    `same`: pads as TensorFlow does, otherwise k // 2 on all sides as PyTorch's networks do.
    """

    kernel: int
    stride: int = 1
    same: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        k, c = self.kernel, x.shape[-1]
        weight = self.param("kernel", nn.initializers.he_normal(), (k, k, 1, c))
        sides, half = x.shape[1:3], (k // 2, k // 2)
        padding = lax.padtype_to_pads(sides, (k, k), (self.stride,) * 2, "SAME") if self.same else (half, half)
        return depthwise(x, weight, self.stride, tuple(padding))


def depthwise(x: Float[Array, "b h w c"], kernel: Float[Array, "k k 1 c"], stride: int, padding: Padding) -> Array:
    return lax.platform_dependent(
        x,
        kernel,
        cpu=lambda x, kernel: shifted(x, kernel, stride, padding),
        default=lambda x, kernel: grouped(x, kernel, stride, padding),
    )


def grouped(x: Float[Array, "b h w c"], kernel: Float[Array, "k k 1 c"], stride: int, padding: Padding) -> Array:
    return lax.conv_general_dilated(
        x, kernel, (stride,) * 2, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=x.shape[-1]
    )


def shifted(x: Float[Array, "b h w c"], kernel: Float[Array, "k k 1 c"], stride: int, padding: Padding) -> Array:
    k = kernel.shape[0]
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    h, w = ((side - k) // stride + 1 for side in x.shape[1:3])
    cut = lambda i, j: x[:, i : i + (h - 1) * stride + 1 : stride, j : j + (w - 1) * stride + 1 : stride]
    # Starting with the first tap instead of zeros: one addition less, and no type to choose.
    terms = [cut(i, j) * kernel[i, j][None, None] for i in range(k) for j in range(k)]
    return jax.tree.reduce(jnp.add, terms)
