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
WEAK = 0.025 / 255  # mean change below which the sign may turn


def confetti(
    colour: float = 1.8e-5, dark: float = 1.2e-5, sizes: tuple[float, float] = (8.0, 54.0), blur: float = 5.0
) -> Sampler:
    """Two sorts of squares: in a random colour offset from (−1, 0], and −1 in all channels; turned by up to ± 45°.

    `colour` and `dark`: mean numbers per pixel of a 240² image, at least one square of either sort. `sizes` (sides)
    and `blur` (standard deviation of a Gaussian) in pixels of such an image, scaled with the shorter side. The blurred
    square is exact: a product of two Gaussian integrals. Where adding changes the image by less than WEAK on the mean
    (on black), the squares are subtracted if that changes more.
    """

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        del texture
        k_squares, k_tint = jax.random.split(key)
        tints = jax.random.uniform(k_tint, (MOST, image.shape[-1]), minval=-1.0, maxval=0.0)
        tints = jnp.concatenate([tints, -jnp.ones_like(tints)])
        covers = squares(k_squares, image.shape[:2], (colour, dark), sizes, blur)
        change = jnp.sum(covers[..., None] * tints[:, None, None], axis=0)
        change = jnp.where(jnp.abs(change) < 1 / 512, 0.0, change)
        added, taken = compare(image, image + change), compare(image, image - change)
        less, more = (jnp.mean(jnp.abs(p.image - image)) for p in (added, taken))
        flip = (less < WEAK) & (more > less)
        return jax.tree.map(lambda a, b: jnp.where(flip, b, a), added, taken)

    return sample


def squares(
    key: Key, sides: tuple[int, int], densities: tuple[float, ...], sizes: tuple[float, float], blur: float
) -> Float[Array, "s h w"]:
    """MOST squares of each density, of which those that are not drawn cover nothing."""
    k_number, k_place, k_size, k_turn = jax.random.split(key, 4)
    unit, total = min(sides) / SIDE, MOST * len(densities)
    number = jnp.maximum(jax.random.poisson(k_number, jnp.array(densities) * SIDE * SIDE), 1)
    drawn = jnp.arange(total) % MOST < jnp.repeat(number, MOST)
    centre = jax.random.uniform(k_place, (2, total, 1, 1)) * (jnp.array(sides, jnp.float32) - 1.0)[:, None, None, None]
    half = 0.5 * unit * jax.random.uniform(k_size, (total, 1, 1), minval=sizes[0], maxval=sizes[1])
    turn = jnp.deg2rad(jax.random.uniform(k_turn, (total, 1, 1), minval=-45.0, maxval=45.0))
    y, x = (n[None] - c for n, c in zip(grid(sides), centre))
    u, v = x * jnp.cos(turn) + y * jnp.sin(turn), y * jnp.cos(turn) - x * jnp.sin(turn)
    edges = jnp.stack([u + half, u - half, v + half, v - half])
    integral = ndtr(edges / (blur * unit))
    cover = (integral[0] - integral[1]) * (integral[2] - integral[3])
    return jnp.where(drawn[:, None, None], cover, 0.0)
