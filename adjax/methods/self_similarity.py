"""After Napoletano, Piccoli, Schettini 2018 (Sensors 18(1), 209): how unlike a patch is to a dictionary of normal ones.

Axes: b batch, n patches, k words, d dimensions, e dimensions kept.

A patch is an image of its own, enlarged to the size that the network is used to: the method learns and scores small
tiles of an image (config.data.tile and stride), and their stitched scores are the map. It knows nothing of where a
patch lies: it is for textures.
"""

import logging
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.backbones import lazily
from adjax.fitted import reservoir
from adjax.fitted.components import components
from adjax.fitted.coreset import affordable
from adjax.fitted.kmeans import kmeans, medoids
from adjax.fitted.neighbours import nearest
from adjax.nets.patches import pooled, valid_patches
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError


class State(NamedTuple):
    backbone: Any
    bank: reservoir.Reservoir  # descriptors of patches; once finished, the dictionary, of standardised components
    mean: Float[Array, "d"]
    axes: Float[Array, "e d"]  # principal components, each divided by its standard deviation


def self_similarity(
    *,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("pool",),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    side: int = 224,
    variance: float = 0.95,
    words: int = 500,
    neighbours: int = 1,
    memory_mb: float = 0.0,
    rule: str = "max",
) -> Method:
    """`side`: in pixels, to which a patch is enlarged. `layers`: their spatial means, side by side, divided by the sum
    of their magnitudes, describe it. `variance`: the share that is kept by principal components, 0 for no components.

    `words`: of the dictionary, the patches nearest to as many means (k-means); 0 keeps all patches. A patch's score
    is its mean distance to the `neighbours` nearest words. `memory_mb`: at most so much for patches, 0 for all.
    """
    del rule  # a patch has one score; those of an image are pooled where they are stitched
    network = lazily(backbone, layers, weights, rgb=rgb)

    def embed(state: State, batch: Batch) -> Float[Array, "b d"]:
        b, _, _, c = batch["image"].shape
        image = jax.image.resize(batch["image"], (b, side, side, c), "bicubic")
        means = pooled(network().apply(state.backbone, image), {"image": image})
        found = jnp.concatenate([means[layer] for layer in layers], axis=1)
        return found / jnp.maximum(jnp.abs(found).sum(1, keepdims=True), 1e-12)

    def init(key: Key, batch: Batch, info: Info) -> State:
        del key
        variables = network().variables
        _, d = jax.eval_shape(embed, State(variables, None, None, None), batch).shape
        capacity = affordable(info.steps["train"] * info.batch_size, d, memory_mb)
        return State(variables, reservoir.empty(capacity, d), jnp.zeros(d), jnp.zeros((1, d)))

    def update(state: State, batch: Batch, key: Key):
        real = batch["_mask"] & valid_patches(batch, (1, 1))[:, 0, 0]
        bank = reservoir.fill(state.bank, embed(state, batch), real, key)
        return state._replace(bank=bank), {"patches": bank.seen.astype(jnp.float32)}

    def finish(state: State, key: Key) -> State:
        found = reservoir.contents(state.bank)
        if words > len(found):
            raise UserError(f"words={words} of self_similarity: {len(found)} patches were learned from; choose less")
        if variance:
            principal = components(np.asarray(found), "leading", variance)
            mean, axes = jnp.asarray(principal.mean, jnp.float32), principal.axes / principal.spread[:, None]
        else:
            mean, axes = jnp.zeros(found.shape[1]), np.eye(found.shape[1])
        state = state._replace(mean=mean, axes=jnp.asarray(axes, jnp.float32))
        points = _described(state, found)
        logging.info("%d words of %d dimensions from %d patches", words or len(points), points.shape[1], len(points))
        if words:
            points = points[jax.jit(medoids)(points, kmeans(points, words, key))]
        return state._replace(bank=state.bank._replace(rows=points))

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        near, _ = nearest(_described(state, embed(state, batch)), state.bank.rows, neighbours)
        scores = near.mean(1)
        return Prediction(scores, jnp.broadcast_to(scores[:, None, None], batch["image"].shape[:3]))

    train = Phase(update, finish, augment=False)
    return Method(init, {"train": train}, score_images, embed=embed, shared=frozenset({"backbone"}))


def _described(state: State, found: Float[Array, "n d"]) -> Float[Array, "n e"]:
    return jnp.matmul(found - state.mean[None], state.axes.T, precision=jax.lax.Precision.HIGHEST)
