"""How unlike an image is to the most similar of a set of normal ones: the nearest neighbours of whole images' features.

Axes: b batch, n references, d dimensions of all layers.

The baseline for every model of whole images: on the same features, what loses to it needs a reason.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adjax.backbones import lazily
from adjax.fitted import reservoir
from adjax.fitted.neighbours import nearest, unit
from adjax.methods import banks
from adjax.nets.patches import pooled
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

DISTANCES = ("cosine", "euclidean")


class State(NamedTuple):
    backbone: Any
    bank: reservoir.Reservoir  # the references
    left: Int[Array, ""]  # images to come of the first pass; no more are taken
    usual: Float[Array, "2"]  # what is taken from a distance, and what it is divided by


def similarity(
    *,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("pool",),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    distance: str = "cosine",
    neighbours: int = 1,
    calibrated: bool = False,
    memory_mb: float = 0.0,
    rule: str = "max",
) -> Method:
    """`layers`: their spatial means, side by side, describe an image. `distance`: "cosine", 1 - the cosine, or
    "euclidean"; the mean over the `neighbours` nearest references is the score. `calibrated`: in standard deviations
    from the mean of what each reference has to all others. `memory_mb`: as for patchcore. There is no map, so `rule`
    changes nothing.
    """
    del rule
    if distance not in DISTANCES:
        raise UserError(f"unknown distance {distance!r} of similarity; choose from {', '.join(DISTANCES)}")
    network = lazily(backbone, layers, weights, rgb=rgb)

    def embed(state: State, batch: Batch) -> Float[Array, "b d"]:
        means = pooled(network().apply(state.backbone, batch["image"]), batch)
        vectors = jnp.concatenate([means[layer] for layer in layers], axis=1)
        return unit(vectors) if distance == "cosine" else vectors

    def away(near: Float[Array, "b k"]) -> Float[Array, "b"]:
        return (near**2 / 2 if distance == "cosine" else near).mean(1)

    def init(key: Key, batch: Batch, info: Info) -> State:
        del key
        variables = network().variables
        _, d = jax.eval_shape(embed, State(variables, None, None, None), batch).shape
        return State(variables, *banks.empty(info, 1, d, memory_mb), jnp.array([0.0, 1.0]))

    def update(state: State, batch: Batch, key: Key):
        return banks.collect_images(state, embed(state, batch), batch, key)

    def finish(state: State, key: Key) -> State:
        del key
        rows = reservoir.contents(state.bank)
        state = state._replace(bank=state.bank._replace(rows=rows))
        if not calibrated:
            return state
        others = away(nearest(rows, rows, neighbours + 1)[0][:, 1:])  # the nearest is the reference itself
        if len(rows) < 3 or not others.std() > 0:
            raise UserError(f"calibrated=True needs 3 references that differ; there are {len(rows)}")
        return state._replace(usual=jnp.stack([others.mean(), others.std()]))

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        near, _ = nearest(embed(state, batch), state.bank.rows, neighbours)
        return Prediction((away(near) - state.usual[0]) / state.usual[1], None)

    train = Phase(update, finish, augment=False)
    return Method(init, {"train": train}, score_images, embed=embed, shared=frozenset({"backbone"}))
