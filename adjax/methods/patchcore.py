"""PatchCore (Roth et al. 2022, arXiv 2106.08265): the distance of each patch's features to a coreset of normal ones.

Axes: b batch, i grid height, j grid width, n bank, d channels.

Features: layers averaged over 3 x 3 each, enlarged bilinearly to the largest and put side by side, as most
implementations do. The authors' code pools them to 1024 channels in an order of its own; results differ little.
"""

import logging
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adjax.backbones import lazily
from adjax.fitted import reservoir
from adjax.fitted.coreset import coreset
from adjax.fitted.neighbours import nearest
from adjax.methods import banks
from adjax.nets.patches import aligned, neighbourhood_mean, to_pixels, valid_patches
from adjax.pooling import pool
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

SCORES = ("distance", "squared")


class State(NamedTuple):
    backbone: Any
    bank: reservoir.Reservoir
    left: Int[Array, ""]  # images to come of the first pass; no more are taken


def patchcore(
    *,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("stage3", "stage5"),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    precision: str = "float32",
    ratio: float = 0.01,
    projection: int = 0,
    memory_mb: float = 0.0,
    neighbours: int = 1,
    reweight: int = 1,
    score: str = "distance",
    sigma: float = 4.0,
    rule: str = "max",
) -> Method:
    """`ratio`: of the patches, kept in the coreset; published are 0.25, 0.1 and 0.01. `projection`: 0, or the
    dimensions in which patches are selected. `memory_mb`: at most so much for patches to select from, 0 for all.

    `neighbours`: over which a patch's distance is averaged. `score`: "distance", or "squared" as the authors' code has
    it. `reweight`: 1 is off, as in their code; b > 1 weighs the image score by the b neighbours of the nearest patch
    (their equation 7, of plain distances). The image score is pooled by `rule` from the patches, before enlarging
    and smoothing by `sigma` pixels.
    """
    check(score, reweight, rule)
    network = lazily(backbone, layers, weights, maps=layers, rgb=rgb, precision=precision)

    def embed(state: State, batch: Batch) -> Float[Array, "b i j d"]:
        features = network().apply(state.backbone, batch["image"])
        return aligned({name: neighbourhood_mean(features[name]) for name in layers}, "bilinear")

    def init(key: Key, batch: Batch, info: Info) -> State:
        del key
        variables = network().variables
        _, i, j, d = jax.eval_shape(embed, State(variables, None, None), batch).shape
        return State(variables, *banks.empty(info, i * j, d, memory_mb))

    def update(state: State, batch: Batch, key: Key):
        return banks.collect_patches(state, embed(state, batch), batch, key)

    def finish(state: State, key: Key) -> State:
        return state._replace(bank=selected(state.bank, ratio, key, projection))

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        rules = {"neighbours": neighbours, "reweight": reweight, "score": score, "sigma": sigma, "rule": rule}
        return judged(embed(state, batch), state.bank.rows, batch, **rules)

    train = Phase(update, finish, augment=False)
    return Method(init, {"train": train}, score_images, embed=embed, shared=frozenset({"backbone"}))


def check(score: str, reweight: int, rule: str) -> None:
    if score not in SCORES:
        raise UserError(f"unknown score {score!r} of patchcore; choose from {', '.join(SCORES)}")
    if reweight > 1 and rule != "max":
        raise UserError(f"reweight={reweight} weighs the highest patch score: set config.score.rule to max, not {rule}")


def selected(bank: reservoir.Reservoir, ratio: float, key: Key, projection: int = 0) -> reservoir.Reservoir:
    """The bank with a coreset of its patches."""
    patches = reservoir.contents(bank)
    size = max(1, int(ratio * len(patches)))
    logging.info("a coreset of %d out of %d patches", size, len(patches))
    chosen = coreset(patches, size, key, projection=projection)
    return bank._replace(rows=patches[jnp.asarray(chosen)])


def judged(
    features: Float[Array, "b i j d"],
    bank: Float[Array, "n d"],
    batch: Batch,
    *,
    neighbours: int,
    reweight: int,
    score: str,
    sigma: float,
    rule: str,
) -> Prediction:
    """Images by their patches' distances to the bank; see `patchcore`."""
    b, i, j, d = features.shape
    near, indices = nearest(features.reshape(-1, d), bank, neighbours)
    patches = (near**2 if score == "squared" else near).mean(1).reshape(b, i, j)
    valid = valid_patches(batch, (i, j))
    scores = pool(patches, rule, valid)
    if reweight > 1:
        worst = jnp.argmax(jnp.where(valid, patches, -jnp.inf).reshape(b, -1), axis=1)
        at = jnp.arange(b, dtype=worst.dtype) * (i * j) + worst
        scores *= weight(features.reshape(-1, d)[at], bank, indices[at, 0], reweight)
    return Prediction(scores, to_pixels(patches, batch["image"].shape[1:3], sigma))


def weight(
    patch: Float[Array, "b d"], bank: Float[Array, "n d"], match: Int[Array, "b"], number: int
) -> Float[Array, "b"]:
    """1 - exp |x - m| / Σ exp |x - m'| over the `number` neighbours m' in the bank of the match m, itself included."""
    _, around = nearest(bank[match], bank, number)
    distances = jnp.sqrt(((patch[:, None] - bank[around]) ** 2).sum(-1))
    return 1 - jax.nn.softmax(distances, axis=1)[:, 0]
