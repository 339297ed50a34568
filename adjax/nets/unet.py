"""The U-Net of diffusion models (Dhariwal, Nichol 2021), in the form that AnoDDPM has (Wyatt et al. 2022).

Axes: b batch, h height, w width, c channels, f features, n pixels, a attention heads, d features of a head,
e of the embedded time.

A residual block is GroupNorm, SiLU, 3x3 convolution, twice, the second one starting at zero; between them the time is
added. Blocks also halve and double the sides, by 2x2 means and nearest neighbours on both of their branches.
"""

import itertools
import math

import jax
import jax.numpy as jnp
from einops import rearrange, reduce, repeat
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

from adjax.nets.blocks import check_sides
from adjax.nets.conv import Conv


class UNet(nn.Module):
    """(x, time) -> an image of `channels` channels, 0 before training: 131,649,793 parameters at 256² from 1 to 1.

    `features` are those of each level, which halves the sides of the one before. Where sides are smaller than the
    image's by a factor of `attention`, an attention layer follows each block: published are maps of 32, 16 and 8 px
    at 256 (the public run's file says 16 and 8, but nothing reads it). The middle has one too, unless there are no
    `heads`. Published features, in units of 128, are 1/2 1 1 2 2 4 4 for images of 512 px, 1 1 2 2 4 4 for 256,
    1 1 2 3 4 for 128, 1 2 3 4 for 64 and 32.

    `patch` makes squares of so many pixels into one of the network's, with as many times more channels: published is 1,
    and 4 costs a sixteenth. `dtype` is what is computed in: bfloat16 halves the memory; parameters, time and output
    stay float32. `remat` computes blocks anew for the gradient instead of keeping what is in them. `chunk`: see
    `attend`.
    """

    channels: int
    features: tuple[int, ...] = (128, 128, 256, 256, 512, 512)
    blocks: int = 2
    attention: tuple[int, ...] = (8, 16, 32)
    heads: int = 2
    patch: int = 1
    dtype: jnp.dtype = jnp.float32
    remat: bool = False
    chunk: int = 1024

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], time: Int[Array, "b"]) -> Float[Array, "b h w c2"]:
        check_sides(*x.shape[1:3], self.patch << (len(self.features) - 1))
        base, top = self.features[0], len(self.features) - 1
        Block, Attention = ResidualBlock, SelfAttention
        if self.remat:
            Block, Attention = nn.remat(Block), nn.remat(Attention)
        number = itertools.count()  # for names that are the same under remat

        embedded = nn.Dense(4 * base)(sinusoids(time, base))
        embedded = nn.silu(nn.Dense(4 * base)(nn.silu(embedded))).astype(self.dtype)

        def block(x, features, scale=1.0):
            return Block(features, scale, self.dtype, name=f"block{next(number)}")(x, embedded)

        def attended(x, factor=None):
            if not self.heads or (factor is not None and factor not in self.attention):
                return x
            return Attention(self.heads, self.chunk, self.dtype, name=f"attention{next(number)}")(x)

        x = rearrange(x, "b (h p) (w q) c -> b h w (p q c)", p=self.patch, q=self.patch)
        x = Conv(base, (3, 3), padding=1, dtype=self.dtype)(x)
        kept = [x]
        for level, features in enumerate(self.features):
            for _ in range(self.blocks):
                x = attended(block(x, features), self.patch << level)
                kept.append(x)
            if level < top:
                x = block(x, features, 0.5)
                kept.append(x)
        x = block(attended(block(x, features)), features)
        for level, features in reversed(list(enumerate(self.features))):
            for _ in range(self.blocks + 1):
                x = attended(block(jnp.concatenate([x, kept.pop()], axis=-1), features), self.patch << level)
            if level:
                x = block(x, features, 2.0)
        x = nn.silu(norm(self.dtype, x)).astype(jnp.float32)
        x = Conv(self.channels * self.patch**2, (3, 3), padding=1, kernel_init=nn.initializers.zeros)(x)
        return rearrange(x, "b h w (p q c) -> b (h p) (w q) c", p=self.patch, q=self.patch)


class ResidualBlock(nn.Module):
    features: int
    scale: float = 1.0  # of the sides: 0.5, 1 or 2
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], embedded: Float[Array, "b e"]) -> Float[Array, "b h2 w2 f"]:
        conv = lambda **more: Conv(self.features, (3, 3), padding=1, dtype=self.dtype, **more)
        h = conv()(rescaled(nn.silu(norm(self.dtype, x)), self.scale))
        x = rescaled(x, self.scale)
        h = h + nn.Dense(self.features, dtype=self.dtype)(embedded)[:, None, None]
        h = conv(kernel_init=nn.initializers.zeros)(nn.silu(norm(self.dtype, h)))
        if x.shape[-1] != self.features:
            x = Conv(self.features, (1, 1), dtype=self.dtype)(x)
        return x + h


class SelfAttention(nn.Module):
    heads: int
    chunk: int = 1024
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        # In float32: jax's attention in bfloat16 doesn't pass strict promotion, and its weights are float32 anyway.
        mixed = nn.Dense(3 * x.shape[-1], dtype=self.dtype)(norm(self.dtype, x)).astype(jnp.float32)
        query, key, value = rearrange(mixed, "b h w (three a d) -> three b (h w) a d", three=3, a=self.heads)
        found = rearrange(attend(query, key, value, self.chunk), "b n a d -> b n (a d)").reshape(x.shape)
        return x + nn.Dense(x.shape[-1], dtype=self.dtype, kernel_init=nn.initializers.zeros)(found)


def attend(
    query: Float[Array, "b n a d"], key: Float[Array, "b n a d"], value: Float[Array, "b n a d"], chunk: int
) -> Float[Array, "b n a d"]:
    """Attention of `chunk` queries at a time, where there are more: n · chunk weights are held instead of n².

    The gradient computes each chunk's weights anew. Fewer queries are left for the last chunk if n is no multiple.
    """
    n = query.shape[1]
    if n <= chunk:
        return jax.nn.dot_product_attention(query, key, value)
    whole = n // chunk * chunk
    part = jax.checkpoint(lambda some: jax.nn.dot_product_attention(some, key, value))
    chunks = lax.map(part, rearrange(query[:, :whole], "b (m n) a d -> m b n a d", n=chunk))
    found = rearrange(chunks, "m b n a d -> b (m n) a d")
    return found if whole == n else jnp.concatenate([found, part(query[:, whole:])], axis=1)


def sinusoids(time: Int[Array, "b"], features: int) -> Float[Array, "b f"]:
    """Sines, then cosines, of time · 10000^(-i / (features / 2)), as published: the sines come first."""
    half = features // 2
    rates = jnp.exp(-jnp.log(jnp.float32(10000)) * jnp.arange(half, dtype=jnp.float32) / half)
    angles = time.astype(jnp.float32)[:, None] * rates[None]
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def norm(dtype: jnp.dtype, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """32 groups as published; of 4 features or fewer where 32 is no divisor. Computed in float32."""
    features = x.shape[-1]
    groups = 32 if features % 32 == 0 else features // math.gcd(features, 4)
    return nn.GroupNorm(groups, epsilon=1e-5)(x.astype(jnp.float32)).astype(dtype)


def rescaled(x: Float[Array, "b h w c"], scale: float) -> Float[Array, "b h2 w2 c"]:
    if scale == 0.5:
        return reduce(x, "b (h p) (w q) c -> b h w c", "mean", p=2, q=2)
    return repeat(x, "b h w c -> b (h p) (w q) c", p=2, q=2) if scale == 2.0 else x
