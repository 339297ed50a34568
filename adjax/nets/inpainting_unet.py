"""The U-Net that RIAD inpaints with (Zavrtanik, Kristan, Skočaj 2021; layer sizes of a public reimplementation).

Axes: b batch, h height, w width, c channels.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import ConvNorm, check_sides
from adjax.nets.conv import Conv
from adjax.nets.halving import DoublingConvTranspose

FEATURES = (64, 128, 256, 512, 512)


class InpaintingUNet(nn.Module):
    """x -> an image of the same sides and `channels` channels; 28,805,699 parameters from 3 channels to 3.

    `features` are those of each level; a level halves the side of the one before, so sides are multiples of 16 for the
    published five. The output is linear: the public code's tanh clips images that are not in [-1, 1].
    """

    channels: int
    features: tuple[int, ...] = FEATURES

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool = False) -> Float[Array, "b h w c2"]:
        check_sides(*x.shape[1:3], 1 << (len(self.features) - 1))
        skips = []
        for level, features in enumerate(self.features):
            kernel, stride = (4, 2) if level else (3, 1)
            x = ConvNorm(features, kernel, stride)(x, train)
            x = ConvNorm(features)(x, train)
            skips.append(x)
        for features, skip in zip(self.features[-2::-1], skips[-2::-1]):
            x = jnp.concatenate([DoublingConvTranspose(features)(x), skip], axis=-1)
            x = ConvNorm(features)(x, train)
            x = ConvNorm(features)(x, train)
        return Conv(self.channels, (3, 3), padding=1)(x)
