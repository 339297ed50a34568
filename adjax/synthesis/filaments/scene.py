"""Whole pictures from keys: the normal scene, and the same scene with a defect beside its twin without.

Axes: b image, h height, w width, f strand, v vertex, a vertex attribute. Streams of randomness are separate by name
(STREAMS): a defect changes no normal strand and no noise. Each stage is a program of its own, because one of all
takes longer to compile than the sum of its parts; inside a caller's jit they become one.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, UInt8

from adjax.synthesis.filaments import edits, geometry, matter, raster, sensor, spares
from adjax.synthesis.filaments.levels import LEVELS, OPTICS, Optics
from adjax.synthesis.filaments.plan import KINDS, TYPES, Plan, draw

STREAMS = ("geometry", "appearance", "defect", "sensor")
TAU = 0.03  # smallest change of the ideal grey that counts as visible: twice to three times the read-out noise

_EDITS = {name: getattr(edits, name) for name in ("density", "orientation", "curvature", "width")}
_EDITS |= {name: getattr(edits, name) for name in ("broken", "bent", "thickened", "thinned", "beaded")}
_EDITS |= {name: getattr(spares, name) for name in ("merged", "frayed", "fibre", "scratch")}

staged = partial(jax.jit, static_argnames=("level", "optics", "size"))


class Scene(NamedTuple):
    """Ready to paint."""

    vertices: Float[Array, "b f v a"]
    ground: Float[Array, "b h w"]
    exposure: sensor.Exposure


class Pair(NamedTuple):
    """A defective image, its counterfactual twin, and what is known about the difference."""

    image: UInt8[Array, "h w"]
    twin: UInt8[Array, "h w"]
    visible: Bool[Array, "h w"]  # the official mask
    extent: Bool[Array, "h w"]  # support of the construction, hidden and vacated parts included
    label: UInt8[Array, "h w"]  # instance number of the extent, 0 outside
    crossings: UInt8[Array, "h w"]  # strands over each pixel, in the twin
    remaining: UInt8[Array, "h w"]  # the same in the image
    top: Float[Array, "h w"]  # painter's index of the topmost strand in the twin, -1 where there is none
    ideal: Float[Array, "2 h w"]  # focused greys without noise: twin, image
    plan: Plan
    lines: Float[Array, "f v a"]  # vertices of the twin


def stream(key, name: str):
    return jax.random.fold_in(key, STREAMS.index(name))


def image_key(seed: int, split: int, index: int):
    """The key of one image: by number, not by order."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), split), index)


def ground(size: int, optics: Optics, key) -> Float[Array, "h w"]:
    """The substrate: slow random textures of about 12 px and of about 60 px."""

    fine, slow = size // 16 + 2, size // 64 + 2
    noise = jax.random.normal(key, (fine * fine + slow * slow,))

    def cloud(part, n, scale):
        return jax.image.resize(part.reshape(n, n), (n * scale, n * scale), "cubic")[:size, :size]

    clouds = 0.6 * cloud(noise[: fine * fine], fine, 16) + 0.8 * cloud(noise[fine * fine :], slow, 64)
    return jnp.maximum(optics.ground + optics.texture * clouds, 0.0)


def strands_of(key, level: str, optics: str, size: int) -> geometry.Strands:
    """The normal strands and, behind them, the spares of `edits`, dead."""
    lines = geometry.centre_lines(LEVELS[level], size, stream(key, "geometry"))
    appearance = jax.random.fold_in(stream(key, "appearance"), 0)
    strands = geometry.dress(lines, LEVELS[level], OPTICS[optics], appearance)
    return jax.tree.map(lambda u: jnp.pad(u, ((0, edits.EXTRAS),) + ((0, 0),) * (u.ndim - 1)), strands)


def surroundings(key, level: str, optics: str, size: int) -> tuple[Array, sensor.Exposure]:
    base = ground(size, OPTICS[optics], jax.random.fold_in(stream(key, "appearance"), 1))
    return base, sensor.draw_exposure(LEVELS[level], OPTICS[optics], size, stream(key, "sensor"))


@staged
def compose(keys, *, level: str, optics: str, size: int) -> Scene:
    """Normal scenes, one per key."""

    def one(key):
        edit = edits.none(strands_of(key, level, optics, size))
        v = geometry.vertices(edit.strands, edit.gone, edit.label, edit.demand, geometry.vertex_count(size))
        return Scene(v, *surroundings(key, level, optics, size))

    return jax.vmap(one)(keys)


@staged
def compose_pair(key, kind, attempt, *, level: str, optics: str, size: int) -> tuple[Scene, Plan]:
    """The twin and the defective scene of one key, up to what `matter` adds; `attempt` numbers the redraws."""
    strands = strands_of(key, level, optics, size)
    defect = jax.random.fold_in(stream(key, "defect"), attempt)
    plan = draw(strands, kind, LEVELS[level], size, defect)

    def branch(name):
        edit = _EDITS.get(name, lambda strands, plan, level: edits.none(strands))
        if name == "scratch":
            edit = partial(edit, additive=OPTICS[optics].additive)
        return lambda strands: edit(strands, plan, LEVELS[level])

    edit = lax.switch(kind, [branch(name) for name in KINDS], strands)
    spare = jnp.arange(strands.z.shape[0]) >= strands.z.shape[0] - edits.EXTRAS
    before = strands._replace(z=edit.strands.z, x=jnp.where(spare[:, None], edit.strands.x, strands.x))
    count = geometry.vertex_count(size)
    clean = geometry.vertices(before, jnp.zeros_like(edit.gone), edit.label, edit.demand, count)
    changed = geometry.vertices(edit.strands, edit.gone, edit.label, edit.demand, count)
    base, exposure = surroundings(key, level, optics, size)
    twice = jax.tree.map(lambda u: jnp.stack([u, u]), (base, exposure))
    return Scene(jnp.stack([clean, changed]), *twice), plan


@staged
def shade(scene: Scene, *, level: str, optics: str, size: int) -> Float[Array, "b h w"]:
    """The ideal greys of `paint` alone: what is not asked for is not computed."""
    nowhere = jnp.zeros(scene.ground.shape[:1])
    return paint(scene, nowhere, level=level, optics=optics, size=size).grey


@staged
def paint(scene: Scene, depth: Float[Array, "b"], *, level: str, optics: str, size: int) -> raster.Picture:
    """Ideal greys before the lens; `depth` is the share of strands that lie beneath the foreign bodies."""
    look = raster.Look(OPTICS[optics].shadow * LEVELS[level].shadow, OPTICS[optics].edge, OPTICS[optics].additive)
    return raster.paint(scene.ground, scene.vertices, jnp.floor(depth * scene.vertices.shape[1]), look)


@staged
def develop(grey: Float[Array, "b h w"], exposure, noisiness, *, level: str, optics: str, size: int) -> tuple:
    """(focused ideal greys, 8-bit images)."""
    ideal = sensor.focus(grey, exposure)
    return ideal, sensor.expose(ideal, exposure, noisiness, LEVELS[level], OPTICS[optics])


@staged
def alter(
    picture: raster.Picture, kind, plan: Plan, *, level: str, optics: str, size: int
) -> tuple[Array, Array, Array]:
    """(greys of twin and defective scene, noisiness, instance labels) with `matter` in place."""
    clean, image = picture.grey
    strand_label = jnp.max(picture.label, axis=0)
    still = jnp.ones_like(clean), jnp.zeros_like(clean)

    def add_bodies(image):
        below, label = matter.bodies(picture.below[1], image, kind, plan, LEVELS[level], OPTICS[optics])
        return image + picture.through[1] * (below - picture.below[1]), still[0], label

    def change_texture(image):
        return matter.texture(clean, image, kind, plan, LEVELS[level], OPTICS[optics])

    which = jnp.where(matter.is_texture(kind), 1, jnp.where(matter.is_body(kind), 2, 0))
    branches = (lambda image: (image, *still), change_texture, add_bodies)
    image, noisiness, label = lax.switch(which, branches, image)
    label = jnp.where(which == 0, strand_label, label)
    return jnp.stack([clean, image]), jnp.stack([still[0], noisiness]), label


def closing(mask: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """By a 3 x 3 square."""
    grown = lax.reduce_window(mask.astype(jnp.float32), 0.0, lax.max, (3, 3), (1, 1), "SAME")
    return (lax.reduce_window(grown, 1.0, lax.min, (3, 3), (1, 1), "SAME") > 0) | mask


@jax.jit
def masks(ideal: Float[Array, "2 h w"], label: Float[Array, "h w"], kind) -> tuple[Array, Array]:
    """(visible, extent). Textures and films keep the mean grey, so that all of their extent counts."""
    extent = label > 0
    visible = closing(extent & (jnp.abs(ideal[1] - ideal[0]) > TAU)) & extent
    whole = (kind < len(TYPES["texture"])) | (kind == KINDS.index("film"))
    return jnp.where(whole, extent, visible), extent


def normal(keys, *, level: str, optics: str, size: int) -> tuple[UInt8[Array, "b h w"], Float[Array, "b f v a"]]:
    """Images without defects, one per key, and their centre lines."""
    how = {"level": level, "optics": optics, "size": size}
    scene = compose(keys, **how)
    grey = shade(scene, **how)
    return develop(grey, scene.exposure, jnp.ones_like(grey), **how)[1], scene.vertices


def defective(key, kind, attempt, *, level: str, optics: str, size: int) -> Pair:
    """One image with 1-3 instances of defect `kind` (an index into KINDS), and its twin."""
    how = {"level": level, "optics": optics, "size": size}
    scene, plan = compose_pair(key, kind, attempt, **how)
    picture = paint(scene, jnp.stack([plan.depth, plan.depth]), **how)
    grey, noisiness, label = alter(picture, kind, plan, **how)
    ideal, images = develop(grey, scene.exposure, noisiness, **how)
    visible, extent = masks(ideal, label, kind)
    label, *count = (u.astype(jnp.uint8) for u in (label, *picture.count))
    return Pair(images[1], images[0], visible, extent, label, *count, picture.top[0], ideal, plan, scene.vertices[0])
