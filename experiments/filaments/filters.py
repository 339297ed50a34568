"""Detectors that learn nothing: maps of one image, higher = more of something.

Axes: h height, w width, m map. Gaussians are separable shifted adds, the wide ones at a quarter of the resolution.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.synthesis.filaments.sensor import blur, wide_blur

MAPS = (
    "intensity", "off_median", "smooth_3", "smooth_8", "std_5", "gradient", "log_3", "log_5", "log_8", "line",
)  # fmt: skip
NUMBERS = ("mean", "spread", "max", "min", "q99.95")
STATISTICS = tuple(f"{m}/{n}" for m in MAPS for n in NUMBERS)


def smoothed(image: Float[Array, "h w"], sigma: float) -> Float[Array, "h w"]:
    return blur(image[None], jnp.full((1,), sigma), int(3 * sigma) + 1)[0]


def slopes(image: Float[Array, "h w"]) -> tuple[Array, Array]:
    """Central differences along h and w."""
    wide = jnp.pad(image, 1, mode="edge")
    return (wide[2:, 1:-1] - wide[:-2, 1:-1]) / 2, (wide[1:-1, 2:] - wide[1:-1, :-2]) / 2


@jax.jit
def maps(image: Float[Array, "h w"]) -> Float[Array, "m h w"]:
    """Intensity, blob, variance, gradient and line filters of grey values in [0, 1], in the order of MAPS."""
    fine, coarse = smoothed(image, 1.5), smoothed(image, 2.0)
    three = smoothed(coarse, 5**0.5)
    five, eight = (wide_blur(image[None], s)[0] for s in (5.0, 8.0))
    power = wide_blur(jnp.square(image - 0.3)[None], 5.0)[0]
    (yy, _), (xy, xx) = (slopes(u) for u in slopes(coarse))
    ridge = jnp.sqrt(jnp.square(xx - yy) / 4 + xy * xy) - (xx + yy) / 2
    return jnp.stack(
        [
            image,
            jnp.abs(image - jnp.median(image[::4, ::4])),
            three,
            eight,
            jnp.sqrt(jnp.maximum(power - jnp.square(five - 0.3), 0.0)),
            jnp.hypot(*slopes(fine)),
            coarse - three,
            three - five,
            five - eight,
            ridge,
        ]
    )


def statistics(responses: Float[np.ndarray, "m h w"]) -> list[float]:
    """One number per map and image, in the order of STATISTICS; the quantile from a quarter of the pixels."""
    numbers = []
    for response in responses:
        thin = response[::2, ::2].ravel()
        high = np.partition(thin, -len(thin) // 2000)[-len(thin) // 2000]
        numbers += [thin.mean(), thin.std(), response.max(), response.min(), high]
    return [float(n) for n in numbers]
