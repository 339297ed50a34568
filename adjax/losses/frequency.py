"""Losses in the Fourier domain.

Axes: b batch, h height, w width, c channels, k = w // 2 + 1 half spectrum.

A weight W(u, v) on the squared spectrum of the error becomes a map by going back:
|IFFT(sqrt(W) FFT(e))|². By Parseval its mean is the loss (1/hw) sum W |FFT(e)|², the transform orthonormal;
W = 1 is the squared error. Traps: the transform is periodic, so opposite borders that differ add high
frequencies; the map spreads a local error over its surroundings.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from adjax.losses.pixel import error


def map_weighted_frequency(
    pred: Float[Array, "b h w c"],
    target: Float[Array, "b h w c"],
    *,
    gamma: float = 1.0,
    floor: float = 0.1,
) -> Float[Array, "b h w"]:
    """Squared error with W = (r / r_max)^gamma + floor, r the radial frequency: sharp detail counts more.

    After Nakanishi, Sato, Terada 2021 (arXiv 2105.10214); their exact W and power may differ from these.
    `floor` is the weight of the mean brightness.
    """
    spectrum = jnp.fft.rfft2(error(pred, target), axes=(1, 2))
    weight = radial_weight(*pred.shape[1:3], gamma=gamma, floor=floor)
    return _back(spectrum, weight[None, :, :, None], pred.shape)


def map_focal_frequency(
    pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"], *, alpha: float = 1.0, log: bool = False
) -> Float[Array, "b h w"]:
    """Focal frequency loss (Jiang et al. 2021): W = |FFT(e)|^alpha, divided by its largest value.

    The largest value is that of one image and channel; W is a constant for the gradient. `log` takes
    log(W + 1) before the division. The whole image is one patch.
    """
    spectrum = jnp.fft.rfft2(error(pred, target), axes=(1, 2), norm="ortho")
    weight = jnp.abs(jax.lax.stop_gradient(spectrum)) ** alpha
    if log:
        weight = jnp.log1p(weight)
    largest = weight.max((1, 2), keepdims=True)
    weight = weight / jnp.where(largest > 0, largest, 1.0)
    return _back(spectrum, weight, pred.shape, norm="ortho")


def radial_weight(h: int, w: int, *, gamma: float, floor: float) -> Float[Array, "h k"]:
    """(r / r_max)^gamma + floor on the half spectrum of `rfft2`; r in cycles per pixel."""
    r = jnp.hypot(jnp.fft.fftfreq(h)[:, None], jnp.fft.rfftfreq(w)[None, :])
    return (r / r.max()) ** gamma + floor


def _back(
    spectrum: Complex[Array, "b h k c"], weight: Array, shape: tuple[int, ...], norm: str = "backward"
) -> Float[Array, "b h w"]:
    filtered = spectrum * jnp.sqrt(weight).astype(spectrum.dtype)
    return (jnp.fft.irfft2(filtered, shape[1:3], axes=(1, 2), norm=norm) ** 2).mean(-1)
