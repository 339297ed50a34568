"""Convolutions written the way that is fast on every backend.

Axes: b batch, h height, w width, c channels, f features.
"""

import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float


class DoublingConvTranspose(nn.Module):
    """`nn.ConvTranspose(features, (4, 4), strides=(2, 2), padding="SAME")`: same parameters, same result.

    Only kernel 4 or 3 with stride 2, see `doubling_conv_transpose`. As in Flax the kernel is spatially flipped against
    PyTorch's `ConvTranspose2d(f, 4, 2, 1)`.
    """

    features: int
    kernel: int = 4

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w f"]:
        shape = (self.kernel, self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return doubling_conv_transpose(x, kernel) + bias[None, None, None, :]


def doubling_conv_transpose(x: Float[Array, "b h w c"], kernel: Float[Array, "k k c f"]) -> Float[Array, "b 2*h 2*w f"]:
    """`lax.conv_transpose(x, kernel, (2, 2), "SAME")` as four convolutions of 2x2, for k = 4, or less, for k = 3.

    Along an axis, output pixel 2i + p is x[i + p - 1] kernel[p] + x[i + p] kernel[p + 2]: for either parity p a
    convolution with two taps (k = 3 has no kernel[3]). On the CPU the gradient of a transposed convolution is 3 to 18
    times slower. One 3x3 convolution to 4 f channels, with zero taps, is up to 4 times slower than this; one 2x2
    convolution over a padded image is slowest of all, through the gradient of its kernel.
    """
    parities = [
        lax.conv_general_dilated(
            x,
            kernel[p::2, q::2],
            window_strides=(1, 1),
            padding=((1 - p, p * (len(kernel) - 3)), (1 - q, q * (len(kernel) - 3))),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        for p in (0, 1)
        for q in (0, 1)
    ]
    return rearrange(jnp.stack(parities), "(p q) b h w f -> b (h p) (w q) f", p=2)
