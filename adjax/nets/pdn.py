"""EfficientAD's networks (Batzner, Heckler, König 2024, arXiv 2303.14535): patch description networks and autoencoder.

Axes: b batch, h height, w width, c channels, i grid height, j grid width, d channels of a description.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.losses.filters import halve
from adjax.nets.blocks import check_sides, scaled
from adjax.nets.initial import plain_conv
from adjax.nets.taps import Window

CHANNELS = 384  # of a description
MARGIN = 4  # patches beyond each border that an unpadded network has no description of


class Layer(NamedTuple):
    features: int  # 0: the description's, as many as are asked for
    kernel: int
    pad: int = 0  # with padding on
    pool: bool = False


LAYERS = {
    "pdn_small": (Layer(128, 4, 3, True), Layer(256, 4, 3, True), Layer(256, 3, 1), Layer(0, 4)),
    "pdn_medium": (
        *(Layer(256, 4, 3, True), Layer(512, 4, 3, True)),
        *(Layer(512, 1), Layer(512, 3, 1), Layer(0, 4), Layer(0, 1)),
    ),
}


class PDN(nn.Module):
    """Normalised images -> descriptions of patches of 33 × 33, one every 4 pixels.

    `padding`: zeros, so that there is one for each 4 × 4 pixels; without, 4 rows and columns less at every border. The
    layers' names are PyTorch's in a sequence of convolutions, ReLUs and poolings, with conv_ before the number.
    """

    layers: tuple[Layer, ...]
    channels: int = CHANNELS
    padding: bool = False
    width: float = 1.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"]) -> Float[Array, "b i j d"]:
        number, last = 0, len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            features = scaled(layer.features, self.width) if layer.features else self.channels
            x = plain_conv(x, features, layer.kernel, 1, layer.pad * self.padding, f"conv_{number}")
            number += 2 + layer.pool
            x = nn.relu(x) if index < last else x
            if layer.pool:
                x = pooled(x, int(self.padding))
        return x


def pooled(x: Float[Array, "b h w c"], padding: int) -> Float[Array, "b h2 w2 c"]:
    """Means of 2 × 2, zeros beyond the border counted; a last odd row or column is dropped."""
    x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return halve(x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2])


def window(layers: tuple[Layer, ...]) -> Window:
    """Stride and receptive field in pixels."""
    found = Window()
    for layer in layers:
        found = found.then(layer.kernel)
        found = found.then(2, 2) if layer.pool else found
    return found


class Autoencoder(nn.Module):
    """Normalised images -> descriptions of them as wholes, on a `grid`; the code has no extent."""

    grid: tuple[int, int]
    channels: int = CHANNELS
    width: float = 1.0
    dropout: float = 0.2

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"], train: bool) -> Float[Array, "b i j d"]:
        sides = x.shape[1:3]
        check_sides(*sides, 32)
        narrow, wide = scaled(32, self.width), scaled(64, self.width)
        for features in (narrow, narrow, wide, wide, wide):
            x = nn.relu(plain_conv(x, features, 4, 2, 1))
        x = plain_conv(x, wide, x.shape[1:3])
        for size in zip(*(decoded(side) for side in sides)):
            x = nn.relu(plain_conv(resize(x, size), wide, 4, padding=2))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = nn.relu(plain_conv(resize(x, self.grid), wide, 3, padding=1))
        return plain_conv(x, self.channels, 3, padding=1)


def decoded(side: int) -> tuple[int, ...]:
    """Sides to which the decoder enlarges, a convolution after each adding a pixel: 3, 8, 15, 32, 63, 127 for 256."""
    less = (1, 0, 1, 0, 1, 1)
    return tuple(max(1, (side >> shift) - one) for shift, one in zip((6, 5, 4, 3, 2, 1), less))


def resize(x: Float[Array, "b h w c"], size: tuple[int, int]) -> Float[Array, "b h2 w2 c"]:
    return jax.image.resize(x, (len(x), *size, x.shape[-1]), "bilinear", antialias=False)
