"""CutPaste (Li et al. 2021, arXiv 2104.04015): a piece of the image pasted elsewhere, as a rectangle or a thin scar.

Axes: h height, w width, c channels, k kinds.
"""

import jax
import jax.numpy as jnp
import numpy as np

from adjax.synthesis import augment
from adjax.synthesis.boxes import bilinear, draw_size, grid, inside, place
from adjax.synthesis.planted import Image, Planted, Sampler, compare
from adjax.types import Key

SIDE = 256  # px, of the images in which a scar's lengths are stated


def cutpaste(
    area: tuple[float, float] = (0.02, 0.15), aspect: tuple[float, float] = (0.3, 3.3), jitter: float = 0.1
) -> Sampler:
    """`area`: share of the image's; `aspect`: height / width; `jitter`: see `augment.jitter`."""

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        del texture
        k_size, k_from, k_to, k_jitter = jax.random.split(key, 4)
        sides = image.shape[:2]
        size = draw_size(k_size, sides, area, aspect)
        cut, paste = place(k_from, sides, *size), place(k_to, sides, *size)
        moved = jnp.roll(image, (paste.y - cut.y, paste.x - cut.x), axis=(0, 1))
        patch = augment.jitter(k_jitter, moved, jitter) if jitter else moved
        return compare(image, jnp.where(inside(paste, sides)[..., None], patch, image))

    return sample


def scar(
    width: tuple[float, float] = (2.0, 16.0),
    height: tuple[float, float] = (10.0, 25.0),
    degrees: float = 45.0,
    jitter: float = 0.1,
) -> Sampler:
    """`width` and `height` in pixels of a 256² image, scaled with the shorter side, never below one pixel."""

    def sample(key: Key, image: Image, texture: Image | None = None) -> Planted:
        del texture
        k_size, k_turn, k_from, k_to, k_jitter = jax.random.split(key, 5)
        sides = np.array(image.shape[:2], np.float32)
        low, high = np.array([height[0], width[0]], np.float32), np.array([height[1], width[1]], np.float32)
        half = 0.5 * jnp.maximum(jax.random.uniform(k_size, (2,), minval=low, maxval=high) * sides.min() / SIDE, 1.0)
        turn = jnp.deg2rad(jax.random.uniform(k_turn, (), minval=-degrees, maxval=degrees))
        reach = jnp.hypot(half[0], half[1])  # of the turned rectangle, whatever its turn
        cut, paste = (reach + jax.random.uniform(k, (2,)) * (sides - 1.0 - 2.0 * reach) for k in (k_from, k_to))
        y, x = grid(image.shape[:2])
        y, x = y - paste[0], x - paste[1]
        v, u = y * jnp.cos(turn) + x * jnp.sin(turn), x * jnp.cos(turn) - y * jnp.sin(turn)
        patch = augment.jitter(k_jitter, bilinear(image, v + cut[0], u + cut[1]), jitter)
        where = (jnp.abs(v) <= half[0]) & (jnp.abs(u) <= half[1])
        return compare(image, jnp.where(where[..., None], patch, image))

    return sample


def three_way(rectangle: Sampler | None = None, line: Sampler | None = None):
    """(key, image) -> Planted with a leading axis k, the classes of the 3-way task: as it is, rectangle, scar."""
    rectangle, line = rectangle or cutpaste(), line or scar()

    def sample(key: Key, image: Image) -> Planted:
        k_rectangle, k_line = jax.random.split(key)
        kinds = compare(image, image), rectangle(k_rectangle, image), line(k_line, image)
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *kinds)

    return sample
