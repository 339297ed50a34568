"""Reverse distillation's student (Deng & Li 2022, arXiv 2201.10703): embedding and decoder, of ResNet's blocks.

Axes: b batch, h height, w width, c channels, f features.
"""

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.conv import Conv
from adjax.nets.initial import he_normal
from adjax.nets.resnet import Shape


class Reverse(nn.Module):
    """A teacher's features, fine to coarse, each of half the sides of the one before -> the same, rebuilt.

    The embedding has half the sides and twice the channels of the coarsest. The fusion has as many blocks as a ResNet
    of this shape in its layer4, the decoder from coarse to fine as it in layer1, layer2, layer3.
    """

    shape: Shape
    channels: tuple[int, ...]

    def setup(self):
        self.embedding = Embedding(self.shape, self.channels)
        self.decoder = Decoder(self.shape, self.channels)

    def __call__(self, features: Sequence[Float[Array, "b h w c"]], train: bool) -> list[Float[Array, "b h w c"]]:
        return self.decoder(self.embedding(features, train), train)


class Embedding(nn.Module):
    shape: Shape
    channels: tuple[int, ...]

    @nn.compact
    def __call__(self, features: Sequence[Float[Array, "b h w c"]], train: bool) -> Float[Array, "b h w c"]:
        parts = []
        for number, x in enumerate(features):
            for wider in self.channels[number + 1 :]:
                x = Conv(wider, (3, 3), 2, padding=1, use_bias=False, kernel_init=he_normal)(x)
                x = nn.relu(_norm(train)(x))
            parts.append(x)
        x = parts[0] if len(parts) == 1 else jnp.concatenate(parts, -1)
        for block in range(self.shape.depths[3]):
            x = Block(2 * self.channels[-1], self.shape, "" if block else "down")(x, train)
        return x


class Decoder(nn.Module):
    shape: Shape
    channels: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> list[Float[Array, "b h w c"]]:
        found = []
        for depth, features in zip(self.shape.depths, reversed(self.channels)):
            for block in range(depth):
                x = Block(features, self.shape, "" if block else "up")(x, train)
            found.append(x)
        return found[::-1]


class Block(nn.Module):
    """A ResNet's block to `features`, that halves ("down") or doubles ("up") the sides, or keeps them ("")."""

    features: int
    shape: Shape
    change: str

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h2 w2 f"]:
        inner, f = self.features // 4 * self.shape.widening, self.features
        plan = [(inner, 1, ""), (inner, 3, self.change), (f, 1, "")] if self.shape.bottleneck else None
        y = x
        for number, (features, kernel, change) in enumerate(plan or [(f, 3, self.change), (f, 3, "")]):
            y = nn.relu(y) if number else y
            y = _norm(train)(_resized(y, features, kernel, change))
        if self.change or x.shape[-1] != f:
            x = _norm(train)(_resized(x, f, 1, self.change))
        return nn.relu(x + y)


def _resized(x: Float[Array, "b h w c"], features: int, kernel: int, change: str) -> Float[Array, "b h2 w2 f"]:
    """A convolution, with stride 2 to halve; to double, the transpose of one of 2 × 2 with stride 2 in its place.

    The pixels of that do not overlap: it is a 1 × 1 convolution to all four.
    """
    conv = partial(nn.Conv, use_bias=False, kernel_init=he_normal)
    if change == "up":
        return rearrange(conv(4 * features, (1, 1))(x), "b h w (p q f) -> b (h p) (w q) f", p=2, q=2)
    return conv(features, (kernel, kernel), 2 if change == "down" else 1, padding=kernel // 2)(x)


def _norm(train: bool) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=not train, momentum=0.9)
