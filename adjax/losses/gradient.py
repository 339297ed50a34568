"""Gradient magnitude similarity, at one scale and at several. The maps are 1 - similarity.

Axes: b batch, h height, w width, c channels.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from adjax.losses.filters import correlate, enlarge, halve, median3, pad_axis, spatial_mean
from adjax.types import UserError

C = 0.0026  # for images in [0, 1]; it scales with the square of the data range
SCALES = 4
ROOT = 1e-12  # under the square root, whose gradient at 0 is infinite


def map_gms(
    pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"], *, c: float = C, median: bool = False
) -> Float[Array, "b h w"]:
    """1 - (2 g₁ g₂ + c) / (g₁² + g₂² + c), g the Prewitt gradient magnitude of the channel mean; from 0 to 1.

    Xue et al. 2014, as used by RIAD (Zavrtanik et al. 2021). Blind to offsets. `median` smooths with a 3x3
    median first, as a public RIAD code does and its paper doesn't say: it removes defects one pixel wide.
    """
    return _dissimilarity(_grey(pred, median), _grey(target, median), c)[..., 0]


def map_msgms(
    pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"], *, c: float = C, median: bool = False
) -> Float[Array, "b h w"]:
    """Mean of the 1 - GMS maps of four scales (fewer for images under 24 px), each enlarged to full size."""
    h, w = pred.shape[1:3]
    maps = _scales(pred, target, c, median)
    return sum(enlarge(m, level, h, w) for level, m in enumerate(maps))[..., 0] / len(maps)


def term_msgms(
    pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"], *, c: float = C, median: bool = False
) -> Float[Array, "b"]:
    """RIAD's loss: the mean over scales of the mean of 1 - GMS, every scale with the same weight."""
    maps = _scales(pred, target, c, median)
    return sum(spatial_mean(m)[:, 0] for m in maps) / len(maps)


def _scales(pred: Array, target: Array, c: float, median: bool) -> list[Array]:
    pred, target = _grey(pred, median), _grey(target, median)
    maps = [_dissimilarity(pred, target, c)]
    while len(maps) < SCALES and min(pred.shape[1:3]) >= 6:  # half of it still holds a 3x3 filter
        pred, target = halve(pred), halve(target)
        maps.append(_dissimilarity(pred, target, c))
    return maps


def _grey(x: Array, median: bool) -> Float[Array, "b h w 1"]:
    _, h, w, _ = x.shape
    if min(h, w) < 3:
        raise UserError(f"an image of {h}x{w} pixels is smaller than the 3x3 filter of GMS")
    grey = x.astype(jnp.float32).mean(-1, keepdims=True)
    return median3(grey) if median else grey


def _dissimilarity(pred: Array, target: Array, c: float) -> Float[Array, "b h w 1"]:
    g1, g2 = jnp.split(_magnitude(jnp.concatenate([pred, target])), 2)
    return (g1 - g2) ** 2 / (g1**2 + g2**2 + c)


def _magnitude(x: Array) -> Array:
    """Prewitt: a mean of three across, a difference of the two neighbours along. Borders are repeated."""
    x = pad_axis(pad_axis(x, 1, 1, "edge"), 1, 2, "edge")
    along_h, along_w = (
        correlate(correlate(x, (1 / 3,) * 3, across), (1.0, 0.0, -1.0), along) for along, across in ((1, 2), (2, 1))
    )
    return jnp.sqrt(along_h**2 + along_w**2 + ROOT)
