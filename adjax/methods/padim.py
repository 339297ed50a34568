"""PaDiM (Defard et al. 2021, arXiv 2011.08785): a Gaussian over pretrained features at every place of the image.

Axes: b batch, i grid height, j grid width, p places (i x j), d channels kept.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adjax.backbones import lazily
from adjax.fitted import gaussian
from adjax.nets.patches import aligned, first_pass, to_pixels, valid_patches
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError


class State(NamedTuple):
    backbone: Any
    channels: Int[Array, "d"]  # the random choice, the same at every place
    moments: gaussian.Moments  # once finished, `scatter` holds the whitening matrices instead
    left: Int[Array, ""]  # images to come of the first pass; no more are taken


def padim(
    *,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("stage2", "stage3", "stage5"),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    precision: str = "float32",
    channels: int = 100,
    epsilon: float = 0.01,
    align: str = "nearest",
    sigma: float = 4.0,
    rule: str = "max",
) -> Method:
    """`channels`: kept of all layers', by chance (the seed changes results by about half a point); 0 keeps all.
    Published: 100 of ResNet-18's 448, 550 of WideResNet-50's 1792. `epsilon` is added to the variances. Memory:
    4 channels² bytes a place. `sigma`: of the smoothing, in pixels; the image score is pooled from the smoothed map.
    """
    network = lazily(backbone, layers, weights, maps=layers, rgb=rgb, precision=precision)

    def embed(state: State, batch: Batch) -> Float[Array, "b i j d"]:
        return aligned(network().apply(state.backbone, batch["image"]), align)[..., state.channels]

    def init(key: Key, batch: Batch, info: Info) -> State:
        total = sum(network().channels.values())
        if channels > total:
            raise UserError(f"channels={channels} of padim: {backbone} has {total} in {', '.join(layers)}; choose less")
        chosen = jax.random.permutation(key, total)[: channels or total].astype(jnp.int32)
        state = State(network().variables, jnp.sort(chosen), None, jnp.int32(info.counts["train"]))
        _, i, j, d = jax.eval_shape(embed, state, batch).shape
        return state._replace(moments=gaussian.empty(i * j, d))

    def update(state: State, batch: Batch, key: Key):
        del key
        features = embed(state, batch)
        b, i, j, d = features.shape
        real, left = first_pass(state.left, batch)
        wanted = (real[:, None, None] & valid_patches(batch, (i, j))).reshape(b, -1)
        moments = gaussian.merge(state.moments, features.reshape(b, -1, d), wanted.astype(jnp.float32))
        return state._replace(moments=moments, left=left), {"images": moments.count.max()}

    def finish(state: State, key: Key) -> State:
        del key
        whitening = jnp.asarray(gaussian.whitening(state.moments, epsilon))
        return state._replace(moments=state.moments._replace(scatter=whitening))

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        features = embed(state, batch)
        b, i, j, d = features.shape
        distances = gaussian.mahalanobis(features.reshape(b, -1, d), state.moments.mean, state.moments.scatter)
        anomaly_map = to_pixels(distances.reshape(b, i, j), batch["image"].shape[1:3], sigma)
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map)

    train = Phase(update, finish, augment=False)
    return Method(init, {"train": train}, score_images, embed=embed, shared=frozenset({"backbone"}))
