"""Defects made of spare strands: webs between neighbours, split strands, foreign fibres, scratches.

Axes: i instance, f strand, l arc position, e spare strand (instance i owns the spares 2 i and 2 i + 1).
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from adjax.synthesis.filaments.edits import EXTRAS, Edit, arcs, dense, labels, none, sidewise, spread
from adjax.synthesis.filaments.geometry import Strands, walk
from adjax.synthesis.filaments.levels import Level
from adjax.synthesis.filaments.plan import INSTANCES, Plan


def put(edit: Edit, which: int, label: Array | None = None, **fields: Array) -> Edit:
    """Fills spare `which` (0 or 1) of every instance; fields are [i l], or [i] for those without arc positions."""
    base = edit.strands.x.shape[0] - EXTRAS
    rows = base + 2 * np.arange(INSTANCES) + which
    strands = edit.strands._replace(**{k: getattr(edit.strands, k).at[rows].set(v) for k, v in fields.items()})
    number = jnp.arange(1.0, INSTANCES + 1.0)[:, None]
    where = number * fields["alive"] if label is None else label
    demand = edit.demand.at[rows].set(jnp.where(fields["alive"] > 0, 0.5, 1.0 / 5.0))
    return edit._replace(strands=strands, label=edit.label.at[rows].set(where), demand=demand)


def rows(strands: Strands, plan: Plan) -> Strands:
    """The deformed strands, one per instance."""
    return Strands(*(u[plan.strand] for u in strands))


def merged(strands: Strands, plan: Plan, level: Level) -> Edit:
    """A wrinkled web of polymer with concave ends between two strands that run side by side."""
    s, _ = arcs(strands, plan)
    own, base = rows(strands, plan), strands.x.shape[0] - EXTRAS
    square = (strands.x[None, :base] - plan.x[:, None, None]) ** 2 + (
        strands.y[None, :base] - plan.y[:, None, None]
    ) ** 2
    other = (jnp.arange(base)[None] != plan.strand[:, None])[:, :, None] & (strands.alive[None, :base] > 0)
    flat = jnp.argmin(jnp.where(other, square, 1e9).reshape(INSTANCES, -1), axis=1)
    f, at = flat // strands.x.shape[1], flat % strands.x.shape[1]
    turn = jnp.cos(strands.angle[f, at] - strands.angle[plan.strand, plan.at])
    there = at[:, None] + jnp.sign(turn)[:, None].astype(jnp.int32) * s.astype(jnp.int32)
    there = jnp.clip(there, 0, strands.x.shape[1] - 1)
    px, py = (jnp.take_along_axis(u[f], there, axis=1) for u in (strands.x, strands.y))
    gap = jnp.sqrt((px - own.x) ** 2 + (py - own.y) ** 2)
    half = plan.extent[:, None]
    alive = (jnp.abs(s) < half) & (gap < 16.0) & (plan.active[:, None] > 0)
    taper = 1.0 - 0.6 * (jnp.abs(s) / half) ** 4
    wrinkles = 0.7 * (1.0 + 0.8 * jnp.sin(2 * np.pi * s / (7.0 + 3.0 * plan.traits[:, 6:7])))
    return put(
        none(strands),
        0,
        x=(px + own.x) / 2,
        y=(py + own.y) / 2,
        r=jnp.maximum(gap / 2 * taper, 0.8),
        g=jnp.minimum(own.grey, strands.grey[f])[:, None] * wrinkles,
        alive=alive.astype(jnp.float32),
        z=jnp.maximum(own.z, strands.z[f]) + 1e-4,
    )


def frayed(strands: Strands, plan: Plan, level: Level) -> Edit:
    """The strand splits into two of the same total section, which join again."""
    s, own = arcs(strands, plan)
    half = plan.extent[:, None]
    inside = jnp.abs(s) < half
    part = jnp.where(inside, jnp.cos(np.pi / 2 * s / half) ** 2, 0.0)
    shift = (2.5 + 1.5 * plan.severity)[:, None] * part
    scale = 1.0 - (1.0 - 0.71) * jnp.minimum(1.0, 4.0 * part)
    one = sidewise(strands, spread(shift, own))
    one = one._replace(r=strands.r * (1.0 - spread(1.0 - scale, own)))
    near = spread(inside.astype(jnp.float32), own) > 0
    edit = Edit(one, jnp.zeros_like(one.x), labels(inside, own), dense(near, 2.5))
    mine = rows(strands, plan)
    twin = sidewise(mine, -shift)
    alive = inside.astype(jnp.float32) * plan.active[:, None]
    return put(edit, 0, x=twin.x, y=twin.y, r=mine.r * scale, g=mine.g, alive=alive, z=mine.z - 1e-4, soft=mine.soft)


def line(strands: Strands, plan: Plan, curved: Array) -> tuple[Array, Array, Array]:
    """(x, y, signed arc length) of an arc of constant curvature through each instance's middle."""
    length = strands.x.shape[1]
    middle = jnp.full((INSTANCES,), length // 2, jnp.int32)
    turn = jnp.broadcast_to(curved[:, None], (INSTANCES, length))
    x, y, _ = walk(turn, middle, plan.x, plan.y, 2 * np.pi * plan.traits[:, 1])
    s = jnp.arange(length, dtype=jnp.float32)[None] - length // 2
    return x, y, jnp.broadcast_to(s, x.shape)


def fibre(strands: Strands, plan: Plan, level: Level) -> Edit:
    """One thick foreign fibre, a banded ribbon or (half of them) hollow, of ordinary grey."""
    x, y, s = line(strands, plan, 0.008 * (plan.traits[:, 2] - 0.5))
    alive = (jnp.abs(s) < plan.extent[:, None]).astype(jnp.float32) * plan.active[:, None]
    r = (3.2 + 1.0 * level.strength * plan.severity)[:, None] + 0.0 * s
    bands = 1.0 + 0.4 * jnp.sin(2 * np.pi * s / (9.0 + 5.0 * plan.traits[:, 6:7]))
    grey = (0.36 + 0.2 * plan.traits[:, 3])[:, None] * scale_of(strands) * bands
    z = 0.2 + 0.8 * plan.traits[:, 5]
    edit = put(none(strands), 0, x=x, y=y, r=r, g=grey, alive=alive, z=z, soft=jnp.ones(INSTANCES))
    core = alive * jnp.where(plan.traits[:, 4] < 0.5, 1.0, 0.0)[:, None]
    inner = {"x": x, "y": y, "r": 0.45 * r, "g": 0.6 * grey, "alive": core}
    return put(edit, 1, z=z + 1e-5, soft=jnp.full(INSTANCES, 2.0), **inner)


def scratch(strands: Strands, plan: Plan, level: Level, additive: bool) -> Edit:
    """A straight line in the substrate, beneath every strand: dark, or, where light adds, full of blotted dye."""
    x, y, s = line(strands, plan, jnp.zeros(INSTANCES))
    alive = (jnp.abs(s) < plan.extent[:, None]).astype(jnp.float32) * plan.active[:, None]
    r = (1.3 + plan.severity)[:, None] + 0.0 * s
    blots = 1.0 + 0.4 * jnp.sin(2 * np.pi * s / (12.0 + 8.0 * plan.traits[:, 6:7]))
    grey = scale_of(strands) * (0.4 * blots if additive else jnp.full_like(s, 0.55 * 0.17))
    return put(none(strands), 0, x=x, y=y, r=r, g=grey, alive=alive, z=jnp.full(INSTANCES, -1.0))


def scale_of(strands: Strands) -> Array:
    """Brightness of this optics' strands against secondary electrons', where the mean grey is about one half."""
    return jnp.mean(strands.grey[: strands.grey.shape[0] - EXTRAS]) / 0.5
