"""The U-Net that RIAD inpaints with (Zavrtanik, Kristan, Skočaj 2021; layer sizes of a public reimplementation).

Axes: b batch, h height, w width, c channels.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import ConvNorm, check_sides, scaled
from adjax.nets.conv import DoublingConvTranspose

FEATURES = (64, 128, 256, 512, 512)
REDUCTION = 16  # of the side


class InpaintingUNet(nn.Module):
    """x -> an image of the same sides and `channels` channels; at `width` 1 28,805,699 parameters from 3 to 3.

    The output is linear: the public code's tanh clips images that are not in [-1, 1]. Sides are multiples of 16.
    """

    channels: int
    width: float = 1.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool = False) -> Float[Array, "b h w c2"]:
        check_sides(*x.shape[1:3], REDUCTION)
        sizes = [scaled(f, self.width) for f in FEATURES]
        skips = []
        for level, features in enumerate(sizes):
            kernel, stride = (4, 2) if level else (3, 1)
            x = ConvNorm(features, kernel, stride)(x, train)
            x = ConvNorm(features)(x, train)
            skips.append(x)
        for features, skip in zip(sizes[-2::-1], skips[-2::-1]):
            x = jnp.concatenate([DoublingConvTranspose(features)(x), skip], axis=-1)
            x = ConvNorm(features)(x, train)
            x = ConvNorm(features)(x, train)
        return nn.Conv(self.channels, (3, 3), padding=1)(x)
