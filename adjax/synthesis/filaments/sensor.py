"""From ideal greys to an 8-bit picture: point spread, illumination, charging, photons, read-out.

Axes: b image, h height, w width. Noise is one normal number per pixel, scaled by √(grey / electrons + read²): where the
ideal greys of two renderings are equal, so are the noisy ones.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, UInt8

from adjax.synthesis.filaments.levels import Level, Optics
from adjax.synthesis.filaments.recurrence import recur

READ = 0.01  # standard deviation of the read-out noise
RADIUS = 6  # px, of the point spread
RELIEF = 64  # px, of the specimen's bulges


class Exposure(NamedTuple):
    """One image's conditions of recording; scalars unless said otherwise."""

    psf: Float[Array, "2"]  # standard deviations along h and w, px
    defocus: Float[Array, "2"]  # growth of the point spread from the centre to the border along h and w
    relief: Float[Array, "n n"]  # height of the specimen out of focus, on a coarse grid
    slope: Float[Array, "2"]  # illumination along h and w, centre to border
    halo: Array
    streak: Array
    line: Array  # standard deviation of row offsets
    gain: Array
    offset: Array
    electrons: Array
    noise: Array  # the data of a key: twins share it on purpose


def draw_exposure(level: Level, optics: Optics, size: int, key) -> Exposure:
    k_draw, k_relief, k_noise = jax.random.split(key, 3)
    relief = jax.random.normal(k_relief, (size // RELIEF + 2,) * 2) * min(0.7, 1.0 * level.deep_blur)
    psf, ratio, flip, angle, turn, slope, focus, halo, streak, line, gain, offset = jax.random.uniform(k_draw, (12,))
    psf = optics.psf[0] + (optics.psf[1] - optics.psf[0]) * psf
    ratio = jnp.sqrt(1.0 + (optics.stretch - 1.0) * ratio) ** jnp.where(flip < 0.5, 1.0, -1.0)
    angle, turn = 2 * np.pi * angle, 2 * np.pi * turn
    charge = level.charging * optics.scan
    return Exposure(
        psf * jnp.stack([ratio, 1.0 / ratio]),
        0.3 * focus * jnp.stack([jnp.sin(angle), jnp.cos(angle)]),
        relief,
        level.gradient * slope * jnp.stack([jnp.sin(turn), jnp.cos(turn)]),
        0.05 * charge * (1.0 + halo),
        0.03 * charge * (1.0 + streak),
        0.002 * charge * (1.0 + line),
        0.9 + 0.2 * gain,
        0.06 * offset - 0.03,
        jnp.float32(level.electrons),
        jax.random.key_data(k_noise),
    )


def gauss(image: Float[Array, "b h w"], sigma: Float[Array, "b"], axis: int, radius: int) -> Float[Array, "b h w"]:
    """One pass of a Gaussian filter with a standard deviation per image; borders are repeated.

    The barriers keep two passes from being fused into one of (2 radius + 1)² taps.
    """
    pad = [(0, 0)] * 3
    pad[axis] = (radius, radius)
    padded = lax.optimization_barrier(jnp.pad(image, pad, mode="edge"))
    taps = jnp.exp(-0.5 * (jnp.arange(-radius, radius + 1.0)[None] / jnp.maximum(sigma, 0.05)[:, None]) ** 2)
    taps = taps / jnp.sum(taps, axis=1, keepdims=True)
    n = image.shape[axis]
    shifted = (lax.slice_in_dim(padded, i, i + n, axis=axis) for i in range(2 * radius + 1))
    out = sum(taps[:, i, None, None] * part for i, part in enumerate(shifted))
    return lax.optimization_barrier(out)


def blur(image: Float[Array, "b h w"], sigma: Float[Array, "b"], radius: int) -> Float[Array, "b h w"]:
    return gauss(gauss(image, sigma, 1, radius), sigma, 2, radius)


def wide_blur(image: Float[Array, "b h w"], sigma: float) -> Float[Array, "b h w"]:
    """A Gaussian filter of large standard deviation, computed at a quarter of the resolution."""
    b, h, w = image.shape
    small = jnp.pad(image, ((0, 0), (0, -h % 4), (0, -w % 4)), mode="edge")
    small = small.reshape(b, (h + 3) // 4, 4, (w + 3) // 4, 4).mean((2, 4))
    small = blur(small, jnp.full((b,), sigma / 4), int(3 * sigma / 4) + 1)
    return jax.image.resize(small, (b, 4 * small.shape[1], 4 * small.shape[2]), "linear")[:, :h, :w]


def field(h: int, w: int) -> tuple[Array, Array]:
    """Coordinates in [−1, 1] along h and w, [1 h 1] and [1 1 w]."""
    return jnp.linspace(-1.0, 1.0, h)[None, :, None], jnp.linspace(-1.0, 1.0, w)[None, None, :]


def focus(image: Float[Array, "b h w"], exposure: Exposure) -> Float[Array, "b h w"]:
    """The point spread: elliptic, wider towards one border and where the specimen bulges out of focus.

    So a region of little contrast is nothing unusual.
    """
    sharp = gauss(gauss(image, exposure.psf[:, 0], 1, RADIUS), exposure.psf[:, 1], 2, RADIUS)
    soft = blur(sharp, jnp.full(image.shape[:1], 2.0), 6)
    y, x = field(*image.shape[1:])
    n = exposure.relief.shape[1] * RELIEF
    bulge = jax.image.resize(exposure.relief, (image.shape[0], n, n), "cubic")[:, : image.shape[1], : image.shape[2]]
    share = bulge + exposure.defocus[:, :1, None] * y + exposure.defocus[:, 1:, None] * x
    return sharp + jnp.clip(share, 0.0, 0.9) * (soft - sharp)


def trail(bright: Float[Array, "b h w"], decay: float) -> Float[Array, "b h w"]:
    """The exponential tail that a bright body drags along the scan direction, left to right."""

    b, h, w = bright.shape
    return (1.0 - decay) * recur(bright.reshape(b * h, w), decay).reshape(b, h, w)


def unit_noise(exposure: Exposure, number: int, shape: tuple[int, ...]) -> Array:
    """One normal number per position and image, from the image's stream `number`."""

    def one(data):
        return jax.random.normal(jax.random.fold_in(jax.random.wrap_key_data(data), number), shape)

    return jax.vmap(one)(exposure.noise)


def charge(image: Float[Array, "b h w"], exposure: Exposure) -> Float[Array, "b h w"]:
    """Halos around and streaks behind large bright bodies, dense knots of strands included; slow row offsets."""
    body = jnp.maximum(wide_blur(image, 6.0) - 0.42, 0.0) * 4.0
    image = image + exposure.halo[:, None, None] * wide_blur(body, 20.0)
    image = image + exposure.streak[:, None, None] * trail(body, float(np.exp(-1 / 70)))
    rows = unit_noise(exposure, 1, image.shape[1:2])
    return image + exposure.line[:, None, None] * rows[:, :, None]


def expose(
    image: Float[Array, "b h w"], exposure: Exposure, noisiness: Array, level: Level, optics: Optics
) -> UInt8[Array, "b h w"]:
    """Focused ideal greys to 8 bit; `noisiness` multiplies the noise, per pixel [b h w] or [b 1 1]."""
    y, x = field(*image.shape[1:])
    light = 1.0 + exposure.slope[:, :1, None] * y + exposure.slope[:, 1:, None] * x
    image = image * (light - optics.falloff * (x * x + y * y))
    if level.charging * optics.scan > 0:
        image = charge(image, exposure)
    noise = unit_noise(exposure, 0, image.shape[1:])
    scale = jnp.sqrt(jnp.maximum(image, 0.0) / exposure.electrons[:, None, None] + READ**2)
    image = image + noisiness * scale * noise
    image = exposure.gain[:, None, None] * image + exposure.offset[:, None, None]
    return jnp.floor(255.0 * jnp.clip(image, 0.0, 1.0) + 0.5).astype(jnp.uint8)
