"""Natural synthetic anomalies (Schlüter et al. 2022, arXiv 2109.15222): a patch of an image, Poisson-blended.

Axes: h height, w width, c channels.

The blend is exact: inside the patch's rectangle the result has the source's 5-point Laplacian, on its rim it has the
image's values. The correction is harmonic, and on a rectangle the sine transform solves for it; it is written as
products with sine matrices of the image's size, in which a patch of any size fits.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from adjax.synthesis.boxes import Box, bilinear, grid, inside, place
from adjax.synthesis.planted import Image, Planted, Sampler, compare
from adjax.types import Key


def nsa(
    patches: int = 3,
    offset: float = 0.03,
    scale: float = 0.05,
    bounds: tuple[float, float] = (0.03, 0.4),
    resize: tuple[float, float] = (0.7, 1.3),
    tolerance: float = 1 / 255,
) -> Sampler:
    """Half-widths: offset + Gamma(2, scale), in sides. The first patch always, each other with probability ½.

    The patch comes from `texture`, which is meant to be another good image, or else from the image itself; it is
    resized by N(1, ½) within `resize`. `bounds` hold for the half-widths before and the widths after that. Where the
    blend changes a pixel by no more than `tolerance` on the mean of its channels, the image is kept: on flat areas a
    patch vanishes altogether. The object masks are left to `restricted`.
    """

    def patch(key: Key, image: Image, texture: Image | None) -> Image:
        k_half, k_scale, k_from, k_to = jax.random.split(key, 4)
        sides = image.shape[:2]
        half = jnp.clip(offset + scale * jax.random.gamma(k_half, 2.0, (2,)), *bounds)
        factor = jnp.clip(1.0 + 0.5 * jax.random.normal(k_scale), *resize)
        whole = jnp.clip(2.0 * half * factor, *bounds) * np.array(sides, np.float32)
        size = jnp.maximum(whole.astype(jnp.int32), 3)
        to = place(k_to, sides, size[0], size[1], margin=1)
        source = _resized(k_from, image if texture is None else texture, size, factor)
        target = jnp.roll(image, (1 - to.y, 1 - to.x), axis=(0, 1))  # the rim's corner comes to (0, 0)
        blended = source + harmonic(target - source, size[0], size[1])
        blended = jnp.clip(blended, 0.0, 1.0)
        change = jnp.mean(jnp.abs(blended - target), axis=-1, keepdims=True)
        within = inside(Box(1, 1, size[0], size[1]), sides)[..., None]
        blended = jnp.where(within & (change > tolerance), blended, target)
        return jnp.roll(blended, (to.y - 1, to.x - 1), axis=(0, 1))

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        def add(changed: Image, number):
            k_happens, k_patch = jax.random.split(jax.random.fold_in(key, number))
            happens = (number == 0) | jax.random.bernoulli(k_happens)
            return jnp.where(happens, patch(k_patch, changed, texture), changed), None

        return compare(image, jax.lax.scan(add, image, jnp.arange(patches))[0])

    return sample


def _resized(key: Key, image: Image, size: Int[Array, "2"], factor: Float[Array, ""]) -> Image:
    """A random piece of the image enlarged by `factor`, with its rim at rows and columns 0 to size + 1."""
    room = np.array(image.shape[:2], np.float32) - 1.0 - (size + 1).astype(jnp.float32) / factor
    corner = jax.random.uniform(key, (2,)) * jnp.maximum(room, 0.0)
    y, x = grid(image.shape[:2])
    return bilinear(image, corner[0] + y / factor, corner[1] + x / factor)


def harmonic(rim: Image, height: Int[Array, ""], width: Int[Array, ""]) -> Image:
    """On rows 1 to height, columns 1 to width: the discrete harmonic function with the values of `rim` around them.

    The rim is rows 0 and height + 1, columns 0 and width + 1; corners don't count. Elsewhere the result is 0.
    """
    rows, columns = jnp.arange(rim.shape[0]), jnp.arange(rim.shape[1])
    inner_y, inner_x = (rows >= 1) & (rows <= height), (columns >= 1) & (columns <= width)
    level = ((rows == 0) | (rows == height + 1))[:, None] & inner_x[None]
    upright = inner_y[:, None] & ((columns == 0) | (columns == width + 1))[None]
    known = jnp.where((level | upright)[..., None], rim, 0.0)
    load = sum(jnp.roll(known, step, axis) for step in (1, -1) for axis in (0, 1))
    load = jnp.where(inside(Box(1, 1, height, width), rim.shape[:2])[..., None], load, 0.0)
    sine_y, wave_y = _sines(rim.shape[0], height)
    sine_x, wave_x = _sines(rim.shape[1], width)
    transform = partial(jnp.einsum, "kh,hwc,wl->klc", sine_y, precision="highest")  # the matrices are their own inverse
    return transform(transform(load, sine_x) / (wave_y[:, None] + wave_x[None])[..., None], sine_x)


def _sines(length: int, inner: Int[Array, ""]) -> tuple[Float[Array, "n n"], Float[Array, "n"]]:
    """The orthogonal, symmetric sine matrix of 1..inner in a frame of `length`, and its eigenvalues of −Δ."""
    numbers = jnp.arange(length)
    period = 2 * (inner + 1)
    used = (numbers >= 1) & (numbers <= inner)
    turns = (numbers[:, None] * numbers[None]) % period  # of whole numbers: exact, however large
    angle = 2 * np.pi / period.astype(jnp.float32)
    sines = jnp.sin(angle * turns.astype(jnp.float32)) * jnp.sqrt(2 * angle / np.pi)
    waves = 2.0 - 2.0 * jnp.cos(angle * numbers.astype(jnp.float32))
    return jnp.where(used[:, None] & used[None], sines, 0.0), jnp.where(used, waves, 1.0)
