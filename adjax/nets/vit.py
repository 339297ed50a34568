"""Vision transformers (Dosovitskiy et al. 2021, arXiv 2010.11929) as DINO and DINOv2 have them.

Axes: b batch, h height, w width, n tokens, d features, k heads, i grid rows, j grid columns.

DINO: Caron et al. 2021, arXiv 2104.14294. DINOv2: Oquab et al. 2024, arXiv 2304.07193; registers: Darcet et al. 2024,
arXiv 2309.16588. The names of the parameters are theirs, with _ for a dot before a number.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import check_sides
from adjax.nets.conv import Conv
from adjax.nets.taps import Tap, collect

DEPTH = 12


class Shape(NamedTuple):
    patch: int
    width: int
    grid: int  # side of the trained positions
    scaled: bool = False  # layer scale
    registers: int = 0

    @property
    def heads(self) -> int:
        return self.width // 64


SHAPES = {
    "dino_vits16": Shape(16, 384, 14),
    "dino_vits8": Shape(8, 384, 28),
    "dino_vitb16": Shape(16, 768, 14),
    "dinov2_vits14": Shape(14, 384, 37, True),
    "dinov2_vitb14": Shape(14, 768, 37, True),
    "dinov2_vits14_reg": Shape(14, 384, 37, True, 4),
    "dinov2_vitb14_reg": Shape(14, 768, 37, True, 4),
}


class ViT(nn.Module):
    """Normalised images -> {layer: features}; sides are multiples of the patch.

    block1 … block12: patch tokens as a map, not normalised; norm: those of the last block, normalised; cls: the class
    token with them, one vector.
    """

    shape: Shape
    layers: tuple[str, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"]) -> dict[str, Array]:
        patch, width, _, _, registers = self.shape
        check_sides(*x.shape[1:3], patch)
        rows, columns = x.shape[1] // patch, x.shape[2] // patch
        stages = [(f"block{i + 1}", Block(self.shape, name=f"blocks_{i}")) for i in range(DEPTH)]
        # "cls" needs all that "norm" needs; both are cut from the same tokens below.
        last = "norm" if "norm" in self.layers else "cls"
        stages.append((last, nn.LayerNorm(epsilon=1e-6, name="norm")))
        wanted = tuple(name for name in self.layers if name.startswith("block"))
        wanted += (last,) if len(wanted) < len(self.layers) else ()
        tokens = collect(self._embed(x, rows, columns), stages, wanted)
        as_map = lambda t: t[:, 1 + registers :].reshape(-1, rows, columns, width)
        return {name: tokens[last][:, 0] if name == "cls" else as_map(tokens[name]) for name in self.layers}

    def _embed(self, x: Float[Array, "b h w 3"], rows: int, columns: int) -> Float[Array, "b n d"]:
        patch, width, grid, _, registers = self.shape
        zeros = nn.initializers.zeros
        x = Conv(width, (patch, patch), patch, padding="VALID", name="patch_embed_proj")(x)
        x = x.reshape(-1, rows * columns, width)
        first = self.param("cls_token", zeros, (1, 1, width))
        positions = self.param("pos_embed", nn.initializers.normal(0.02), (1, 1 + grid * grid, width))
        plane = positions[0, 1:].reshape(grid, grid, width)
        if (rows, columns) != (grid, grid):
            resized = _smoothed if registers else _interpolated
            plane = resized(plane.astype(jnp.float32), rows, columns).astype(x.dtype)
        x = x + plane.reshape(1, rows * columns, width)
        parts = [jnp.broadcast_to(first + positions[:, :1], (x.shape[0], 1, width)), x]
        if registers:
            extra = self.param("register_tokens", zeros, (1, registers, width))
            parts.insert(1, jnp.broadcast_to(extra, (x.shape[0], registers, width)))
        return jnp.concatenate(parts, axis=1)


class Block(nn.Module):
    shape: Shape

    @nn.compact
    def __call__(self, x: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        norm = lambda name: nn.LayerNorm(epsilon=1e-6, name=name)
        width = self.shape.width
        x = x + self._scaled("ls1", self._attention(norm("norm1")(x)))
        y = nn.gelu(nn.Dense(4 * width, name="mlp_fc1")(norm("norm2")(x)), approximate=False)
        return x + self._scaled("ls2", nn.Dense(width, name="mlp_fc2")(y))

    def _attention(self, x: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        heads, width = self.shape.heads, self.shape.width
        packed = nn.Dense(3 * width, name="attn_qkv")(x).reshape(*x.shape[:2], 3, heads, width // heads)
        query, key, value = (packed[:, :, i] for i in range(3))
        weights = jax.nn.softmax(jnp.einsum("bnkd,bmkd->bknm", query, key) * (width // heads) ** -0.5, axis=-1)
        mixed = jnp.einsum("bknm,bmkd->bnkd", weights, value).reshape(x.shape)
        return nn.Dense(width, name="attn_proj")(mixed)

    def _scaled(self, name: str, x: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        if not self.shape.scaled:
            return x
        return x * self.param(f"{name}_gamma", nn.initializers.ones, (x.shape[-1],))[None, None]


def _interpolated(plane: Float[Array, "i j d"], rows: int, columns: int) -> Float[Array, "i2 j2 d"]:
    """Bicubic as PyTorch does it (a = -0.75, not smoothed), at the scale (side + 0.1) / grid of the published code."""
    across, down = (_cubic(plane.shape[0], side) for side in (columns, rows))
    return jnp.einsum("Ii,Jj,ijd->IJd", down, across, plane)


def _smoothed(plane: Float[Array, "i j d"], rows: int, columns: int) -> Float[Array, "i2 j2 d"]:
    """The networks with registers resize with antialiasing (a = -0.5) and without that offset."""
    return jax.image.resize(plane, (rows, columns, plane.shape[-1]), "cubic", antialias=True)


def _cubic(grid: int, side: int, a: float = -0.75) -> Float[Array, "side grid"]:
    centres = (np.arange(side) + 0.5) * grid / (side + 0.1) - 0.5
    weights = np.zeros((side, grid))
    for row, centre in enumerate(centres):
        for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            t = abs(centre - tap)
            near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * (t**3 - 5 * t**2 + 8 * t - 4)
            weights[row, np.clip(tap, 0, grid - 1)] += near if t <= 1 else far
    return jnp.asarray(weights, jnp.float32)


def taps(shape: Shape) -> dict[str, Tap]:
    """Attention sees everything: no receptive field."""
    maps = [*(f"block{i + 1}" for i in range(DEPTH)), "norm"]
    return {name: Tap(shape.width, shape.patch) for name in maps} | {"cls": Tap(shape.width)}
