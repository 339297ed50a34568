"""Structural similarity, at one scale and at several. The maps are 1 - similarity.

Axes: b batch, h height, w width, c channels.

With e = x - y, s = x + y and F the Gaussian window, the two factors of SSIM are
  luminance  l  = (2 μx μy + C1) / (μx² + μy² + C1)  = 1 - F(e)² / ((F(s)² + F(e)²) / 2 + C1)
  structure  cs = (2 σxy + C2)   / (σx² + σy² + C2)  = 1 - var(e) / ((var(s) + var(e)) / 2 + C2)
where var(u) = F(u²) - F(u)². Written this way four filters suffice instead of five, nothing cancels where the
images agree (the map is exactly 0 at equality), and clamping both variances at 0 keeps |cs| <= 1.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from adjax.losses.filters import blur, enlarge, gaussian_taps, halve, spatial_mean
from adjax.losses.pixel import error
from adjax.types import UserError

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2  # for a data range of 1, which is never guessed from the data
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
FLOOR = 1e-4  # least similarity of one scale: a power below 1 has an infinite gradient at 0


def map_ssim(
    pred: Float[Array, "b h w c"],
    target: Float[Array, "b h w c"],
    *,
    window: int = WINDOW,
    sigma: float = SIGMA,
) -> Float[Array, "b h w"]:
    """1 - SSIM (Wang et al. 2004), from 0 to 2, not halved as in "DSSIM". Borders are reflected.

    Images in [0, 1], the data range being 1. `window` must be odd. Almost blind to a constant offset where
    the images are bright. UserError when an image is smaller than the window.
    """
    _check_size(pred.shape, window)
    luminance, structure = _dissimilarities(pred, target, window, sigma, pad=True)
    return (luminance + structure - luminance * structure).mean(-1)


def map_ms_ssim(pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"]) -> Float[Array, "b h w"]:
    """1 - the product over scales of the similarities, each brought back to full size; from 0 to 1.

    Not what `term_ms_ssim` averages: that one takes spatial means before the product.
    """
    h, w = pred.shape[1:3]
    log_similarity = sum(
        weight * enlarge(jnp.log(jnp.maximum(similarity, FLOOR)), level, h, w)
        for weight, level, similarity in _scales(pred, target, pad=True)
    )
    return -jnp.expm1(log_similarity).mean(-1)


def term_ms_ssim(pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"]) -> Float[Array, "b"]:
    """1 - MS-SSIM (Wang, Simoncelli, Bovik 2003): spatial means of each scale, their powers, the product.

    Windows lie inside the image. Five scales from a shorter side of 161 px on, four from 81 (a 128-px patch),
    three from 41, two from 21, one from 11; the remaining weights are brought to sum 1. Below: UserError.
    A scale whose mean similarity is under 1e-4 counts as 1e-4.
    """
    log_similarity = sum(
        weight * jnp.log(jnp.maximum(spatial_mean(similarity), FLOOR))
        for weight, _, similarity in _scales(pred, target, pad=False)
    )
    return -jnp.expm1(log_similarity).mean(-1)


def scale_weights(side: int) -> tuple[float, ...]:
    """The exponents of the scales that fit into an image whose shorter side is `side`; they sum to 1."""
    fitting = [w for j, w in enumerate(SCALE_WEIGHTS) if (WINDOW - 1) * 2**j + 1 <= side]
    return tuple(weight / sum(fitting) for weight in fitting)


def _scales(pred: Array, target: Array, *, pad: bool) -> list[tuple[float, int, Array]]:
    """(weight, level, similarity) of every scale's structure, then the coarsest scale's luminance."""
    _check_size(pred.shape, WINDOW)
    weights = scale_weights(min(pred.shape[1:3]))
    pred, target = pred.astype(jnp.float32), target.astype(jnp.float32)
    scales = []
    for level, weight in enumerate(weights):
        if level:
            pred, target = halve(pred), halve(target)
        luminance, structure = _dissimilarities(pred, target, WINDOW, SIGMA, pad=pad)
        scales.append((weight, level, 1 - structure))
    # As published, the luminance has a factor of its own: its mean is taken apart from the structure's.
    scales.append((weights[-1], len(weights) - 1, 1 - luminance))
    return scales


def _dissimilarities(pred: Array, target: Array, window: int, sigma: float, *, pad: bool) -> tuple[Array, Array]:
    """1 - luminance and 1 - structure, per channel, in float32."""
    e = error(pred, target)
    # A variance doesn't mind an offset; around 0 it loses fewer digits.
    s = pred.astype(jnp.float32) + target.astype(jnp.float32) - 1
    filtered = blur(jnp.concatenate([s, e, s**2, e**2]), gaussian_taps(window, sigma), pad=pad)
    mean_s, mean_e, square_s, square_e = jnp.split(filtered, 4)
    var_s = jnp.maximum(square_s - mean_s**2, 0)
    var_e = jnp.maximum(square_e - mean_e**2, 0)
    mean_s = mean_s + 1
    luminance = mean_e**2 / ((mean_s**2 + mean_e**2) / 2 + C1)
    structure = var_e / ((var_s + var_e) / 2 + C2)
    return luminance, structure


def _check_size(shape: tuple[int, ...], window: int) -> None:
    _, h, w, _ = shape
    if min(h, w) < window:
        raise UserError(f"an image of {h}x{w} pixels is smaller than SSIM's window of {window}x{window}")
