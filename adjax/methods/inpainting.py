"""Completion of moving holes (after Haselmann, Gruber, Tabatabai 2018, arXiv 1811.06861) by partial convolutions.

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from adjax.losses import map_l1, weighted_map
from adjax.losses.names import parse
from adjax.methods.holes import PERIOD, grid, positions
from adjax.nets.partial import FEATURES, PartialUNet
from adjax.optim import gradient_update, learner, weights
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


def inpainting(
    *,
    tx: optax.GradientTransformation,
    hole: int = 8,
    overlap: int = 1,
    hole_weight: float = 6.0,
    levels: tuple[int, ...] = FEATURES,
    score: str = "l1",
    rule: str = "max",
    ema_decay: float = 0.0,
) -> Method:
    """A grid of square holes of side `hole`, four sides apart, is filled in; it moves until every pixel was in one.

    The moves are `hole / overlap`: 16 overlap² forward passes, one at a time. The map is the named `score` between the
    image and itself with the holes filled in, kept inside the holes and averaged where they overlapped. The loss is
    L1, the mean over the known pixels and `hole_weight` times that over the holes' (after Liu et al. 2018, who divide
    both by the number of all pixels; without perceptual and style terms). `levels` are the encoder's features.

    Only holes wider than a defect hide it. A filament that leaves the hole on both sides is continued through it.
    """
    residual, network, moves = weighted_map(parse(score)), PartialUNet(tuple(levels)), positions(hole, overlap)

    def init(key: Key, batch: Batch, info: Info):
        del info
        image = batch["image"][:1]
        variables = network.init(key, image, jnp.ones_like(image[..., :1]))
        return learner(variables["params"], tx, stats=variables["batch_stats"], ema_decay=ema_decay)

    def terms(params, stats, batch: Batch, key: Key):
        image = batch["image"]
        offsets = jax.random.randint(key, (len(image), 2), 0, PERIOD * hole)
        known = grid(offsets, hole, *image.shape[1:3])
        variables = {"params": params, "batch_stats": stats}
        filled, after = network.apply(variables, image, known[..., None], train=True, mutable=["batch_stats"])
        error, counted = map_l1(filled, image), 1.0 - ignored(batch)
        parts = {"hole": counted * (1.0 - known), "known": counted * known}
        return {name: mean_inside(error, part) for name, part in parts.items()}, after["batch_stats"]

    def run(state, batch: Batch):
        variables, image = {"params": weights(state), "batch_stats": state.stats}, batch["image"]
        forward = lambda known: network.apply(variables, image, known)
        errors = lambda rebuilt: residual(rebuilt, image, batch.get("_ignore"))
        images, maps, counts = fill(forward, image, moves, hole, errors)
        return images / counts[..., None], maps / counts

    def reconstruct(state, batch: Batch, keys):
        del keys
        return run(state, batch)[0]

    def score_images(state, batch: Batch, keys) -> Prediction:
        del keys
        rebuilt, anomaly_map = run(state, batch)
        scores = pool(anomaly_map, rule, valid_pixels(batch))
        return Prediction(scores, anomaly_map, {"reconstruction": rebuilt})

    update = gradient_update(terms, tx, loss_weights={"hole": hole_weight, "known": 1.0}, ema_decay=ema_decay)
    return Method(init, {"train": Phase(update)}, score_images, reconstruct)


def ignored(batch: Batch) -> Float[Array, "b h w"]:
    """1 where a pixel counts nowhere."""
    image = batch["image"]
    return batch["_ignore"].astype(image.dtype) if "_ignore" in batch else jnp.zeros_like(image[..., 0])


def mean_inside(error: Float[Array, "b h w"], part: Float[Array, "b h w"]) -> Float[Array, "b"]:
    """The mean over the pixels where `part` is 1; 0 where there are none."""
    return (error * part).sum((1, 2)) / jnp.maximum(part.sum((1, 2)), 1.0)


def fill(
    predict: Callable[[Array], Array],
    image: Float[Array, "b h w c"],
    moves: Int[Array, "p 2"],
    hole: int,
    errors: Callable[[Array], Array],
) -> tuple[Float[Array, "b h w c"], Float[Array, "b h w"], Float[Array, "b h w"]]:
    """Sums over all positions of the grid: image and map inside the holes, and how often a pixel was in one."""

    def step(sums, offset):
        known = jnp.broadcast_to(grid(offset[None], hole, *image.shape[1:3])[..., None], image[..., :1].shape)
        composite = known * image + (1.0 - known) * predict(known)
        inside = 1.0 - known[..., 0]
        parts = inside[..., None] * composite, inside * errors(composite), inside
        return jax.tree.map(jnp.add, sums, parts), None

    zeros = jnp.zeros_like(image), jnp.zeros_like(image[..., 0]), jnp.zeros_like(image[..., 0])
    return jax.lax.scan(step, zeros, moves)[0]
