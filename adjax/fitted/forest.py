"""Isolation forest (Liu, Ting, Zhou 2008), fitted by scikit-learn: what is soon alone is anomalous.

Axes: t trees, m nodes of the largest tree, b queries, d dimensions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from sklearn.ensemble import IsolationForest

EULER = 0.5772156649015329


class Forest(NamedTuple):
    feature: Int[Array, "t m"]
    threshold: Float[Array, "t m"]
    children: Int[Array, "t m 2"]  # left: the feature is at most the threshold; a leaf is its own child
    length: Float[Array, "t m"]  # of the path to a leaf, over the mean one of the sample it was grown from
    depth: Int[Array, ""]


def fit(x: Float[np.ndarray, "n d"], *, trees: int = 100, seed: int = 0) -> Forest:
    """Trees grow from 256 vectors each, or all of fewer, as published."""
    x = np.asarray(x, np.float32)
    forest = IsolationForest(n_estimators=trees, random_state=seed).fit(x)
    grown = [tree.tree_ for tree in forest.estimators_]
    nodes = max(tree.node_count for tree in grown)
    mean = float(mean_length(np.array([forest.max_samples_]))[0])
    return Forest(
        *(jnp.asarray(np.stack(part)) for part in zip(*(_arrays(tree, nodes, mean) for tree in grown))),
        jnp.int32(max(tree.max_depth for tree in grown)),
    )


def _arrays(tree, nodes: int, mean: float) -> tuple[np.ndarray, ...]:
    """One tree's, padded to `nodes`."""
    leaf = tree.children_left < 0
    feature = np.where(leaf, 0, tree.feature).astype(np.int32)
    itself = np.arange(len(leaf))
    sides = (np.where(leaf, itself, side) for side in (tree.children_left, tree.children_right))
    children = np.stack(list(sides), axis=1).astype(np.int32)
    depth = np.zeros(len(leaf))
    for node in np.flatnonzero(~leaf):  # a parent comes before its children
        depth[children[node]] = depth[node] + 1
    # A forest of a single vector has no mean length: every score is 2^-1, as where all vectors are equal.
    length = (depth + mean_length(tree.n_node_samples)) / mean if mean else np.ones(len(leaf))
    padding = nodes - len(leaf)
    wide = lambda part: np.pad(part, ((0, padding), *((0, 0),) * (part.ndim - 1)))
    return wide(feature), wide(rounded_down(tree.threshold)), wide(children), wide(length.astype(np.float32))


def rounded_down(threshold: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """The largest f32 that is not above: a feature in f32 is on the same side of it."""
    nearest = threshold.astype(np.float32)
    return np.where(nearest > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def mean_length(n: Int[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """c(n) of the paper: how long an unsuccessful search in a tree of n is on average."""
    n = np.maximum(n, 1).astype(np.float64)
    long = 2 * (np.log(np.maximum(n - 1, 1)) + EULER) - 2 * (n - 1) / n
    return np.where(n > 2, long, np.where(n == 2, 1.0, 0.0))


def score(forest: Forest, x: Float[Array, "b d"]) -> Float[Array, "b"]:
    """2^(-mean length of the paths), in (0, 1): scikit-learn's `score_samples` with the sign turned."""
    trees = jnp.arange(len(forest.feature), dtype=jnp.int32)[None]
    rows = jnp.arange(len(x), dtype=jnp.int32)[:, None]

    def step(_, node: Int[Array, "b t"]) -> Int[Array, "b t"]:
        right = x[rows, forest.feature[trees, node]] > forest.threshold[trees, node]
        return forest.children[trees, node, right.astype(jnp.int32)]

    start = jnp.zeros((len(x), len(forest.feature)), jnp.int32)
    leaves = jax.lax.fori_loop(0, forest.depth, step, start)
    return jnp.exp2(-forest.length[trees, leaves].mean(1))
