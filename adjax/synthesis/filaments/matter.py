"""Defects painted on pixels: bodies and films at some depth among the strands, local blur and noise, levelled greys.

Axes: i instance, h height, w width. Everything here works on one image.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from adjax.synthesis.filaments import sensor
from adjax.synthesis.filaments.edits import bump
from adjax.synthesis.filaments.levels import Level, Optics
from adjax.synthesis.filaments.plan import INSTANCES, KINDS, TYPES, Plan
from adjax.synthesis.filaments.raster import SHADOW_REACH

RAISED = 1.6  # contrast of a molten region


class Body(NamedTuple):
    """One instance on the canvas, all f32[h w]."""

    cover: Array  # 0-1, anti-aliased
    shape: Array  # grey of the surface, relative to the body's own
    outside: Array  # px from the outline, ≤ 0 inside


def offsets(plan: Plan, i: int, size: int) -> tuple[Array, Array, Array]:
    at = jnp.arange(size, dtype=jnp.float32)
    x, y = at[None, :] - plan.x[i], at[:, None] - plan.y[i]
    return x, y, jnp.sqrt(x * x + y * y)


def outline(plan: Plan, i: int, size: int, rough: float) -> tuple[Array, Array]:
    """(distance from the middle over the local radius, local radius) of a smooth star-shaped outline."""
    x, y, d = offsets(plan, i, size)
    c, s = x / jnp.maximum(d, 1e-3), y / jnp.maximum(d, 1e-3)
    radius, ck, sk = jnp.ones_like(d), c, s
    for k in range(2, 6):
        ck, sk = ck * c - sk * s, ck * s + sk * c
        phase = 2 * np.pi * plan.traits[i, k]
        radius = radius + rough / k * 2.0 * (jnp.cos(phase) * ck + jnp.sin(phase) * sk)
    radius = plan.extent[i] * radius
    return d / radius, radius


def drop(plan: Plan, i: int, size: int) -> Body:
    u, radius = outline(plan, i, size, 0.15)
    outside = (u - 1.0) * radius
    dome = jnp.sqrt(jnp.maximum(1.0 - u * u, 0.0))
    rim = 0.06 * jnp.exp(-jnp.square(outside / 1.5))
    return Body(jnp.clip(0.5 - outside, 0.0, 1.0), 0.75 + 0.35 * dome + rim, outside)


def polygon(plan: Plan, i: int, size: int) -> Body:
    """A convex flake of 6 random edges with three facets of different grey."""
    x, y, _ = offsets(plan, i, size)
    outside = jnp.full((size, size), -1e3)
    for k in range(6):
        angle = 2 * np.pi * (k + 0.7 * (plan.traits[i, k] - 0.5)) / 6
        reach = plan.extent[i] * (0.6 + 0.4 * plan.traits[i, (k + 3) % 10])
        outside = jnp.maximum(outside, jnp.cos(angle) * x + jnp.sin(angle) * y - reach)
    angle = 2 * np.pi * plan.traits[i, 7]
    first = jnp.cos(angle) * x + jnp.sin(angle) * y > 0
    second = jnp.cos(angle + 2.0) * x + jnp.sin(angle + 2.0) * y > 0
    facet = jnp.where(first, 1.25, jnp.where(second, 0.95, 0.65))
    return Body(jnp.clip(0.5 - outside, 0.0, 1.0), facet, outside)


def solid(below: Array, body: Body, grey: Array, shadow: float, additive: bool) -> Array:
    if additive:
        return below + body.cover * grey * body.shape
    shade = jnp.clip(1.0 - body.outside / SHADOW_REACH, 0.0, 1.0)
    shade = 1.0 - shadow * jnp.where(body.outside > 0, shade * shade, 0.0)
    return body.cover * grey * body.shape + (1.0 - body.cover) * shade * below


def ripples(plan: Plan, i: int, size: int) -> Array:
    """Folds of a skin, relative to its grey, of mean 0."""
    x, y, _ = offsets(plan, i, size)
    angle, pitch = 2 * np.pi * plan.traits[i, 7], 2 * np.pi / (8.0 + 4.0 * plan.traits[i, 6])
    across, along = jnp.cos(angle) * x + jnp.sin(angle) * y, jnp.cos(angle) * y - jnp.sin(angle) * x
    return 0.13 * jnp.sin(pitch * (across + 3.0 * jnp.sin(0.1 * along)))


def film(below: Array, smooth: Array, body: Body, share: Array, ripples: Array) -> Array:
    """Pores filled with the grey of the surroundings: the mean stays, part of the contrast goes, with a faint rim."""
    edge = jnp.clip(0.5 - body.outside / 1.5, 0.0, 1.0)
    rim = 0.06 * jnp.exp(-jnp.square(body.outside / 1.2))
    return below + edge * (share * (smooth - below) + ripples * smooth) + rim * smooth


def bodies(below: Array, image: Array, kind, plan: Plan, level: Level, optics: Optics) -> tuple[Array, Array]:
    """(what lies beneath with the bodies in it, instance labels of their supports).

    `below` is all that lies deeper than the bodies, `image` the whole picture; `kind` is an index, traced.
    """
    size = below.shape[0]
    low, high = optics.grey
    dark = plan.traits[:, 8] < 0.25
    least = jnp.where(kind == KINDS.index("speck"), 0.27, 0.125)
    greys = optics.ground + (low + high - 2.0 * optics.ground) * (least + 0.4 * plan.traits[:, 9])
    label = jnp.zeros_like(below)
    shadow = optics.shadow * level.shadow
    smooth = sensor.wide_blur(image[None], 10.0)[0]

    def lay(name, i, below):
        if name == "flake":
            body = polygon(plan, i, size)
        elif name == "film":
            u, radius = outline(plan, i, size, 0.22)
            body = Body(u, u, (u - 1.0) * radius)
            share = level.strength * (0.4 + 0.2 * plan.severity[i])
            return film(below, smooth, body, share, ripples(plan, i, size)), body.outside
        else:
            body = drop(plan, i, size)
        grey = jnp.where(dark[i], 0.05, greys[i]) if name == "speck" else greys[i]
        return solid(below, body, grey, shadow, optics.additive), body.outside

    names = ("blob", "speck", "film", "flake")
    which = kind - KINDS.index("blob")
    for i in range(INSTANCES):
        branches = [lambda b, name=name, i=i: lay(name, i, b) for name in names]
        laid, outside = lax.switch(which, branches, below)
        on = plan.active[i] > 0
        below = jnp.where(on, laid, below)
        label = jnp.where(on & (outside < 1.0), i + 1.0, label)
    return below, label


def regions(plan: Plan, size: int) -> tuple[Float[Array, "i h w"], Float[Array, "h w"]]:
    """Weights of the discs (edits.bump), and the labels of their supports: where the weight is over one half."""
    weights = jnp.stack([bump(offsets(plan, i, size)[2] / plan.extent[i]) * plan.active[i] for i in range(INSTANCES)])
    number = jnp.arange(1.0, INSTANCES + 1.0)[:, None, None]
    return weights, jnp.max(jnp.where(weights > 0.5, number, 0.0), axis=0)


def texture(clean: Array, image: Array, kind, plan: Plan, level: Level, optics: Optics) -> tuple[Array, Array, Array]:
    """(image, noisiness, labels) of the texture family: blurred, noisier, or with the twin's mean grey restored."""
    weights, label = regions(plan, clean.shape[0])
    weight = jnp.max(weights, axis=0)

    def molten(image):
        """Details are gone and the contrast of what is left is raised, the same at every level: less is not seen."""
        soft = sensor.blur(image[None], 1.7 + 0.6 * plan.severity[:1], 6)[0]
        mean = sensor.wide_blur(image[None], 10.0)[0]
        return image + 0.9 * weight * (mean + RAISED * (soft - mean) - image)

    def levelled(image):
        """Every disc has the mean grey of its twin, by an offset; where light adds by a factor, or pores go black."""
        step = weights * (image[None] if optics.additive else 1.0)
        missing = jnp.sum(jnp.where(weights > 0, (clean - image)[None], 0.0), axis=(1, 2))
        missing = missing / jnp.maximum(jnp.sum(step, axis=(1, 2)), 1.0)
        return image + jnp.sum(step * missing[:, None, None], axis=0)

    noisy = kind == KINDS.index("noise")
    power = jnp.exp(plan.side[0] * level.strength * (0.5 + 0.4 * plan.severity[0]))
    noisiness = jnp.where(noisy, 1.0 + weight * (jnp.sqrt(power) - 1.0), 1.0)
    which = jnp.where(kind == KINDS.index("blur"), 1, jnp.where(noisy, 2, 0))
    image = lax.switch(which, (levelled, lambda image: levelled(molten(image)), lambda image: image), image)
    return image, noisiness, label


def is_texture(kind) -> Array:
    return kind < len(TYPES["texture"])


def is_body(kind) -> Array:
    return (kind >= KINDS.index("blob")) & (kind <= KINDS.index("flake"))
