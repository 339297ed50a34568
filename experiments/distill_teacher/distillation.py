"""Distillation of a patch description network from a backbone's features, as a method of two phases.

Axes: b batch, h height, w width, i grid height, j grid width, d channels of a description.

After the recipe of the public re-implementation of EfficientAD: features averaged over 3 × 3, one vector for each 8 × 8
pixels of an image, standardised by channel; the student sees the image at half the size, padded. Channels are averaged
to as many as a description has, or repeated where the backbone has less.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from adjax import optim
from adjax.backbones import Backbone, normaliser
from adjax.backbones.networks import IMAGENET
from adjax.fitted import gaussian
from adjax.losses import map_l2
from adjax.losses.filters import halve
from adjax.nets.blocks import scaled
from adjax.nets.patches import aligned, neighbourhood_mean
from adjax.nets.pdn import CHANNELS, LAYERS, PDN, resize
from adjax.synthesis.augment import sometimes_grey
from adjax.types import Batch, Info, Key, Method, Phase

GREY = 0.1  # of the images
STRIDE = 8  # pixels of the backbone's image between descriptions


class State(NamedTuple):
    backbone: Any
    moments: gaussian.Moments  # of each channel
    student: optim.Learner


def distillation(backbone: Backbone, network: str, width: float = 1.0, *, tx: optax.GradientTransformation) -> Method:
    channels = scaled(CHANNELS, width)
    student, normalise = PDN(LAYERS[network], channels, True, width), normaliser(*IMAGENET, None)

    def target(state: State, image: Float[Array, "b h w 3"]) -> Float[Array, "b i j d"]:
        layers = backbone.apply(state.backbone, image)
        features = aligned({name: neighbourhood_mean(x) for name, x in layers.items()}, "bilinear")
        grid = tuple(side // STRIDE for side in image.shape[1:3])
        return adapted(resize(features, grid), channels)

    def init(key: Key, batch: Batch, info: Info) -> State:
        del info
        params = student.init(key, normalise(halve(batch["image"])))["params"]
        return State(backbone.variables, gaussian.empty(channels, 1), optim.learner(params, tx))

    def observe(state: State, batch: Batch, key: Key):
        del key
        features = target(state, batch["image"]).reshape(-1, channels, 1)
        moments = gaussian.merge(state.moments, features, jnp.ones(features.shape[:2]))
        return state._replace(moments=moments), {"descriptions": moments.count[0]}

    def terms(params, stats, batch: Batch, key: Key, state: State):
        image = batch["image"]
        image = jax.vmap(lambda k, x: sometimes_grey(k, x, GREY))(jax.random.split(key, len(image)), image)
        count, mean, scatter = state.moments
        spread = jnp.sqrt(scatter[:, 0, 0] / count)
        wanted = (target(state, image) - mean[None, None, None, :, 0]) / jnp.maximum(spread, 1e-6)[None, None, None]
        found = student.apply({"params": params}, normalise(halve(image)))
        return {"distance": map_l2(found, wanted).mean((1, 2))}, stats

    descend = optim.gradient_update(terms, tx, loss_weights={"distance": 1.0})

    def learn(state: State, batch: Batch, key: Key):
        net, scalars = descend(state.student, batch, key, state)
        return state._replace(student=net), scalars

    def score(state, batch, keys):
        raise NotImplementedError("a distillation makes a teacher, and scores nothing")

    return Method(init, {"statistics": Phase(observe), "train": Phase(learn)}, score)


def adapted(x: Float[Array, "b i j c"], channels: int) -> Float[Array, "b i j d"]:
    """PyTorch's adaptive average pooling: output n is the mean of inputs floor(n c / d) to ceil((n + 1) c / d) - 1."""
    inputs = x.shape[-1]
    weights = np.zeros((inputs, channels), np.float32)
    for n in range(channels):
        first, last = n * inputs // channels, -(-(n + 1) * inputs // channels)
        weights[first:last, n] = 1 / (last - first)
    return jnp.einsum("bijc,cd->bijd", x, weights, precision=jax.lax.Precision.HIGHEST)
