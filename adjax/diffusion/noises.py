"""What images are diffused with: functions of (keys [b], shape (h, w, c), time f32[b]) that give f32[b h w c].

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Callable, Mapping

import jax
from jaxtyping import Array, Float

from adjax.noise import fractal, power_law
from adjax.types import Key, UserError

Noise = Callable[[Key, tuple[int, int, int], Float[Array, "b"]], Float[Array, "b h w c"]]


def gaussian(keys: Key, shape: tuple[int, int, int], time: Float[Array, "b"]) -> Float[Array, "b h w c"]:
    del time
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def simplex(keys: Key, shape: tuple[int, int, int], time: Float[Array, "b"]) -> Float[Array, "b h w c"]:
    """AnoDDPM's octaves. Their standard deviation is 0.506: x_t has half the noise that its schedule says."""
    return fractal(keys, shape, time)


def coloured(keys: Key, shape: tuple[int, int, int], time: Float[Array, "b"]) -> Float[Array, "b h w c"]:
    """Gaussian of variance 1 whose power falls with the frequency squared, as an image's does."""
    del time
    return power_law(keys, shape, exponent=2.0)


NOISES: Mapping[str, Noise] = {"gaussian": gaussian, "simplex": simplex, "coloured": coloured}


def named(name: str) -> Noise:
    if name not in NOISES:
        raise UserError(f"unknown noise '{name}'; choose from {', '.join(NOISES)}")
    return NOISES[name]
