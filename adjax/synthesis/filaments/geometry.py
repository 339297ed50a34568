"""Centre lines of normal strands: smooth worm-like chains that enter and leave the canvas, never end in it.

Axes: f strand, l arc position (1 px apart), v vertex, a vertex attribute (raster.py).

Curvature κ is an Ornstein-Uhlenbeck process (correlation length 40 px, variance 1 / (persistence · 40 px)), so tangents
have no corners. A strand is alive from the last position outside the canvas before its anchor to the first one after.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from adjax.synthesis.filaments.levels import REFERENCE, Level, Optics
from adjax.synthesis.filaments.recurrence import recur

CORRELATION = 40.0  # px, of the curvature
MARGIN = 20.0  # px outside the canvas where strands begin
SPACING = 5.0  # px between vertices where nothing happens
STEP_IN = 32  # px from the start of an ordinary strand to its anchor


class Strands(NamedTuple):
    """Every field f32[f l] but the last four, f32[f]."""

    x: Array
    y: Array
    angle: Array  # of the tangent
    curvature: Array  # 1/px
    r: Array  # half-width, px
    g: Array  # grey
    alive: Array  # 1 or 0
    z: Array  # depth, 0 the deepest, 1 the top
    soft: Array  # px
    width: Array  # px, before modulation
    grey: Array  # before modulation


def slots(level: Level, size: int) -> tuple[int, int, int]:
    """(ordinary strands, followers, crossers at a grazing angle) that a canvas has room for."""
    scale = size / REFERENCE
    return (
        max(4, round(level.strands[1] * (1 - level.bundles) * scale)),
        max(1, round(level.strands[1] * level.bundles * scale)),
        round(level.grazing * scale),
    )


def positions(size: int) -> int:
    """Arc positions per strand: enough for nearly every chain to get across."""
    return int(1.6 * size) + 96


def smooth(knots: Float[Array, "f k"], length: int, scale: float) -> Float[Array, "f l"]:
    """Unit-variance noise with a correlation of about `scale` positions from independent knots, by cubic splines."""
    t = np.arange(length) / scale + 1
    i, u = np.floor(t).astype(int), t - np.floor(t)
    weights = np.zeros((knots.shape[1], length), np.float32)
    cubic = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3)
    for k, w in enumerate(cubic):
        weights[i + k - 1, np.arange(length)] = w / 6
    weights /= np.linalg.norm(weights, axis=0, keepdims=True)
    return jnp.matmul(knots, weights, precision=lax.Precision.HIGHEST)


def curvature(noise: Float[Array, "f l"], persistence: float) -> Float[Array, "f l"]:
    """The process driven by unit normal noise, from its stationary state on."""
    decay = float(np.exp(-1 / CORRELATION))
    kick = np.full(noise.shape[1], np.sqrt((1 - decay**2) / (persistence * CORRELATION)), np.float32)
    kick[0] = np.sqrt(1 / (persistence * CORRELATION))
    return recur(noise * kick[None], decay)


def walk(curved, anchor, x, y, angle) -> tuple[Array, Array, Array]:
    """(x, y, angle) along arcs of given curvature that pass through a point, in a direction, at position `anchor`."""

    def through(steps, value):
        total = recur(steps)
        return total - jnp.take_along_axis(total, anchor[:, None], axis=1) + value[:, None]

    turned = through(curved, angle)
    return through(jnp.cos(turned), x), through(jnp.sin(turned), y), turned


def lifetime(x, y, anchor, size: int) -> Bool[Array, "f l"]:
    """True between the exits on both sides of the anchor; nowhere if one of them is missing."""
    reach = size / 2 + MARGIN - 4
    centre = (size - 1) / 2
    out = (jnp.abs(x - centre) > reach) | (jnp.abs(y - centre) > reach)
    at = jnp.arange(x.shape[1])[None]
    first = jnp.max(jnp.where(out & (at <= anchor[:, None]), at, -1), axis=1)
    last = jnp.min(jnp.where(out & (at >= anchor[:, None]), at, x.shape[1]), axis=1)
    whole = (first >= 0) & (last < x.shape[1]) & (last > first)
    return (at >= first[:, None]) & (at <= last[:, None]) & whole[:, None]


def entries(uniform: Float[Array, "f 5"], normal: Float[Array, "f"], image: Array, size: int) -> tuple:
    """Start points on the canvas border grown by MARGIN, and directions, of random chords.

    Directions scatter about two preferred ones, by an angle that differs from image to image: aligned to isotropic.
    """
    pick, turn, shift = uniform[:, 0], uniform[:, 1], uniform[:, 2]
    width = jnp.exp(-0.7 + 2.2 * image[2])  # radians, wrapped
    angle = np.pi * jnp.where(pick < 0.5, image[0], image[1]) + width * normal
    angle = angle + np.pi * jnp.round(turn)
    c, s, half = jnp.cos(angle), jnp.sin(angle), size / 2 + MARGIN
    offset = (2.0 * shift - 1.0) * half * (jnp.abs(c) + jnp.abs(s))
    px, py = -s * offset, c * offset  # the chord's foot; go back along it to the border
    back = jnp.maximum(
        jnp.where(jnp.abs(c) > 1e-3, (-jnp.sign(c) * half - px) / jnp.where(c == 0, 1.0, c), -1e6),
        jnp.where(jnp.abs(s) > 1e-3, (-jnp.sign(s) * half - py) / jnp.where(s == 0, 1.0, s), -1e6),
    )
    centre = (size - 1) / 2
    return px + back * c + centre, py + back * s + centre, angle


def companions(main: tuple, own: Float[Array, "f l"], uniform: Float[Array, "f 5"], level: Level, size: int) -> tuple:
    """Strands that run beside a main one for 100-400 px at 3-8 px and then diverge, or cross it at a grazing angle.

    `own` is the curvature they have by themselves.
    """
    x, y, angle, curved, alive = main
    (n, length), followers = own.shape, slots(level, size)[1]
    which, at, apart, side, run = uniform.T
    parent = jnp.floor(which * x.shape[0]).astype(jnp.int32)
    span = jnp.sum(alive, axis=1, dtype=jnp.float32)[parent]
    at = ((0.25 + 0.5 * at) * span).astype(jnp.int32)
    side = jnp.where(side < 0.5, 1.0, -1.0)
    crossing = jnp.arange(n) >= followers
    offset = side * jnp.where(crossing, 0.0, 3.0 + 5.0 * apart)
    tilt = side * jnp.where(crossing, 0.07 + 0.19 * apart, 0.0)
    run = jnp.where(crossing, 30.0, (100.0 + 300.0 * run) * min(1.0, size / 512))
    middle = length // 2
    beside = (jnp.arange(length)[None] - middle + at[:, None]) % length
    followed = jnp.take_along_axis(curved[parent], beside, axis=1)
    followed = followed / (1.0 - followed * offset[:, None])
    along = jnp.abs(jnp.arange(length, dtype=jnp.float32) - middle)[None]
    hold = jax.nn.sigmoid((run[:, None] / 2 - along) / 12.0)
    mixed = hold * followed + (1.0 - hold) * own
    px, py, pa = (jnp.take_along_axis(u[parent], at[:, None], axis=1)[:, 0] for u in (x, y, angle))
    anchor = jnp.full((n,), middle, jnp.int32)
    px, py = px - jnp.sin(pa) * offset, py + jnp.cos(pa) * offset
    cx, cy, ca = walk(mixed, anchor, px, py, pa + tilt)
    return cx, cy, ca, mixed, lifetime(cx, cy, anchor, size) & (span > 0)[:, None]


def centre_lines(level: Level, size: int, key) -> tuple[Array, Array, Array, Array, Array]:
    """(x, y, angle, curvature, alive), each [f l]: ordinary strands first, then their companions."""
    n, total = slots(level, size)[0], sum(slots(level, size))
    k_uniform, k_normal = jax.random.split(key)
    uniform = jax.random.uniform(k_uniform, (total + 1, 5))
    normal = jax.random.normal(k_normal, (total, positions(size) + 1))
    curved = curvature(normal[:, 1:], level.persistence)
    x, y, angle = entries(uniform[:n], normal[:n, 0], uniform[-1], size)
    x, y, angle = walk(curved[:n], jnp.zeros((n,), jnp.int32), x, y, angle)
    low = level.strands[0] / level.strands[1]
    number = n * (low + (1.0 - low) * uniform[-1, 3])
    alive = lifetime(x, y, jnp.full((n,), STEP_IN, jnp.int32), size)
    alive = alive & (jnp.arange(n, dtype=jnp.float32) < number)[:, None]
    main = (x, y, angle, curved[:n], alive)
    others = companions(main, curved[n:], uniform[n:total], level, size)
    return tuple(jnp.concatenate([a, b]) for a, b in zip(main, others))


def dress(lines: tuple, level: Level, optics: Optics, key) -> Strands:
    """Widths of 2-5 px, depths, greys and softness; knots are harmless swellings, so that size alone tells nothing."""
    x, y, angle, curved, alive = lines
    n, length = x.shape
    k_uniform, k_normal = jax.random.split(key)
    width, depth, knotted, at, swell = jax.random.uniform(k_uniform, (5, n))
    waves, tints = int(length / 30.0) + 4, int(length / 60.0) + 4
    normal = jax.random.normal(k_normal, (n, 1 + waves + tints))
    width, (low, high) = 2.0 + 3.0 * width, optics.grey
    grey = low + (high - low) * depth + optics.spread * normal[:, 0]
    grey = jnp.maximum(grey, low / 2)
    blur = level.deep_blur * jnp.maximum(0.0, 1.0 - 3.0 * depth)
    wave = 1.0 + 0.06 * jnp.clip(smooth(normal[:, 1 : waves + 1], length, 30.0), -2.0, 2.0)
    tint = 1.0 + 0.03 * smooth(normal[:, waves + 1 :], length, 60.0)
    rate = level.knots / (0.9 * level.strands[1])
    at = at * jnp.sum(alive, axis=1, dtype=jnp.float32)
    swell = jnp.where(knotted < rate, 0.5 * swell, 0.0)
    along = jnp.arange(length, dtype=jnp.float32)[None] - at[:, None]
    knot = 1.0 + swell[:, None] * jnp.exp(-((along / (1.5 * width[:, None])) ** 2))
    r = width[:, None] / 2 * wave * knot
    alive = alive.astype(jnp.float32)
    soft = jnp.sqrt(1.0 + 12.0 * blur * blur)
    return Strands(x, y, angle, curved, r, grey[:, None] * tint, alive, depth, soft, width, grey)


def vertex_count(size: int) -> int:
    """Room for a strand across the canvas at SPACING and for the denser vertices of edited arcs."""
    return 4 * round(66 * size / REFERENCE + 18) + 1


def vertices(strands: Strands, gone: Array, label: Array, demand: Array, count: int) -> Float[Array, "f v a"]:
    """Samples the strands at `demand` vertices per px (`count` at most: then evenly thinner), in painter's order.

    Where `gone` is set there is nothing, but the vertices keep their places.

    Positions are quantised to 1/256 px, which makes pictures equal across platforms but for rounding of greys.
    """
    at = recur(demand * strands.alive)
    total = at[:, -1:]
    goal = jnp.arange(count, dtype=jnp.float32)[None] * jnp.maximum(1.0, total / (count - 1))
    goal = jnp.maximum(goal, 1e-4)  # behind the dead positions before the first live one
    right = jnp.clip(jax.vmap(jnp.searchsorted)(at, goal), 1, at.shape[1] - 1)
    t = jnp.take_along_axis(at, right, axis=1) - goal
    gap = jnp.take_along_axis(at, right, axis=1) - jnp.take_along_axis(at, right - 1, axis=1)
    t = jnp.clip(t / jnp.maximum(gap, 1e-6), 0.0, 1.0)

    def sample(field):
        low, high = (jnp.take_along_axis(field, i, axis=1) for i in (right - 1, right))
        return t * low + (1.0 - t) * high

    x, y = (jnp.round(256.0 * sample(u)) / 256.0 for u in (strands.x, strands.y))
    there = (goal <= total) & (total > 0) & (jnp.take_along_axis(gone, right, axis=1) == 0)
    r = jnp.where(there, sample(strands.r), 0.0)
    nearest = jnp.take_along_axis(label, right, axis=1)
    soft = jnp.broadcast_to(strands.soft[:, None], x.shape)
    return jnp.stack([x, y, r, sample(strands.g), soft, nearest], axis=-1)[jnp.argsort(strands.z)]
