"""Reverse distillation (Deng & Li 2022, arXiv 2201.10703): a decoder rebuilds a teacher's features from an embedding.

Axes: b batch, i grid height, j grid width, d channels.
"""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from adjax import optim
from adjax.backbones import lazily
from adjax.losses import map_cosine
from adjax.nets.patches import corners, to_pixels, valid_mean, valid_patches
from adjax.nets.resnet import SHAPES
from adjax.nets.reverse import Reverse
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

LOSSES = ("global", "local")


class State(NamedTuple):
    teacher: Any  # the pretrained network's variables: they never change
    student: optim.Learner  # embedding and decoder


def reverse_distillation(
    *,
    tx: optax.GradientTransformation,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("stage2", "stage3", "stage5"),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    decoder: str = "resnet18",
    blocks: int = 0,
    loss: str = "global",
    sigma: float = 4.0,
    rule: str = "max",
) -> Method:
    """`layers`: fine to coarse, each of half the sides of the one before. `decoder`: whose kind of blocks embedding and
    decoder have, and their number, unless `blocks` gives one for each depth; the channels are the layers'.

    Published: wide_resnet50_2 for both, with layer1, layer2, layer3; Adam at 0.005 with betas 0.5 and 0.999, 200 epochs
    in batches of 16.

    `loss`: "global" is one cosine of an image's whole layer, as the authors' code has it and as its results are
    reached; "local" is the mean over places, as the paper has it. The map is the layers' sum of 1 - cos at each place,
    smoothed by `sigma` pixels; each is from 0 to 2.
    """
    for what, value, choices in (("loss", loss, LOSSES), ("decoder", decoder, SHAPES)):
        if value not in choices:
            raise UserError(f"unknown {what} {value!r} of reverse_distillation; choose from {', '.join(choices)}")
    teacher = lazily(backbone, layers, weights, maps=layers, rgb=rgb)

    def student() -> Reverse:
        shape = SHAPES[decoder]._replace(depths=(blocks,) * 4) if blocks else SHAPES[decoder]
        return Reverse(shape, tuple(teacher().channels[n] for n in layers))

    def features(variables, batch: Batch) -> list[Float[Array, "b i j d"]]:
        found = teacher().apply(variables, batch["image"])
        return [found[n] for n in layers]

    def init(key: Key, batch: Batch, info: Info) -> State:
        del info
        strides = [teacher().strides[n] for n in layers]
        if len(layers) > 3 or any(2 * fine != coarse for fine, coarse in itertools.pairwise(strides)):
            raise UserError(f"layers={layers} have strides {strides}: choose up to three, each twice the one before")
        if any(side % (2 * strides[-1]) for side in batch["image"].shape[1:3]):
            raise UserError(f"images of {batch['image'].shape[1:3]} px: choose multiples of {2 * strides[-1]}")
        image = jax.ShapeDtypeStruct((1, *batch["image"].shape[1:]), batch["image"].dtype)
        like = jax.eval_shape(lambda image: features(teacher().variables, {"image": image}), image)
        zeros = [jnp.zeros(leaf.shape, leaf.dtype) for leaf in like]
        variables = student().init(key, zeros, False)
        return State(teacher().variables, optim.learner(variables["params"], tx, stats=variables["batch_stats"]))

    def terms(params, stats, batch: Batch, key: Key, variables):
        del key
        wanted, module = features(variables, batch), student()
        found, after = module.apply(
            {"params": params, "batch_stats": stats}, wanted, train=True, mutable=["batch_stats"]
        )
        distance = whole if loss == "global" else lambda a, b, batch: valid_mean(map_cosine(a, b), batch)
        return {n: distance(a, b, batch) for n, a, b in zip(layers, found, wanted)}, after["batch_stats"]

    descend = optim.gradient_update(terms, tx, loss_weights=dict.fromkeys(layers, 1.0))

    def update(state: State, batch: Batch, key: Key):
        net, scalars = descend(state.student, batch, key, state.teacher)
        return state._replace(student=net), scalars

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        wanted, shape = features(state.teacher, batch), batch["image"].shape[1:3]
        variables = {"params": optim.weights(state.student), "batch_stats": state.student.stats}
        found = student().apply(variables, wanted, train=False)
        maps = sum(corners(map_cosine(a, b), shape) for a, b in zip(found, wanted))
        anomaly_map = to_pixels(maps, shape, sigma)
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map)

    return Method(init, {"train": Phase(update, augment=False)}, score_images, shared=frozenset({"teacher"}))


def whole(found: Float[Array, "b i j d"], wanted: Float[Array, "b i j d"], batch: Batch) -> Float[Array, "b"]:
    """1 - cos of all features of an image as one vector; what does not count is 0 in both."""
    counts = valid_patches(batch, found.shape[1:3])[..., None].astype(found.dtype)
    flat = lambda x: (x * counts).reshape(len(x), 1, 1, -1)
    return map_cosine(flat(found), flat(wanted))[:, 0, 0]
