"""A U-Net of about five million parameters, only to be a training step's usual weight.

Axes: b batch, h height, w width, c channels.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.Conv(self.width, (3, 3))(nn.silu(nn.GroupNorm(8)(x)))
        return x


class UNet(nn.Module):
    widths: tuple[int, ...] = (64, 128, 256)

    @nn.compact
    def __call__(self, x):
        x, kept = nn.Conv(self.widths[0], (3, 3))(x), []
        for width in self.widths:
            x = Block(width)(x)
            kept.append(x)
            x = nn.avg_pool(x, (2, 2), (2, 2))
        x = Block(self.widths[-1])(x)
        for width, skip in zip(self.widths[::-1], kept[::-1]):
            x = jax.image.resize(x, (*skip.shape[:3], x.shape[-1]), "nearest")
            x = Block(width)(jnp.concatenate([x, skip], -1))
        return nn.Conv(1, (3, 3))(x)
