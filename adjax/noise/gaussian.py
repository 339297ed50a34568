"""Gaussian noise whose power falls with frequency: white, pink, brown and everything between.

Axes: b batch, h height, w width, c channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.types import Key


def power_law(
    keys: Key, shape: tuple[int, int, int], *, exponent: float = 2.0, dtype: jnp.dtype = jnp.float32
) -> Float[Array, "b h w c"]:
    """Power ∝ |f|^−exponent: 0 is white, 2 resembles natural images. Expected variance 1, the channels independent.

    The field is periodic. The mean has the power of the lowest frequency, so that exponent 0 is exactly white.
    """
    h, w, _ = shape
    gain = amplitude(h, w, exponent)[:, : w // 2 + 1, None].astype(np.complex64)

    def image(key: Key) -> Float[Array, "h w c"]:
        white = jnp.fft.rfft2(jax.random.normal(key, shape), axes=(0, 1))
        return jnp.fft.irfft2(white * gain, s=(h, w), axes=(0, 1)).astype(dtype)

    return jax.vmap(image)(keys)


def amplitude(h: int, w: int, exponent: float) -> np.ndarray:
    """f64[h w] over all frequencies, of mean square 1."""
    radius = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])
    radius[0, 0] = 1 / max(h, w)
    gain = radius ** (-exponent / 2)
    return gain / np.sqrt((gain**2).mean())
