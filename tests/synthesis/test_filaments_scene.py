"""Scenes from keys: strands that never end, defects that change nothing elsewhere, masks that say where."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from adjax.data.filaments import ATTEMPTS, PATIENCE, shows
from adjax.synthesis.filaments import (
    FAMILY,
    KINDS,
    LEVELS,
    OPTICS,
    crossings,
    edits,
    geometry,
    image_key,
    matter,
    plan,
    scene,
    sensor,
)

SIZE = 96
HOW = {"level": "L1", "optics": "sem", "size": SIZE}  # no charging at this level: nothing acts at a distance
REACH = 18  # px: shadow and point spread


@pytest.fixture(scope="module")
def scenes():
    scene.normal(image_key(0, 0, 0)[None], **HOW)  # compiles outside of any test's time budget
    keys = jnp.stack([image_key(0, 0, i) for i in range(10)])
    return jax.tree.map(np.asarray, scene.compose(keys, **HOW))


@pytest.fixture(scope="module")
def pairs():
    def one(name):
        kind = KINDS.index(name)
        for index in range(kind, 1000, len(KINDS)):
            made = scene.defective(image_key(0, 1, index), jnp.int32(kind), jnp.int32(0), **HOW)
            if np.sum(made.visible) >= 12 and np.any(made.image != made.twin):
                return jax.tree.map(np.asarray, made)
        raise AssertionError(f"{name} can't be seen in any of its scenes")

    return {name: one(name) for name in KINDS}


def test_no_strand_ends_inside(scenes):
    for strands in scenes.vertices:
        for v in strands:
            live = np.flatnonzero(v[:, 2] > 0)
            if len(live):
                assert np.all(np.diff(live) == 1)
                for end in v[live[[0, -1]], :2]:
                    assert np.max(np.abs(end - (SIZE - 1) / 2)) > SIZE / 2 + 8


def test_strands_are_smooth_and_as_wide_as_stated():
    keys = jnp.stack([image_key(3, 0, i) for i in range(4)])
    strands = jax.jit(jax.vmap(lambda k: scene.strands_of(k, "L4", "sem", SIZE)))(keys)
    alive = np.asarray(strands.alive) > 0
    assert np.abs(np.asarray(strands.curvature))[alive].max() < 1 / 5
    assert np.asarray(strands.r)[alive].min() > 0.8 and np.asarray(strands.r)[alive].max() < 2.5 * 1.5 * 1.12 + 0.01
    angle = np.unwrap(np.asarray(strands.angle), axis=-1)
    x, y = np.asarray(strands.x), np.asarray(strands.y)
    np.testing.assert_allclose(np.hypot(np.diff(x), np.diff(y))[alive[..., 1:]], 1.0, atol=1e-2)
    np.testing.assert_allclose(
        np.diff(angle)[alive[..., 1:]], np.asarray(strands.curvature)[..., 1:][alive[..., 1:]], atol=1e-3
    )


@pytest.mark.parametrize("level", ["L1", "L4"])
def test_bends_are_sharper_than_any_normal_strand(level):
    size = 400  # from here on defects have their full size
    strands = jax.jit(lambda k: scene.strands_of(k, level, "sem", size))(image_key(4, 0, 0))
    normal = np.abs(np.asarray(strands.curvature))[np.asarray(strands.alive) > 0]
    draw = jax.jit(lambda k: plan.draw(strands, jnp.int32(KINDS.index("bent")), LEVELS[level], size, k))
    bent = jax.jit(lambda strands, drawn: edits.bent(strands, drawn, LEVELS[level]))
    for index in range(8):
        drawn = draw(jax.random.key(index))
        edited = bent(strands, drawn).strands
        for i in np.flatnonzero(np.asarray(drawn.active)):
            f, at = int(drawn.strand[i]), int(drawn.at[i])
            x, y = (np.asarray(u[f], np.float64)[max(0, at - 60) : at + 60] for u in (edited.x, edited.y))
            (dx, ddx), (dy, ddy) = ((np.gradient(u), np.gradient(np.gradient(u))) for u in (x, y))
            peak = np.max(np.abs(dx * ddy - dy * ddx) / (dx * dx + dy * dy) ** 1.5)
            assert peak > normal.max() and peak > 5 * np.quantile(normal, 0.999)


def test_curvature_has_the_stated_variance_and_correlation():
    noise = np.random.default_rng(0).normal(size=(200, 1000)).astype(np.float32)
    k = np.asarray(geometry.curvature(jnp.asarray(noise), 500.0))
    assert np.var(k) == pytest.approx(1 / (500 * geometry.CORRELATION), rel=0.1)
    assert np.mean(k[:, 40:] * k[:, :-40]) / np.var(k) == pytest.approx(np.exp(-1), abs=0.06)


def test_crossings_match_the_pictures(scenes):
    v = scenes.vertices[0]
    found = crossings.find(v, SIZE)
    assert len(found.x) > 3 and np.all(found.lower < found.upper) and np.all((found.angle >= 0) & (found.angle <= 90))
    alone = scene.Scene(*(jax.tree.map(lambda a: jnp.asarray(a[:1]), scenes)))
    count = np.asarray(scene.paint(alone, jnp.zeros(1), **HOW).count[0])
    assert np.all(count[np.round(found.y).astype(int), np.round(found.x).astype(int)] >= 2)


def test_coverage_and_crossings_stay_as_they_were(scenes):
    total = sum(len(crossings.find(v, SIZE).x) for v in scenes.vertices)
    assert total == pytest.approx(25, rel=0.15)
    count = np.asarray(scene.paint(jax.tree.map(jnp.asarray, scenes), jnp.zeros(10), **HOW).count)
    assert 0.08 < np.mean(count > 0) < 0.16


def test_one_crossing_by_hand():
    v = np.zeros((2, 3, 6), np.float32)
    v[0, :, 0], v[0, :, 1] = [0, 20, 40], 10
    v[1, :, 0], v[1, :, 1] = 25, [0, 8, 30]
    v[:, :, 2] = 1
    found = crossings.find(v, 41)
    np.testing.assert_allclose([found.x, found.y, found.angle], [[25], [10], [90]], atol=1e-6)
    v[1, 1:, 2] = 0  # its crossing segment is gone
    assert len(crossings.find(v, 41).x) == 0


def test_same_key_same_bytes_and_other_key_other_image(scenes):
    key = image_key(0, 0, 7)
    first, again, other = (scene.normal(k[None], **HOW)[0] for k in (key, key, image_key(0, 0, 8)))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("name", KINDS)
def test_a_defect_changes_nothing_outside_its_extent(pairs, name):
    pair = pairs[name]
    near = ndimage.distance_transform_edt(~pair.extent) <= REACH
    if FAMILY[name] == "texture":  # the disc fades out beyond the half weight that the mask draws
        near = ndimage.distance_transform_edt(~pair.extent) <= REACH + 0.6 * pair.plan.extent[0]
    changed = pair.image != pair.twin
    assert changed.any() and not np.any(changed & ~near)


@pytest.mark.parametrize("name", KINDS)
def test_masks_are_the_visible_part_of_the_extent(pairs, name):
    pair = pairs[name]
    assert np.sum(pair.visible) >= 12 and np.all(pair.extent[pair.visible])
    assert np.array_equal(pair.label > 0, pair.extent)
    over = np.abs(pair.ideal[1] - pair.ideal[0]) > scene.TAU
    if FAMILY[name] == "texture" or name == "film":
        assert np.array_equal(pair.visible, pair.extent)
    else:
        closed = ndimage.binary_closing(pair.extent & over, np.ones((3, 3))) & pair.extent
        inner = np.s_[2:-2, 2:-2]  # SciPy takes what lies beyond the border for empty
        assert np.array_equal(pair.visible[inner], closed[inner])
        assert np.mean(over[pair.visible]) > 0.5


@pytest.mark.parametrize("name", ["density", "orientation", "curvature", "width", "blur"])
def test_textures_keep_the_mean_grey(pairs, name):
    pair = pairs[name]
    y, x = np.mgrid[:SIZE, :SIZE]
    disc = np.hypot(x - pair.plan.x[0], y - pair.plan.y[0]) < 1.1 * pair.plan.extent[0]
    assert np.mean(pair.ideal[1][disc]) == pytest.approx(np.mean(pair.ideal[0][disc]), rel=0.02)


def drawn_discs(kind, size):
    """A plan of defects of `kind` at L4, where they are smallest, on a canvas of `size`."""
    strands = scene.strands_of(image_key(0, 0, 0), "L4", "sem", SIZE)
    return jax.vmap(lambda k: plan.draw(strands, kind, LEVELS["L4"], size, k))(jax.random.split(jax.random.key(0), 16))


def test_the_smallest_textures_have_the_area_that_counts_as_visible():
    kinds = jnp.arange(len(plan.TYPES["texture"]))
    extent = np.asarray(jax.jit(jax.vmap(lambda k: drawn_discs(k, 1024).extent))(kinds))
    least = extent[..., None, None] * 0.8  # the mask ends where the disc's weight is one half
    y, x = np.mgrid[-24:25, -24:25]
    assert np.sum(np.hypot(y, x) < least, axis=(-2, -1)).min() >= 500 and len(np.unique(extent)) > 100


def test_levelling_dims_pores_and_strands_alike_where_light_adds():
    rng = np.random.default_rng(0)
    clean = jnp.asarray(rng.uniform(0.05, 0.15, (64, 64)), jnp.float32)
    one = jax.tree.map(lambda u: u[0], jax.jit(lambda: drawn_discs(jnp.int32(KINDS.index("width")), 64))())
    one = one._replace(active=jnp.array([1.0, 0.0, 0.0]), extent=jnp.full(3, 20.0))
    one = one._replace(x=jnp.full(3, 31.0), y=jnp.full(3, 31.0))
    image = clean.at[16:32].add(0.1)
    kind = KINDS.index("width")
    out = np.asarray(matter.texture(clean, image, kind, one, LEVELS["L2"], OPTICS["fluorescence"])[0])
    disc = np.hypot(*(np.mgrid[:64, :64] - 31)) < 22
    assert np.mean(out[disc]) == pytest.approx(float(np.mean(clean[disc])), rel=1e-3)
    assert np.array_equal(out[~disc], image[~disc])
    factor = (out / np.asarray(image))[:63, :63]
    assert 0.3 < factor[31, 31] < 0.8
    np.testing.assert_allclose(factor, factor[::-1], rtol=1e-5)


@pytest.mark.parametrize("seeds", [30, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.budget(45, "scenes of every type, rendered with their twins until the defect shows")
def test_all_seeds_show_their_defects(seeds, capsys):
    draws, start = [], time.perf_counter()
    for index in range(seeds):
        kind = index % len(KINDS)
        for attempt in range(ATTEMPTS):
            key = image_key(7, 1, index)
            key = jax.random.fold_in(key, attempt // PATIENCE) if attempt >= PATIENCE else key
            pair = scene.defective(key, jnp.int32(kind), jnp.int32(attempt), **HOW)
            pair = jax.tree.map(np.asarray, pair)
            numbers = np.flatnonzero(pair.plan.active) + 1
            if len(numbers) and all(shows(pair, pair.visible, KINDS[kind], n) for n in numbers):
                break
        else:
            raise AssertionError(f"no visible {KINDS[kind]} with index {index}")
        draws.append(attempt + 1)
    with capsys.disabled():
        print(f"\n{seeds} defective images: {np.mean(draws):.1f} draws each, {time.perf_counter() - start:.0f} s")


def test_a_redraw_changes_the_defect_and_not_the_scene(pairs):
    kind = KINDS.index("blob")
    one, other = (scene.defective(image_key(0, 1, 0), jnp.int32(kind), jnp.int32(i), **HOW) for i in (0, 1))
    assert not np.array_equal(one.extent, other.extent)
    assert np.array_equal(one.twin, other.twin)


def test_noise_grows_with_the_grey_as_photons_do():
    level, optics = LEVELS["L1"]._replace(gradient=0.0), OPTICS["sem"]._replace(falloff=0.0)
    exposure = jax.jit(lambda key: sensor.draw_exposure(level, optics, 96, key))(jax.random.key(0))
    exposure = jax.tree.map(lambda a: a[None], exposure)
    exposure = exposure._replace(gain=jnp.ones(1), offset=jnp.zeros(1))
    greys = np.array([0.1, 0.3, 0.5, 0.7])
    ideal = jnp.asarray(np.repeat(np.repeat(greys, 40)[:, None], 400, axis=1), jnp.float32)[None]
    expose = jax.jit(lambda image: sensor.expose(image, exposure, jnp.ones((1, 1, 1)), level, optics))
    noisy = np.asarray(expose(ideal))[0] / 255
    variance = noisy.reshape(4, 40, 400).var(axis=(1, 2)) - 1 / (12 * 255**2)
    slope, intercept = np.polyfit(greys, variance, 1)
    assert slope == pytest.approx(1 / level.electrons, rel=0.1)
    assert intercept == pytest.approx(sensor.READ**2, abs=1e-4)
