"""Greedy k-centre against the rule written out in NumPy."""

import functools

import jax
import numpy as np
import pytest
import skimage.data

from adjax import parallel
from adjax.backbones import backbone
from adjax.fitted import coreset as module
from adjax.types import UserError

SIZE = 60


def plain(points, size, first):
    """Farthest-first traversal in float64; of equally far points the first."""
    points, chosen = points.astype(np.float64), [first]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < size:
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


@functools.cache
def features():
    """A pretrained network's, of photographs; rounded so that all sums are exact and many distances equal."""
    network = backbone("efficientnet_lite0", ("stage3",))
    images = np.stack([skimage.data.camera()[:256, :256], skimage.data.brick()[:256, :256]])[..., None]
    maps = jax.jit(network.apply)(network.variables, (images / 255).astype(np.float32))["stage3"]
    return np.round(np.asarray(maps).reshape(-1, maps.shape[-1]))


def random(spread=8.0):
    return np.round(spread * np.random.default_rng(0).normal(size=(700, 37))).astype(np.float32)


@pytest.mark.parametrize("points", [random, lambda: random(0.5), features], ids=["random", "ties", "real"])
@pytest.mark.budget(20)  # numba and the network compile
def test_the_picks_are_the_plain_algorithms(points):
    points = points()
    expected = plain(points, SIZE, 5)
    np.testing.assert_array_equal(module.pruned(points, SIZE, 5), expected)
    np.testing.assert_array_equal(jax.jit(module.compiled, static_argnums=1)(points, SIZE, np.int32(5)), expected)


def test_two_devices_pick_what_one_does():
    """Also where the points do not divide among them."""
    points = random()[:301]
    found = module.spread(points, SIZE, 5, parallel.mesh(jax.devices()[:2]))
    np.testing.assert_array_equal(found, plain(points, SIZE, 5))


def test_points_far_from_the_origin_are_told_apart():
    """By |a|² + |b|² - 2ab in float32 all distances would be noise."""
    points = random()[:200] / 64 + np.float32(3000)  # exact: steps of 1/64 at 12 bits
    np.testing.assert_array_equal(module.pruned(points, SIZE, 0), plain(points, SIZE, 0))


def test_all_points_can_be_chosen_and_repetitions_come_last():
    points = random()[:40]
    assert sorted(module.pruned(points, 40, 3)) == list(range(40))
    twice = np.concatenate([points, points])
    assert len(np.unique(twice[module.pruned(twice, 40, 3)], axis=0)) == 40


def test_it_covers_better_than_chance():
    points, draw = features(), np.random.default_rng(1)
    radius = lambda chosen: np.min(((points[:, None] - points[chosen][None]) ** 2).sum(-1), axis=1).max() ** 0.5
    chosen = module.coreset(points, SIZE, jax.random.key(0), progress=False)
    assert radius(chosen) < 0.9 * min(radius(draw.choice(len(points), SIZE, replace=False)) for _ in range(5))
    assert radius(chosen[:30]) >= radius(chosen)
    projected = module.coreset(points, SIZE, jax.random.key(0), projection=8, progress=False)
    assert len(set(projected.tolist())) == SIZE


def test_the_budget_is_kept_and_told():
    lines = []
    assert module.affordable(1000, 128, 0) == 1000
    assert module.affordable(1000, 128, 0.5, lambda text, *rest: lines.append(text % rest)) == 512
    assert lines == ["memory_mb=0.5: a random 512 of 1000 features of 128 channels are kept"]
    with pytest.raises(UserError, match="memory_mb"):
        module.affordable(1000, 128, 1e-6)
    with pytest.raises(UserError, match="a coreset of 5 out of 3"):
        module.coreset(np.zeros((3, 2), np.float32), 5, jax.random.key(0))
