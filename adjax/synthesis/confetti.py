"""Confetti (Liznerski et al. 2021, FCDD, arXiv 2007.01760): blurred squares added to the image.

Axes: h height, w width, c channels, s squares.
"""

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from adjax.synthesis.boxes import grid
from adjax.synthesis.planted import Image, Planted, Sampler, compare
from adjax.types import Key

SIDE = 240  # px, of the images in which lengths and densities are stated
MOST = 4  # squares of either sort: more come in one image of 200


def confetti(
    colour: float = 1.8e-5, dark: float = 1.2e-5, sizes: tuple[float, float] = (8.0, 54.0), blur: float = 5.0
) -> Sampler:
    """Two sorts of squares: in a random colour offset from (−1, 0], and −1 in all channels; turned by up to ± 45°.

    `colour` and `dark`: mean numbers per pixel of a 240² image, at least one square of either sort. `sizes` (sides)
    and `blur` (standard deviation of a Gaussian) in pixels of such an image, scaled with the shorter side. The blurred
    square is exact: a product of two Gaussian integrals. Where adding changes the image by less than 1e-4 on the mean
    (on black), the squares are subtracted if that changes more.
    """

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        del texture
        k_colour, k_dark, k_tint = jax.random.split(key, 3)
        tints = jax.random.uniform(k_tint, (MOST, image.shape[-1]), minval=-1.0, maxval=0.0)
        change = _squares(k_colour, image.shape[:2], colour, sizes, blur, tints)
        change = change + _squares(k_dark, image.shape[:2], dark, sizes, blur, jnp.full_like(tints, -1.0))
        change = jnp.where(jnp.abs(change) < 1 / 512, 0.0, change)
        added, taken = compare(image, image + change), compare(image, image - change)
        weak = 0.025 / 255
        less, more = (jnp.mean(jnp.abs(p.image - image)) for p in (added, taken))
        flip = (less < weak) & (more > less)
        return jax.tree.map(lambda a, b: jnp.where(flip, b, a), added, taken)

    return sample


def _squares(key: Key, sides: tuple[int, int], density: float, sizes, blur: float, tints: Float[Array, "s c"]) -> Image:
    k_number, k_place, k_size, k_turn = jax.random.split(key, 4)
    unit = min(sides) / SIDE
    number = jnp.clip(jax.random.poisson(k_number, density * SIDE * SIDE), 1, MOST)
    centres = jax.random.uniform(k_place, (MOST, 2)) * (jnp.array([sides], jnp.float32) - 1.0)
    halves = 0.5 * unit * jax.random.uniform(k_size, (MOST,), minval=sizes[0], maxval=sizes[1])
    turns = jnp.deg2rad(jax.random.uniform(k_turn, (MOST,), minval=-45.0, maxval=45.0))
    y, x = grid(sides)
    total = jnp.zeros((*sides, tints.shape[-1]))
    for i in range(MOST):
        dy, dx = y - centres[i, 0], x - centres[i, 1]
        u, v = dx * jnp.cos(turns[i]) + dy * jnp.sin(turns[i]), dy * jnp.cos(turns[i]) - dx * jnp.sin(turns[i])
        cover = _bar(u, halves[i], blur * unit) * _bar(v, halves[i], blur * unit)
        total = total + jnp.where(i < number, cover[..., None] * tints[i][None, None], 0.0)
    return total


def _bar(distance: Float[Array, "h w"], half: Float[Array, ""], sigma: float) -> Float[Array, "h w"]:
    """An interval of half-width `half`, blurred."""
    return ndtr((distance + half) / sigma) - ndtr((distance - half) / sigma)
