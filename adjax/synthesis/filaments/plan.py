"""Which defect, where, and how strong: everything about a defect that is drawn at random, before anything is changed.

Axes: i instance (INSTANCES slots), f strand, l arc position, k candidate place.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.synthesis.filaments import geometry
from adjax.synthesis.filaments.levels import Level

TYPES = {
    "texture": ("density", "orientation", "curvature", "width", "blur", "noise"),
    "deformation": ("broken", "bent", "thickened", "thinned", "beaded", "merged", "frayed"),
    "foreign": ("blob", "speck", "film", "flake", "fibre", "scratch"),
}
KINDS = tuple(kind for kinds in TYPES.values() for kind in kinds)
FAMILY = {kind: family for family, kinds in TYPES.items() for kind in kinds}
INSTANCES = 3
CANDIDATES = 32
NEAR = 15.0  # px from a crossing
REGION = 16.0  # px, for counting neighbours
GRAZING = 0.44  # radians: 25 degrees
TRAITS = 10
SMALLEST = 2.8  # px, radius
SMALLEST_TEXTURE = 16.0  # px at the reference side: the mask, of 0.8 radii, then has the 500 px that count as visible
DEPTH = {"film": (0.5, 1.0), "speck": (0.4, 1.0)}  # share of the strands beneath a body; others (0.1, 0.8)
VISIBLE = 0.3  # depth of the strands that are deformed first: deeper ones are mostly hidden
ANCHORED = ("blob", "speck", "flake")  # bodies that lie on strands: in a pore their surroundings would tell
BRIGHT = ("merged", "bent")  # on upper strands: what they change is partly a pore, and darker than crossings
CROWDED = {"thickened": 0.5, "beaded": 1.0, "speck": 0.4}  # among many strands, as crossings: weight of 80 px of strand
DARK = ("thickened", "beaded")  # on lower strands: added matter is as grey as most strands and no greyer
NARROW, WIDE = ("thickened", "beaded"), ("thinned",)  # so that no width leaves the range of normal strands
CROSSED = {"beaded": 0.8}  # least share near a crossing: what looks like a bead in normal images is a crossing

# Radius (texture, foreign) or half-length along the strand (deformation) in px at size factor 1.
EXTENT = {
    "density": (40, 70), "orientation": (45, 80), "curvature": (30, 60), "width": (35, 65), "blur": (22, 40),
    "noise": (30, 60), "broken": (4, 12), "bent": (5, 12), "thickened": (18, 41), "thinned": (10, 28),
    "beaded": (6, 13), "merged": (12, 28), "frayed": (20, 40), "blob": (5, 12), "speck": (2.5, 6),
    "film": (14, 45), "flake": (7, 15), "fibre": (60, 200), "scratch": (80, 220),
}  # fmt: skip


class Plan(NamedTuple):
    """Fields of shape [i] unless said otherwise."""

    active: Array  # 1 or 0
    strand: Array  # i32, the deformed strand
    at: Array  # i32, arc position of its middle
    x: Array  # px, the middle
    y: Array
    extent: Array  # px, see EXTENT
    severity: Array  # 0-1 within the level's range
    side: Array  # +1 or -1
    traits: Array  # [i TRAITS], uniform in [0, 1)
    depth: Array  # scalar: share of the strands that lie beneath the foreign bodies


def neighbours(strands: geometry.Strands, f: Array, at: Array) -> tuple[Float[Array, "k"], ...]:
    """(distance in px, angle in [0, π/2]) from places on strands `f` to the nearest point of another strand; and how
    crowded they are: the length of other strands within REGION, in units of 80 px.
    """
    x, y, angle = strands.x[f, at], strands.y[f, at], strands.angle[f, at]
    px, py, there = (u[:, ::4] for u in (strands.x, strands.y, strands.alive))
    square = (px[None] - x[:, None, None]) ** 2 + (py[None] - y[:, None, None]) ** 2
    other = (jnp.arange(px.shape[0])[None] != f[:, None])[:, :, None] & (there > 0)[None]
    square = jnp.where(other, square, 1e8).reshape(len(f), -1)
    nearest = jnp.argmin(square, axis=1)
    turn = strands.angle[:, ::4].ravel()[nearest] - angle
    crowd = jnp.sum(square < REGION**2, axis=1).astype(jnp.float32) / 20.0
    return jnp.sqrt(jnp.min(square, axis=1)), jnp.abs(jnp.arcsin(jnp.sin(turn))), crowd


def places(strands: geometry.Strands, near: float, followers: tuple[int, int], kind, size: int, keys) -> tuple:
    """(strand, arc position, whether it will do) per instance: the best of CANDIDATES.

    A share of `near` wants to be near a crossing, the others away from one. Merging wants two strands side by side, so
    every other of its candidates is a follower (`followers`: first and number), near the middle of the common run.
    """
    k_pick, k_near = keys
    merged = kind == KINDS.index("merged")
    near = jnp.asarray([max(near, CROSSED.get(k, 0.0)) for k in KINDS])[kind]
    bright = jnp.asarray([2.0 * (k in BRIGHT) - 1.5 * (k in DARK) for k in KINDS])[kind]
    crowded = jnp.asarray([CROWDED.get(k, 0.0) for k in KINDS])[kind]
    broad = jnp.asarray([float(k in WIDE) - float(k in NARROW) for k in KINDS])[kind]
    u, v, w, toss = jax.random.uniform(k_pick, (4, INSTANCES * CANDIDATES))
    n, length = strands.x.shape
    first, count = followers
    beside = merged & (jnp.arange(INSTANCES * CANDIDATES) % 2 == 0)
    f = jnp.floor(jnp.where(beside, first + u * count, u * n)).astype(jnp.int32)
    weight = strands.alive[f]
    start = jnp.argmax(weight, axis=1).astype(jnp.int32)
    span = jnp.sum(weight, axis=1)
    at = start + ((0.05 + 0.9 * v) * span).astype(jnp.int32)
    at = jnp.where(beside, length // 2 + ((v - 0.5) * 40.0).astype(jnp.int32), jnp.minimum(at, length - 1))
    x, y = strands.x[f, at], strands.y[f, at]
    border = jnp.minimum(jnp.minimum(x, y), size - 1 - jnp.maximum(x, y))
    gap, angle, crowd = neighbours(strands, f, at)
    wants = jnp.repeat(jax.random.bernoulli(k_near, near, (INSTANCES,)), CANDIDATES)
    fits = jnp.where(wants, gap < 0.6 * NEAR, gap > NEAR)
    fits = jnp.where(merged, (gap > 3.0) & (gap < 11.0) & (angle < GRAZING), fits)
    inside = (border > min(24.0, size / 6)) & (span > 0)
    score = jnp.where(fits, 4.0, 0.0) + jnp.where(inside, 8.0, 0.0) + jnp.where(strands.z[f] > VISIBLE, 2.0, 0.0)
    score = score + crowded * crowd + bright * strands.z[f] + broad * (strands.width[f] - 3.5) + w + 0.1 * toss
    best = jnp.argmax(score.reshape(INSTANCES, CANDIDATES), axis=1) + jnp.arange(INSTANCES) * CANDIDATES
    usable = (border[best] > 4.0) & (span[best] > 0) & (fits[best] | ~merged)
    return f[best], at[best], usable


def draw(strands: geometry.Strands, kind, level: Level, size: int, key) -> Plan:
    """`kind` is an index into KINDS, traced."""
    k_place, k_near, k_trait, k_image = jax.random.split(key, 4)
    ordinary, followers, crossers = geometry.slots(level, size)
    lines = ordinary + followers + crossers
    real = jax.tree.map(lambda u: u[:lines], strands)
    strand, at, usable = places(real, level.near, (ordinary, followers), kind, size, (k_place, k_near))
    traits = jax.random.uniform(k_trait, (INSTANCES, TRAITS + 4))
    number, depth = jax.random.uniform(k_image, (2,))
    number = jnp.where(number < 0.55, 1.0, jnp.where(number < 0.82, 2.0, 3.0)) if size >= 512 else jnp.float32(1.0)
    active = (jnp.arange(INSTANCES, dtype=jnp.float32) < number).astype(jnp.float32)
    low, high = (jnp.asarray(np.array([EXTENT[k][end] for k in KINDS], np.float32))[kind] for end in (0, 1))
    shrink = level.size * min(1.0, size / 400)
    is_texture = kind < len(TYPES["texture"])
    low = jnp.maximum(low * shrink, jnp.where(is_texture, SMALLEST_TEXTURE * size / geometry.REFERENCE, 0.0))
    extent = jnp.maximum(low + (jnp.maximum(high * shrink, low) - low) * traits[:, 0], SMALLEST)
    on_strand = ~is_texture & (kind < len(TYPES["texture"] + TYPES["deformation"]))
    margin = jnp.minimum(extent + 8.0, 0.3 * size)
    x, y = (margin + (size - 1 - 2 * margin) * traits[:, j] for j in (1, 2))
    low_depth, high_depth = (jnp.asarray([DEPTH.get(k, (0.1, 0.8))[end] for k in KINDS])[kind] for end in (0, 1))
    anchored = jnp.asarray([k in ANCHORED for k in KINDS])[kind]
    aside = jnp.where(anchored, 0.7 * extent + 2.0, 0.0)
    on_x, on_y = (u[strand, at] + aside * (2.0 * traits[:, j] - 1.0) for u, j in ((strands.x, 1), (strands.y, 2)))
    x, y = (jnp.where(on_strand | anchored, on, free) for on, free in ((on_x, x), (on_y, y)))
    return Plan(
        active * jnp.where(on_strand & ~usable, 0.0, 1.0),
        strand,
        at,
        x,
        y,
        extent,
        traits[:, 3],
        jnp.where(traits[:, 4] < 0.5, -1.0, 1.0),
        traits[:, 4:],
        low_depth + (high_depth - low_depth) * depth,
    )
