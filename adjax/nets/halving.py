"""Strided convolutions and their transposes, written the way that is fast on every backend.

Axes: b batch, h height, w width, c channels, f features.

A 4x4 convolution with stride 2 and its transpose are each other's gradient with respect to the image. Both are
written here without a dilated operand, of which XLA's CPU backend multiplies every zero, and each is given the other
as its derivative: the published autoencoder's training step takes two thirds of the time. Being custom derivatives
they go with reverse mode, also of itself, but not with forward mode.
"""

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.conv import Geometry, conv, kernel_gradient

HALF = Geometry((2, 2), ((1, 1), (1, 1)))
NARROW = 4  # up to so many features one convolution to all four parities is faster than one for each


class HalvingConv(nn.Module):
    """`nn.Conv(features, (4, 4), strides=(2, 2), padding=1)`: same parameters, same result."""

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "b 2*h 2*w c"]) -> Float[Array, "b h w f"]:
        return _affine(self, halving_conv, x, 4)


class DoublingConvTranspose(nn.Module):
    """`nn.ConvTranspose(features, (kernel, kernel), (2, 2), padding="SAME")`, kernel 4 or 3: same in all.

    As in Flax the kernel is spatially flipped against PyTorch's `ConvTranspose2d(f, 4, 2, 1)`.
    """

    features: int
    kernel: int = 4

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w f"]:
        return _affine(self, doubling_conv_transpose, x, self.kernel)


def _affine(module: nn.Module, convolve, x: Array, side: int) -> Array:
    kernel = module.param("kernel", nn.initializers.lecun_normal(), (side, side, x.shape[-1], module.features))
    kernel = jnp.pad(kernel, ((0, 4 - side), (0, 4 - side), (0, 0), (0, 0)))  # a transpose of 3 taps has a fourth of 0
    bias = module.param("bias", nn.initializers.zeros, (module.features,))
    return convolve(x, kernel) + bias[None, None, None, :]


@jax.custom_vjp
def halving_conv(x: Float[Array, "b 2*h 2*w c"], kernel: Float[Array, "4 4 c f"]) -> Float[Array, "b h w f"]:
    """Stride 2, one pixel of zeros around; even sides."""
    return conv(x, kernel, HALF)


@jax.custom_vjp
def doubling_conv_transpose(x: Float[Array, "b h w c"], kernel: Float[Array, "4 4 c f"]) -> Float[Array, "b 2*h 2*w f"]:
    """`lax.conv_transpose(x, kernel, (2, 2), "SAME")`.

    Along an axis, output pixel 2i + p is x[i + p - 1] kernel[p] + x[i + p] kernel[p + 2]: for either parity p a
    convolution with two taps, or three of which one is zero.
    """
    if kernel.shape[-1] <= NARROW:
        edges = [((p, 1 - p), (q, 1 - q), (0, 0), (0, 0)) for p in (0, 1) for q in (0, 1)]
        taps = [jnp.pad(kernel[p[0] :: 2, q[0] :: 2], (p, q, *rest)) for p, q, *rest in edges]
        planes = conv(x, jnp.concatenate(taps, axis=-1), Geometry((1, 1), ((1, 1), (1, 1))))
        return rearrange(planes, "b h w (p q f) -> b (h p) (w q) f", p=2, q=2)
    geometry = lambda p, q: Geometry((1, 1), ((1 - p, p), (1 - q, q)))
    parities = [conv(x, kernel[p::2, q::2], geometry(p, q)) for p in (0, 1) for q in (0, 1)]
    return rearrange(jnp.stack(parities), "(p q) b h w f -> b (h p) (w q) f", p=2)


def _adjoint(kernel: Float[Array, "4 4 c f"]) -> Float[Array, "4 4 f c"]:
    """The kernel by which the one transposes the other."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _halving_pullback(residual, cotangent):
    x, kernel = residual
    return doubling_conv_transpose(cotangent, _adjoint(kernel)), kernel_gradient(x, cotangent, (4, 4), HALF)


def _doubling_pullback(residual, cotangent):
    x, kernel = residual
    return halving_conv(cotangent, _adjoint(kernel)), _adjoint(kernel_gradient(cotangent, x, (4, 4), HALF))


halving_conv.defvjp(lambda x, kernel: (halving_conv(x, kernel), (x, kernel)), _halving_pullback)
doubling_conv_transpose.defvjp(lambda x, kernel: (doubling_conv_transpose(x, kernel), (x, kernel)), _doubling_pullback)
