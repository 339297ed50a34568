"""The autoencoder with additive skip connections of AE + Stain (Collin, De Vleeschouwer 2020, arXiv 2008.12977).

Axes: b batch, h height, w width, c channels.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import ConvNorm, check_sides, scaled
from adjax.nets.conv import Conv

FEATURES = (16, 32, 64, 128, 256, 512)
RATES = (0.0, 0.0, 0.1, 0.2, 0.4, 0.5)  # of the public code, from the highest to the lowest resolution
SLOPE = 0.3
SMALLEST = 4  # side of the code


class SkipAutoencoder(nn.Module):
    """x in [0, 1] -> an image in [0, 1]: layers of 5x5 that halve the side until 4 px are left, six times at most.

    For images of 256 px and `width` 1: 8,734,913 parameters for grey images, 8,736,515 for colour. Encoder layers are
    added to the decoder's of the same size where `skips`. `rates` of dropout act where `drop`, in training or not, and
    take a "dropout" key; of fewer layers the last rates count.
    """

    width: float = 1.0
    skips: bool = True
    rates: tuple[float, ...] = RATES

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool = False, drop: bool = False) -> Float[Array, "b h w c"]:
        channels, levels = x.shape[-1], halvings(*x.shape[1:3])
        sizes = [scaled(f, self.width) for f in FEATURES[:levels]]
        dropouts = [nn.Dropout(rate, deterministic=not drop) for rate in self.rates[-levels:]]
        encoded = []
        for features, dropout in zip(sizes, dropouts):
            x = dropout(ConvNorm(features, 5, 2, SLOPE)(x, train))
            encoded.append(x)
        for features, skip, dropout in zip(sizes[-2::-1], encoded[-2::-1], dropouts[-2::-1]):
            x = dropout(ConvNorm(features, 5, 1, SLOPE)(double(x), train))
            x = x + skip if self.skips else x
        return nn.sigmoid(Conv(channels, (5, 5), padding=2)(double(x)))


def halvings(h: int, w: int) -> int:
    """How often the network halves the sides. UserError for a side that can't be halved so often."""
    levels = min(len(FEATURES), max(1, (min(h, w) // SMALLEST).bit_length() - 1))
    check_sides(h, w, 1 << levels)
    return levels


def double(x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w c"]:
    """Nearest neighbour."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
