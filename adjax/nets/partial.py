"""Partial convolutions (Liu et al. 2018, arXiv 1804.07723), and a U-Net of them that fills holes.

Axes: b batch, h height, w width, c channels, f features. A mask is 1 where a pixel is known and 0 in a hole.
"""

import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from adjax.nets.blocks import check_sides
from adjax.nets.conv import Conv

FEATURES = (64, 128, 256, 512)  # of the encoder: the first four of the published eight, for tiles instead of 512 px
KERNELS = (7, 5, 5)  # of the encoder's first layers; 3 of the others


class PartialConv(nn.Module):
    """Convolves what is known, scaled up by window size / sum of the mask, and tells where anything was known.

    The mask has one channel, or as many as x; the mask returned has one. Beyond the border are known zeros: without
    holes this is the ordinary convolution. In the public code nothing is known there, so that what lies at the border
    is scaled up; in a deep network that is a frame of wrong pixels.
    """

    features: int
    kernel: int = 3
    stride: int = 1

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], mask: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b h2 w2 f"], Float[Array, "b h2 w2 1"]]:
        k, s, pad = self.kernel, self.stride, self.kernel // 2
        y = Conv(self.features, (k, k), s, padding=pad, use_bias=False)(jnp.where(mask > 0, x, 0.0))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        share = mask.mean(-1, keepdims=True)  # of the channels that are known
        padding = ((0, 0), (pad, pad), (pad, pad), (0, 0))
        share = jnp.pad(share, padding, constant_values=1.0)
        known = lax.reduce_window(share, 0.0, lax.add, (1, k, k, 1), (1, s, s, 1), "VALID")
        y = y * (k * k / jnp.maximum(known, 1e-8)) + bias[None, None, None]
        return jnp.where(known > 0, y, 0.0), (known > 0).astype(x.dtype)


class PartialUNet(nn.Module):
    """An image with holes -> the image without; the output is linear. Sides are multiples of 2^levels.

    After the published one, with fewer levels: an encoder of strides 2 (ReLU), a decoder that doubles by repeating
    (LeakyReLU 0.2) and takes the encoder's images and masks beside its own, batch normalisation in all but the first
    and the last layer. The last is an ordinary convolution of what is known by then, the image and its mask: rescaled
    by how much of the image is known, the edge of a hole would show in it.
    """

    features: tuple[int, ...] = FEATURES

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], mask: Float[Array, "b h w 1"], train: bool = False
    ) -> Float[Array, "b h w c"]:
        check_sides(*x.shape[1:3], 1 << len(self.features))
        skips = []
        for level, features in enumerate(self.features):
            kernel = KERNELS[level] if level < len(KERNELS) else 3
            skips.append((x, mask))
            x, mask = PartialConv(features, kernel, 2)(x, mask)
            if level:
                x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
            x = nn.relu(x)
        for skip, known in skips[:0:-1]:
            mask = jnp.broadcast_to(mask, x.shape)
            x = jnp.concatenate([_double(x), skip], axis=-1)
            mask = jnp.concatenate([_double(mask), jnp.broadcast_to(known, skip.shape)], axis=-1)
            x, mask = PartialConv(skip.shape[-1])(x, mask)
            x = nn.leaky_relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x), 0.2)
        image, known = skips[0]
        x = jnp.concatenate([_double(x), jnp.where(known > 0, image, 0.0), known], axis=-1)
        return Conv(image.shape[-1], (3, 3), padding=1)(x)


def _double(x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w c"]:
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
