"""Simplex noise against the published code's values, against the sum over all nodes, and its hash's statistics."""

import functools
import itertools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.noise import simplex2, simplex3
from adjax.noise.simplex import NORM2, NORM3, SQUISH2, STEP, cubic, pull2, pull3

PUBLISHED = json.loads(pathlib.Path(__file__).with_name("published.json").read_text())
INVERSE = [pow(step, -1, 2**32) for step in STEP]


def places(*labels):
    """The integer coordinates of nodes whose labels were made with seed 0."""
    return [(label * np.uint32(inverse)).astype(jnp.int32) for label, inverse in zip(labels, INVERSE)]


def lookup(nodes):
    """The published hash: a walk through the shuffled table."""
    table, index = jnp.array(PUBLISHED["table"]), np.int32(0)
    for n in nodes:
        index = table[(index + n) & 255]
    return index


def published2(i, j, x, y):
    pair = (lookup(places(i, j)) & 14) // 2
    g = jnp.array([(5, 2), (2, 5), (-5, 2), (-2, 5), (5, -2), (2, -5), (-5, -2), (-2, -5)], jnp.float32)[pair]
    return g[..., 0] * x + g[..., 1] * y


def published3(i, j, k, x, y, z):
    """The published gradients in the published coordinates; nodes there are n = sum/2 - q."""
    q = places(i, j, k)
    choice = lookup([sum(q) // 2 - n for n in q]) % 24
    octant, long = choice // 3, choice % 3
    signs = (octant % 2 * 2 - 1, 1 - octant // 2 % 2 * 2, 1 - octant // 4 * 2)
    parts = zip(signs, cubic(x, y, z))
    return sum(jnp.where(long == a, 11, 4).astype(jnp.float32) * s * c for a, (s, c) in enumerate(parts))


def test_published_values():
    """In three dimensions to 1e-4: the published code leaves out a node in rare places, worth up to 6e-5."""
    x, y, expected = np.array(PUBLISHED["noise2"], np.float32).T
    ours = jax.jit(functools.partial(simplex2, pull=published2))(jnp.zeros(2, jnp.uint32), x, y)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    x, y, z, expected = np.array(PUBLISHED["noise3"], np.float32).T
    with jax.numpy_dtype_promotion("standard"):
        ours = jax.jit(functools.partial(simplex3, pull=published3))(jnp.zeros(3, jnp.uint32), x, y, z)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.parametrize(("simplex", "squish", "norm"), [(simplex2, SQUISH2, NORM2), (simplex3, 1 / 3, NORM3)])
def test_every_node_within_reach_counts(simplex, squish, norm):
    """All gradients alike, so that the sum over all nodes nearby is easily written."""
    dims = 2 if simplex is simplex2 else 3
    gradient = np.array([1.0, 2.0, -3.0][:dims])
    points = np.random.default_rng(0).uniform(-9, 9, (3000, dims)).astype(np.float32)
    base = np.floor(points + points.sum(1, keepdims=True) * (1 / np.sqrt(dims + 1) - 1) / dims)
    expected = 0.0
    for step in itertools.product(range(-2, 4), repeat=dims):
        node = base + step
        d = points - node - node.sum(1, keepdims=True) * squish
        expected += np.maximum(2 - (d**2).sum(1), 0) ** 4 * (d @ gradient) / norm

    def pull(*args):
        d = args[dims:] if dims == 2 else cubic(*args[dims:])
        return sum(np.float32(g) * c for g, c in zip(gradient, d))

    ours = jax.jit(functools.partial(simplex, pull=pull))(jnp.zeros(dims, jnp.uint32), *points.T)
    np.testing.assert_allclose(ours, expected, atol=2e-5)


@pytest.mark.parametrize("simplex", [simplex2, simplex3])
def test_continuity_across_cells(simplex):
    """Along a line through many cells, steps of 1/512 change the value no more than the gradients allow."""
    dims = 2 if simplex is simplex2 else 3
    direction = np.array([0.8, 0.6, 0.37][:dims], np.float32)
    line = (np.arange(20000, dtype=np.float32) / 512)[:, None] * direction[None] + np.float32(0.123)
    seed = jax.random.bits(jax.random.key(0), (dims,), jnp.uint32)
    value = np.asarray(jax.jit(simplex)(seed, *line.T), np.float64)
    assert np.abs(np.diff(value)).max() < 0.02
    assert np.abs(np.diff(value, 2)).max() < 3e-4  # a node gained or lost at a border would step


@pytest.mark.parametrize(("pull", "dims", "kinds"), [(pull2, 2, 8), (pull3, 3, 24)])
def test_gradients_are_evenly_and_independently_drawn(pull, dims, kinds):
    """Over seeds: each gradient as often as the others; no correlation between neighbours, nor in rectangles of four."""
    seeds = jax.random.bits(jax.random.key(1), (dims, 40000), jnp.uint32)

    def gradients(*place):
        labels = [np.uint32(n * s % 2**32) + seed for n, s, seed in zip(place, STEP, seeds)]
        units = np.eye(dims, dtype=np.float32)
        return np.stack([pull(*labels, *(jnp.full(40000, u) for u in unit)) for unit in units], 1)

    origin = gradients(0, 0, 0)
    _, counts = np.unique(origin, axis=0, return_counts=True)
    assert len(counts) == kinds
    expected = 40000 / kinds
    assert ((counts - expected) ** 2 / expected).sum() < kinds + 5 * np.sqrt(2 * kinds)
    variance = (origin**2).sum(1).mean() / dims
    for step in ((1, 0, 1), (0, 1, 1), (1, 1, 0), (2, 0, 0), (7, 3, 2)):
        assert np.abs(origin.T @ gradients(*step) / 40000).max() < 5 * variance / 200
    square = [np.sign(gradients(*corner)[:, 0]) for corner in ((0, 0, 0), (1, 1, 0), (1, 0, 1), (2, 1, 1))]
    assert abs(np.prod(square, 0).mean()) < 5 / 200
