"""What methods on features of patches share: alignment of layers, neighbourhoods, and the way back to pixels.

Axes: b batch, h height, w width, c channels, i grid height, j grid width.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from adjax.losses.filters import correlate, gaussian_taps, pad_axis
from adjax.pooling import valid_pixels
from adjax.types import Batch


def aligned(features: Mapping[str, Float[Array, "b h w c"]], how: str) -> Float[Array, "b i j c"]:
    """All layers side by side on the grid of the largest; `how`: "bilinear" or "nearest"."""
    grid = max(layer.shape[1:3] for layer in features.values())
    resize = lambda x: jax.image.resize(x, (x.shape[0], *grid, x.shape[-1]), how, antialias=False)
    return jnp.concatenate([x if x.shape[1:3] == grid else resize(x) for x in features.values()], axis=-1)


def pooled(features: Mapping[str, Array], batch: Batch) -> dict[str, Float[Array, "b c"]]:
    """Each layer's mean over the patches that count; a layer that is one vector for the image stays what it is."""

    def mean(x: Float[Array, "b i j c"]) -> Float[Array, "b c"]:
        valid = valid_patches(batch, x.shape[1:3]).astype(x.dtype)[..., None]
        return (x * valid).sum((1, 2)) / jnp.maximum(valid.sum((1, 2)), 1)

    return {name: x if x.ndim == 2 else mean(x) for name, x in features.items()}


def neighbourhood_mean(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Mean of 3 x 3, zeros beyond the border counted, as PyTorch's average pooling does."""
    total = lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return total / 9


def to_pixels(patches: Float[Array, "b i j"], shape: tuple[int, int], sigma: float) -> Float[Array, "b h w"]:
    """Bilinear, then a Gaussian of `sigma` pixels cut at 4 sigma, the border mirrored: scipy's gaussian_filter."""
    maps = jax.image.resize(patches, (patches.shape[0], *shape), "bilinear")
    if not sigma:
        return maps
    radius = int(4 * sigma + 0.5)
    for axis in (1, 2):
        maps = correlate(pad_axis(maps, radius, axis, "symmetric"), gaussian_taps(2 * radius + 1, sigma), axis)
    return maps


def corners(x: Float[Array, "b i j *c"], shape: tuple[int, int]) -> Float[Array, "b h w *c"]:
    """Bilinear, the middles of the corner patches at those of the corner pixels: PyTorch's align_corners=True, which
    jax.image.resize has not."""
    for axis, (old, new) in enumerate(zip(x.shape[1:3], shape), 1):
        at = np.linspace(0, old - 1, new)[:, None]
        weights = np.maximum(0, 1 - np.abs(at - np.arange(old))).astype(np.float32)  # 1-D hat functions
        x = jnp.moveaxis(jnp.tensordot(x, weights, (axis, 1), precision=lax.Precision.HIGHEST), -1, axis)
    return x


def valid_patches(batch: Batch, grid: tuple[int, int]) -> Bool[Array, "b i j"]:
    """The patches of which at least half of the pixels count."""
    valid = valid_pixels(batch).astype(jnp.float32)
    return jax.image.resize(valid, (len(valid), *grid), "bilinear") >= 0.5


def valid_mean(maps: Float[Array, "b i j"], batch: Batch) -> Float[Array, "b"]:
    """Over the patches that count; 0 for an image without any."""
    valid = valid_patches(batch, maps.shape[1:]).astype(maps.dtype)
    return (maps * valid).sum((1, 2)) / jnp.maximum(valid.sum((1, 2)), 1.0)


def first_pass(left: Int[Array, ""], batch: Batch) -> tuple[Bool[Array, "b"], Int[Array, ""]]:
    """The rows of a batch that belong to the first pass, of which `left` images are to come; how many are then."""
    number = jnp.cumsum(batch["_mask"].astype(jnp.int32))
    return batch["_mask"] & (number <= left), jnp.maximum(left - number[-1], 0)
