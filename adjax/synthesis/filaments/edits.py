"""Defects that change strands or add some: (strands, plan) -> edited strands, what is gone, and which arcs are touched.

Axes: i instance, f strand, l arc position. The last EXTRAS strands are spares, dead in the normal scene.
Every edit leaves untouched arcs bit for bit as they were: both renderings have their vertices at the same arc
positions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from adjax.synthesis.filaments.geometry import SPACING, Strands
from adjax.synthesis.filaments.levels import Level
from adjax.synthesis.filaments.plan import INSTANCES, Plan

EXTRAS = 2 * INSTANCES  # two spare strands per instance


class Edit(NamedTuple):
    """All f32[f l]."""

    strands: Strands
    gone: Array
    label: Array  # number of the instance + 1 on the arcs it touches, in both renderings
    demand: Array  # vertices per px, in both renderings


def none(strands: Strands) -> Edit:
    zero = jnp.zeros_like(strands.x)
    return Edit(strands, zero, zero, zero + 1 / SPACING)


def arcs(strands: Strands, plan: Plan) -> tuple[Float[Array, "i l"], Float[Array, "f i"]]:
    """Arc length from each instance's middle, and which strand each instance owns."""
    s = jnp.arange(strands.x.shape[1], dtype=jnp.float32)[None] - plan.at.astype(jnp.float32)[:, None]
    own = jnp.arange(strands.x.shape[0])[:, None] == plan.strand[None]
    return s, jnp.where(own, plan.active[None], 0.0)


def spread(field: Float[Array, "i l"], own: Float[Array, "f i"]) -> Float[Array, "f l"]:
    return jnp.einsum("fi,il->fl", own, field, precision=lax.Precision.HIGHEST)


def labels(touched: Array, own: Array) -> Float[Array, "f l"]:
    number = jnp.arange(1.0, INSTANCES + 1.0)[:, None]
    return jnp.max(own[:, :, None] * jnp.where(touched, number, 0.0)[None], axis=1)


def discs(strands: Strands, plan: Plan) -> Float[Array, "i f l"]:
    """Smooth weight of each instance's disc at the strands: 1 in its core, 0 outside."""
    x, y = strands.x[None] - plan.x[:, None, None], strands.y[None] - plan.y[:, None, None]
    return bump(jnp.sqrt(x * x + y * y) / plan.extent[:, None, None]) * plan.active[:, None, None]


def bump(u: Array) -> Array:
    """1 for u < 0.5, 0 for u > 1.1, a smooth step between: one half at about u = 0.8."""
    t = jnp.clip((1.1 - u) / 0.6, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def sidewise(strands: Strands, shift: Float[Array, "f l"]) -> Strands:
    return strands._replace(
        x=jnp.where(shift == 0, strands.x, strands.x - jnp.sin(strands.angle) * shift),
        y=jnp.where(shift == 0, strands.y, strands.y + jnp.cos(strands.angle) * shift),
    )


def dense(touched: Array, spacing: float) -> Array:
    return jnp.where(touched, 1.0 / spacing, 1.0 / SPACING)


def moved(strands: Strands, plan: Plan, kind: str) -> Edit:
    """Textures made by a smooth map of the plane: pinched (denser) or stretched along one direction (aligned)."""
    weight = discs(strands, plan)
    x, y = strands.x[None] - plan.x[:, None, None], strands.y[None] - plan.y[:, None, None]
    if kind == "density":
        k = (0.30 + 0.15 * plan.severity)[:, None, None]
        dx, dy = -k * x, -k * y
    else:
        angle, ratio = np.pi * plan.traits[:, 1], 1.3 + 0.2 * plan.severity
        c, s = jnp.cos(angle)[:, None, None], jnp.sin(angle)[:, None, None]
        along = (ratio - 1.0)[:, None, None] * (c * x + s * y)
        across = (1.0 / ratio - 1.0)[:, None, None] * (c * y - s * x)
        dx, dy = along * c - across * s, along * s + across * c
    moves = jnp.max(weight, axis=0) > 0
    x, y = (u + jnp.sum(weight * d, axis=0) for u, d in ((strands.x, dx), (strands.y, dy)))
    edited = strands._replace(x=jnp.where(moves, x, strands.x), y=jnp.where(moves, y, strands.y))
    return none(strands)._replace(strands=edited, demand=dense(moves, 4.0))


def density(strands: Strands, plan: Plan, level: Level) -> Edit:
    """40-70 % of the strands fade out towards the disc's core, or, in half of the images, all are pinched together."""
    weight = discs(strands, plan)
    lot = jnp.sin(12.9898 * jnp.arange(strands.x.shape[0], dtype=jnp.float32)[None] + 78.233 * plan.traits[:, 1:2])
    lot = jnp.abs(lot * 43758.5453) % 1.0
    chosen = (lot < 0.4 + 0.3 * plan.severity[:, None])[:, :, None]
    fade = jnp.max(jnp.where(chosen, weight, 0.0), axis=0)
    thinner = jnp.where(fade > 0, strands.r * (1.0 - 0.7 * fade), strands.r)
    dimmer = jnp.where(fade > 0, strands.g * (1.0 - 0.6 * fade), strands.g)
    touched = fade > 0
    faded = none(strands)._replace(
        strands=strands._replace(r=thinner, g=dimmer),
        gone=(fade > 0.85).astype(jnp.float32),
        demand=dense(touched, 4.0),
    )
    pinched = moved(strands, plan, "density")
    add = plan.traits[0, 2] < 0.5
    return jax.tree.map(lambda a, b: jnp.where(add, a, b), pinched, faded)


def orientation(strands: Strands, plan: Plan, level: Level) -> Edit:
    return moved(strands, plan, "orientation")


def curvature(strands: Strands, plan: Plan, level: Level) -> Edit:
    """Frizz: lateral waves of 1.5-3 px with a period of 8-15 px on every strand of the disc."""
    weight = jnp.max(discs(strands, plan), axis=0)
    period, height = 8.0 + 7.0 * plan.traits[0, 1], 1.5 + 1.5 * plan.severity[0]
    phase = 2.399963 * jnp.arange(strands.x.shape[0], dtype=jnp.float32)[:, None]
    s = jnp.arange(strands.x.shape[1], dtype=jnp.float32)[None]
    shift = weight * height * jnp.sin(2 * np.pi * s / period + phase)
    return none(strands)._replace(strands=sidewise(strands, shift), demand=dense(weight > 0, 1.6))


def width(strands: Strands, plan: Plan, level: Level) -> Edit:
    weight = discs(strands, plan)
    change = level.strength * (0.4 + 0.3 * plan.severity)
    thick, thin = 1.0 + change, 1.0 / (1.0 + change)
    factor = jnp.where(plan.side > 0, thick, thin)[:, None, None]
    scale = 1.0 + jnp.sum(weight * (factor - 1.0), axis=0)
    return none(strands)._replace(strands=strands._replace(r=strands.r * scale))


def broken(strands: Strands, plan: Plan, level: Level) -> Edit:
    s, own = arcs(strands, plan)
    half = jnp.maximum(plan.extent, 1.2 * strands.width[plan.strand])[:, None]
    gap = spread((jnp.abs(s) < half).astype(jnp.float32), own)
    apart = jnp.where(plan.traits[:, 1] < 0.5, 2.0 + 2.0 * plan.traits[:, 2], 0.0) * plan.side
    shift = apart[:, None] * jnp.sign(s) * jnp.exp(-jnp.square((jnp.abs(s) - half) / 10.0))
    shift = jnp.where(jnp.abs(s) < half + 24.0, shift, 0.0)
    touched = jnp.abs(s) < half + jnp.where(apart == 0, 1.0, 16.0)[:, None]
    near = spread((jnp.abs(s) < half + 30.0).astype(jnp.float32), own) > 0
    return Edit(sidewise(strands, spread(shift, own)), gap, labels(touched, own), dense(near, 1.0))


def bent(strands: Strands, plan: Plan, level: Level) -> Edit:
    """A detour of 10-25 px that returns to the old path."""
    s, own = arcs(strands, plan)
    omega = plan.extent[:, None]
    height = plan.side * (10.0 + 15.0 * plan.severity) * min(1.0, level.size)
    shift = jnp.where(jnp.abs(s) < 3.5 * omega, height[:, None] * jnp.exp(-((s / omega) ** 2)), 0.0)
    touched = jnp.abs(s) < 2.4 * omega
    near = spread((jnp.abs(s) < 3.5 * omega).astype(jnp.float32), own) > 0
    return none(strands)._replace(
        strands=sidewise(strands, spread(shift, own)), label=labels(touched, own), demand=dense(near, 1.0)
    )


def plateau(strands: Strands, plan: Plan, factor: Array) -> Edit:
    s, own = arcs(strands, plan)
    shape = jnp.exp(-((s / plan.extent[:, None]) ** 4))
    scale = 1.0 + spread(jnp.where(shape > 1e-3, shape, 0.0) * (factor[:, None] - 1.0), own)
    r = jnp.where(scale == 1.0, strands.r, jnp.maximum(strands.r * scale, 0.5))
    near = spread((jnp.abs(s) < 1.8 * plan.extent[:, None]).astype(jnp.float32), own) > 0
    touched = jnp.abs(s) < 1.1 * plan.extent[:, None]
    return none(strands)._replace(strands=strands._replace(r=r), label=labels(touched, own), demand=dense(near, 2.0))


def thickened(strands: Strands, plan: Plan, level: Level) -> Edit:
    return plateau(strands, plan, 1.0 + max(level.strength, 0.8) * (0.6 + 0.4 * plan.severity))


def thinned(strands: Strands, plan: Plan, level: Level) -> Edit:
    return plateau(strands, plan, 0.6 - 0.25 * plan.severity)


def beaded(strands: Strands, plan: Plan, level: Level) -> Edit:
    """One spindle-shaped bead, or a chain of 3-5 at 25-50 px, hardly larger than knots and crossings."""
    s, own = arcs(strands, plan)
    w = strands.width[plan.strand]
    radius = jnp.maximum(w / 2 * (1.0 + level.strength * (0.8 + 0.5 * plan.severity)), 2.3)
    h = radius * (1.3 + 0.7 * plan.traits[:, 1])
    step = 25.0 + 25.0 * plan.traits[:, 2]
    number = jnp.where(plan.traits[:, 3] < 0.5, 1.0, 3.0 + jnp.floor(3.0 * plan.traits[:, 4]))
    floor = jnp.zeros_like(s)
    for k in range(5):
        middle = (k - (number - 1.0) / 2) * step
        u = (s - middle[:, None]) / h[:, None]
        one = radius[:, None] * jnp.sqrt(jnp.maximum(1.0 - u * u, 0.0))
        floor = jnp.maximum(floor, jnp.where(k < number, 1.0, 0.0)[:, None] * one)
    near = spread((floor > 0).astype(jnp.float32), own) > 0
    swollen = strands._replace(r=jnp.maximum(strands.r, spread(floor, own)))
    return none(strands)._replace(strands=swollen, label=labels(floor > 0, own), demand=dense(near, 1.2))
