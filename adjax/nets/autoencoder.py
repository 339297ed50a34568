"""The convolutional autoencoder of Bergmann, Löwe, Fauser, Sattlegger, Steger 2018 (arXiv 1807.02011).

Axes: b batch, h height, w width, c channels, d latent; p q height and width of a spatial code.
"""

import math

from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.conv import Conv
from adjax.nets.halving import DoublingConvTranspose, HalvingConv
from adjax.types import UserError

Layer = tuple[int, int]  # features, kernel: 4 halves (doubles) the side, 3 keeps it

ENCODER: tuple[Layer, ...] = ((32, 4), (32, 4), (32, 3), (64, 4), (64, 3), (128, 4), (64, 3), (32, 3))
DECODER: tuple[Layer, ...] = ((64, 3), (128, 3), (64, 4), (64, 3), (32, 4), (32, 3), (32, 4))
HALF: Layer = (32, 4)  # once more for every doubling of the image beyond 128 px
BOTTLENECK = 32  # features beside the code, in the encoder and in the decoder
REDUCTION = 16  # of the side, by the published layers


class ConvAutoencoder(nn.Module):
    """x -> its reconstruction, through a code of `latent` numbers. The output is linear: not confined to [0, 1].

    At `width` 1 the published layers, with LeakyReLU 0.2 and no normalisation: 1,048,549 parameters for 128x128x1
    and latent 100. `width` multiplies the features of every hidden layer but not the code. The published 8x8
    convolution to the code and its transpose are matrix products over what is left of the image, whatever its size.
    `dropout` acts on every hidden layer when `train`, which then takes a "dropout" key.

    Sides are multiples of 16, and need not be equal: UserError otherwise. From 256 px on there is one more stride
    of 2 for every doubling of the shorter side, as far as the sides can be halved evenly.
    """

    latent: int = 100
    width: float = 1.0
    dropout: float = 0.0

    def setup(self) -> None:
        self.encoder = Encoder(self.latent, self.width, self.dropout)
        self.decoder = Decoder(self.width, self.dropout)

    def __call__(self, x: Float[Array, "b h w c"], train: bool = False) -> Float[Array, "b h w c"]:
        return self.decode(self.encode(x, train), x.shape[1:], train)

    def encode(self, x: Float[Array, "b h w c"], train: bool = False) -> Float[Array, "b d"]:
        """The code: linear, of any sign."""
        return self.encoder(x, train)

    def decode(
        self, code: Float[Array, "b d"], shape: tuple[int, int, int], train: bool = False
    ) -> Float[Array, "b h w c"]:
        """The image of a code; `shape` is its (h, w, c)."""
        return self.decoder(code, shape, train)


class Encoder(nn.Module):
    """Image -> code; see ConvAutoencoder. A `spatial` code has `latent` numbers at every place of the last layer."""

    latent: int
    width: float
    dropout: float
    spatial: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b d"] | Float[Array, "b p q d"]:
        halvings = extra_halvings(*x.shape[1:3])
        for number, (features, kernel) in enumerate(ENCODER[:2] + (HALF,) * halvings + ENCODER[2:]):
            features, name = _scaled(features, self.width), f"Conv_{number}"
            halves = kernel == 4
            layer = HalvingConv(features, name=name) if halves else Conv(features, (3, 3), padding=1, name=name)
            x = _activate(layer(x), self.dropout, train)
        return nn.Dense(self.latent)(x if self.spatial else x.reshape(x.shape[0], -1))


class Decoder(nn.Module):
    """Code -> image; see ConvAutoencoder."""

    width: float
    dropout: float

    @nn.compact
    def __call__(
        self, code: Float[Array, "b d"] | Float[Array, "b p q d"], shape: tuple[int, int, int], train: bool
    ) -> Float[Array, "b h w c"]:
        height, width, channels = shape
        halvings = extra_halvings(height, width)
        reduction = REDUCTION << halvings
        h, w, features = height // reduction, width // reduction, _scaled(BOTTLENECK, self.width)
        x = nn.Dense(features if code.ndim == 4 else h * w * features, use_bias=False)(code)
        x = x.reshape(-1, h, w, features)
        # One bias per feature, as in the transposed convolution that this product stands for.
        x = x + self.param("bias", nn.initializers.zeros, (features,))[None, None, None, :]
        x = _activate(x, self.dropout, train)
        for features, kernel in DECODER[:-1] + (HALF,) * halvings + DECODER[-1:]:
            features = _scaled(features, self.width)
            layer = DoublingConvTranspose(features) if kernel == 4 else Conv(features, (3, 3), padding=1)
            x = _activate(layer(x), self.dropout, train)
        return DoublingConvTranspose(channels)(x)


def extra_halvings(h: int, w: int) -> int:
    """How many strides of 2 an image needs beyond the published four. UserError for a side that has no place."""
    for name, side in (("height", h), ("width", w)):
        if side < REDUCTION or side % REDUCTION:
            raise UserError(f"the image {name} {side} is not a multiple of {REDUCTION}, as the autoencoder needs")
    wanted = max(0, int(math.log2(min(h, w) / 128)))
    return next(n for n in range(wanted, -1, -1) if h % (REDUCTION << n) == 0 and w % (REDUCTION << n) == 0)


def _scaled(features: int, width: float) -> int:
    return max(1, round(features * width))


def _activate(x: Array, dropout: float, train: bool) -> Array:
    return nn.Dropout(dropout, deterministic=not train)(nn.leaky_relu(x, 0.2))
