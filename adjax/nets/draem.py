"""The two networks of DRAEM (Zavrtanik, Kristan, Skočaj 2021, arXiv 2108.07610).

Axes: b batch, h height, w width, c channels.
"""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import ConvNorm, check_sides
from adjax.nets.conv import Conv
from adjax.nets.patches import corners

BASE = 64  # features of the discriminative network's first level
MULTIPLES = (1, 2, 4, 8, 8, 8)  # those of each of its levels, in units of the first's


class Draem(nn.Module):
    """x -> its reconstruction, and logits (normal, anomalous) from the reconstruction and x side by side.

    As published, and with three channels, 69,048,579 + 28,374,146 parameters. The reconstructive network has one level
    less and twice the features. Sides are multiples of 32 for six levels.
    """

    base: int = BASE
    multiples: tuple[int, ...] = MULTIPLES

    def setup(self) -> None:
        self.reconstructive = Reconstructive(tuple(2 * self.base * m for m in self.multiples[:-1]))
        self.discriminative = Discriminative(tuple(self.base * m for m in self.multiples))

    def __call__(
        self, x: Float[Array, "b h w c"], train: bool = False
    ) -> tuple[Float[Array, "b h w c"], Float[Array, "b h w 2"]]:
        check_sides(*x.shape[1:3], 1 << (len(self.multiples) - 1))
        rebuilt = self.reconstructive(x, train)
        return rebuilt, self.discriminative(jnp.concatenate([rebuilt, x], axis=-1), train)


class Reconstructive(nn.Module):
    """Without skips; the output is linear."""

    features: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        x = encode(x, self.features, train)[-1]
        for level in range(len(self.features) - 1)[::-1]:
            x = ConvNorm(x.shape[-1])(doubled(x), train)
            x = ConvNorm(x.shape[-1])(x, train)
            x = ConvNorm(self.features[max(level - 1, 0)])(x, train)
        return Conv(channels, (3, 3), padding=1)(x)


class Discriminative(nn.Module):
    """A U-Net."""

    features: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w 2"]:
        *skips, x = encode(x, self.features, train)
        for level in range(len(self.features) - 1)[::-1]:
            features = self.features[max(level - 1, 0)]
            x = jnp.concatenate([ConvNorm(features)(doubled(x), train), skips[level]], axis=-1)
            x = ConvNorm(features)(ConvNorm(features)(x, train), train)
        return Conv(2, (3, 3), padding=1)(x)


def encode(x: Float[Array, "b h w c"], features: tuple[int, ...], train: bool) -> list[Array]:
    """Every level's output: two layers, after a 2x2 maximum in all but the first."""
    levels = []
    for number, size in enumerate(features):
        x = nn.max_pool(x, (2, 2), (2, 2)) if number else x
        x = ConvNorm(size)(ConvNorm(size)(x, train), train)
        levels.append(x)
    return levels


def doubled(x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w c"]:
    return corners(x, (2 * x.shape[1], 2 * x.shape[2]))
