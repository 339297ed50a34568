"""Shapes to fill: coverage f32[h w] in [0, 1], drawn from a key. Each function makes a `Shape`.

Axes: h height, w width, p points of a line, q of its spline. Lengths are in pixels.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.noise.fractal import fractal
from adjax.noise.perlin import draem_mask
from adjax.synthesis.boxes import draw_size, grid, inside, place
from adjax.synthesis.planted import Shape
from adjax.types import Key

TURNS = 720  # directions in which an outline is tabulated
SEGMENTS = 16  # of a stroke
SMOOTH = 10  # points of the spline to one of the outline


def rectangle(area: tuple[float, float] = (0.02, 0.15), aspect: tuple[float, float] = (0.3, 3.3)) -> Shape:
    """Area as a share of the image's, and height / width."""

    def shape(key: Key, sides: tuple[int, int]) -> Float[Array, "h w"]:
        k_size, k_place = jax.random.split(key)
        return inside(place(k_place, sides, *draw_size(k_size, sides, area, aspect)), sides).astype(jnp.float32)

    return shape


def perlin(threshold: float = 0.5, finest: float = 8.0) -> Shape:
    """Where DRAEM's Perlin noise exceeds a threshold (see `noise.draem_mask`). Along each axis it has 1, 2, 4 ... cells
    of at least `finest` pixels of the shorter side: the published 1 to 32 cells at 256², and blobs as small in pixels
    on images of other sizes."""

    def shape(key: Key, sides: tuple[int, int]) -> Float[Array, "h w"]:
        scales = (0, 1 + max(0, int(np.log2(min(sides) / finest))))
        return draem_mask(key[None], sides, threshold=threshold, scales=scales)[0].astype(jnp.float32)

    return shape


def simplex(threshold: float = 0.6, wavelength: float = 64.0, octaves: int = 3, persistence: float = 0.5) -> Shape:
    """Where simplex noise exceeds a threshold (its standard deviation is 0.36); the longest wavelength in pixels of a
    256² image, scaled with the shorter side."""

    def shape(key: Key, sides: tuple[int, int]) -> Float[Array, "h w"]:
        how = {"frequency": wavelength * min(sides) / 256, "octaves": octaves, "persistence": persistence, "dims": 2}
        return (fractal(key[None], (*sides, 1), **how)[0, ..., 0] > threshold).astype(jnp.float32)

    return shape


def stain(
    axes: tuple[float, float] = (0.01, 0.12), points: int = 20, irregularity: float = 0.1, blur: float = 0.0
) -> Shape:
    """The irregular ellipse of AE + Stain (Collin & De Vleeschouwer 2020, arXiv 2008.12977).

    Semi-axes are whole pixels, even in `axes` × width and × height; the outline's points are moved by whole pixels up
    to `irregularity` × their mean, put into the order of their directions, and joined by a cubic spline. The centre is
    the longer semi-axis away from the border. `blur`: standard deviation of the edge over that semi-axis; the edge is
    the Gaussian integral of the distance along the radius, which is the blurred outline where that is nearly straight.
    """

    def shape(key: Key, sides: tuple[int, int]) -> Float[Array, "h w"]:
        k_axes, k_turn, k_centre, k_jitter = jax.random.split(key, 4)
        low, high = (np.array([max(1, int(share * n)) for n in sides[::-1]]) for share in axes)
        a, b = jax.random.randint(k_axes, (2,), low, high + 1).astype(jnp.float32)
        reach = jnp.maximum(a, b)
        outline = _ellipse(k_turn, a, b, points)
        step = jnp.floor(irregularity * (a + b) / 2)
        outline = outline + jnp.floor(jax.random.uniform(k_jitter, (points, 2)) * (2 * step + 1)) - step
        room = jnp.array(sides, jnp.float32) - 1.0 - 2.0 * reach
        cy, cx = reach + jnp.round(jax.random.uniform(k_centre, (2,)) * room)
        y, x = grid(sides)
        y, x = y - cy, x - cx
        beyond = _radius(_spline(outline), jnp.arctan2(y, x)) - jnp.hypot(y, x)
        if not blur:
            return (beyond >= 0).astype(jnp.float32)
        return jax.scipy.special.ndtr(beyond / (blur * reach))

    return shape


def _ellipse(key: Key, a, b, points: int) -> Float[Array, "p 2"]:
    """y and x of an ellipse's outline, turned anyhow."""
    turn = jax.random.uniform(key, (), maxval=2 * np.pi)
    t = 2 * np.pi * jnp.arange(points, dtype=jnp.float32) / points
    u, v = a * jnp.cos(t), b * jnp.sin(t)
    return jnp.stack([u * jnp.sin(turn) + v * jnp.cos(turn), u * jnp.cos(turn) - v * jnp.sin(turn)], -1)


def _spline(outline: Float[Array, "p 2"]) -> Float[Array, "q 2"]:
    """Closed cubic (Catmull-Rom) through the points in the order of their directions."""
    before, here, after, later = (
        jnp.roll(outline[jnp.argsort(jnp.arctan2(outline[:, 0], outline[:, 1]))], -k, axis=0)[:, None] for k in range(4)
    )
    t = (jnp.arange(SMOOTH, dtype=jnp.float32) / SMOOTH)[None, :, None]
    curve = (after - before) * t + (2 * before - 5 * here + 4 * after - later) * t**2
    return (here + 0.5 * (curve + (3 * here - before - 3 * after + later) * t**3)).reshape(-1, 2)


def _radius(curve: Float[Array, "q 2"], direction: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """Distance from the centre to the curve in a direction, by a table over all directions."""
    centres = (jnp.arange(TURNS, dtype=jnp.float32) / TURNS - 0.5) * 2 * np.pi
    table = jnp.interp(
        centres, jnp.arctan2(curve[:, 0], curve[:, 1]), jnp.hypot(curve[:, 0], curve[:, 1]), period=2 * np.pi
    )
    place = (direction / (2 * np.pi) + 0.5) * TURNS
    first = jnp.floor(place)
    index = first.astype(jnp.int32) % TURNS
    return table[index] + (place - first) * (table[(index + 1) % TURNS] - table[index])


def stroke(
    width: tuple[float, float] = (2.0, 5.0), length: tuple[float, float] = (0.1, 1.0), bend: float = 0.15
) -> Shape:
    """A thin bent line, its edge spread over one pixel: a quadratic Bézier curve of a width in pixels, whatever the
    image's size, a length in shorter sides, and a standard deviation of its height over its length."""

    def shape(key: Key, sides: tuple[int, int]) -> Float[Array, "h w"]:
        k_middle, k_turn, k_length, k_bend, k_width = jax.random.split(key, 5)
        middle = jax.random.uniform(k_middle, (2,)) * (jnp.array(sides, jnp.float32) - 1.0)
        turn = jax.random.uniform(k_turn, (), maxval=np.pi)
        along = jnp.stack([jnp.sin(turn), jnp.cos(turn)])
        across = jnp.stack([along[1], -along[0]])
        span = min(sides) * jax.random.uniform(k_length, (), minval=length[0], maxval=length[1])
        height = bend * span * jax.random.normal(k_bend)
        t = jnp.linspace(-0.5, 0.5, SEGMENTS + 1)[:, None]
        curve = middle[None] + span * t * along[None] + height * (1.0 - 4.0 * t**2) * across[None]
        radius = 0.5 * jax.random.uniform(k_width, (), minval=width[0], maxval=width[1])
        return jnp.clip(radius + 0.5 - _distance(curve, *grid(sides)), 0.0, 1.0)

    return shape


def _distance(curve: Float[Array, "p 2"], y: Float[Array, "h w"], x: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """To the nearest point of a polygon line."""
    (sy, sx), (ey, ex) = (ends.T[..., None, None] for ends in (curve[:-1], curve[1:]))
    dy, dx = ey - sy, ex - sx
    y, x = y[None] - sy, x[None] - sx
    t = jnp.clip((y * dy + x * dx) / jnp.maximum(dy * dy + dx * dx, 1e-12), 0.0, 1.0)
    return jnp.sqrt(jnp.min((y - t * dy) ** 2 + (x - t * dx) ** 2, axis=0))
