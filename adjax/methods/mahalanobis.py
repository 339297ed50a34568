"""Multivariate Gaussians of pretrained features (Rippel, Mertens, Merhof 2020, arXiv 2005.14140), one for each level.

Axes: b batch, n images, d dimensions of all levels, k components.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from adjax.backbones import lazily
from adjax.fitted import gaussian, reservoir
from adjax.fitted.components import KEPT
from adjax.methods import banks
from adjax.nets.patches import pooled
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

LEVELS = ("stem", "stage1", "stage2", "stage3", "stage4", "stage5", "stage6", "stage7", "head")


class State(NamedTuple):
    backbone: Any
    bank: reservoir.Reservoir  # features of whole images; once finished, one of them
    left: Int[Array, ""]  # images to come of the first pass; no more are taken
    mean: Float[Array, "d"]
    whitening: Mapping[str, Float[Array, "k d"]]  # of each level


def mahalanobis(
    *,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = LEVELS,
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    keep: str = "all",
    variance: float = 0.99,
    memory_mb: float = 0.0,
    rule: str = "max",
) -> Method:
    """An image's score is the sum over levels of the Mahalanobis distance of its spatial mean features, by the
    covariance of Ledoit and Wolf. There is no map, so `rule` changes nothing.

    `keep`: "all" dimensions, or the "leading" principal components of each level that explain the share `variance`, or
    the "trailing" ones, the rest, in which the paper finds anomalies best. `memory_mb`: as for patchcore.
    """
    del rule
    if keep not in KEPT:
        raise UserError(f"unknown keep {keep!r} of mahalanobis; choose from {', '.join(KEPT)}")
    network = lazily(backbone, layers, weights, rgb=rgb)
    sizes = lambda: [network().channels[layer] for layer in layers]

    def embed(state: State, batch: Batch) -> Float[Array, "b d"]:
        levels = pooled(network().apply(state.backbone, batch["image"]), batch)
        return jnp.concatenate([levels[layer] for layer in layers], axis=1)

    def init(key: Key, batch: Batch, info: Info) -> State:
        del key, batch
        whitening = {layer: jnp.zeros((1, d)) for layer, d in zip(layers, sizes())}
        bank, left = banks.empty(info, 1, sum(sizes()), memory_mb)
        return State(network().variables, bank, left, jnp.zeros(sum(sizes())), whitening)

    def update(state: State, batch: Batch, key: Key):
        return banks.collect_images(state, embed(state, batch), batch, key)

    def finish(state: State, key: Key) -> State:
        del key
        features = np.asarray(reservoir.contents(state.bank), np.float64)
        whitening = {
            layer: jnp.asarray(gaussian.shrunk_whitening(level, keep, variance))
            for layer, level in zip(layers, _split(features, sizes()))
        }
        bank = state.bank._replace(rows=state.bank.rows[:1])  # a checkpoint holds no empty arrays
        return state._replace(bank=bank, mean=jnp.asarray(features.mean(0), jnp.float32), whitening=whitening)

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        offsets = zip(layers, _split(embed(state, batch) - state.mean[None], sizes()))
        white = [jnp.matmul(f, state.whitening[layer].T, precision=gaussian.HIGHEST) for layer, f in offsets]
        return Prediction(sum(jnp.linalg.norm(level, axis=1) for level in white), None)

    train = Phase(update, finish, augment=False)
    return Method(init, {"train": train}, score_images, embed=embed, shared=frozenset({"backbone"}))


def _split(features, sizes: list[int]) -> list:
    """The levels of all dimensions side by side."""
    ends = np.cumsum(sizes)
    return [features[:, end - size : end] for size, end in zip(sizes, ends)]
