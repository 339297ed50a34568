"""STFPM (Wang, Han, Ding, Huang 2021, arXiv 2103.04257): a student repeats a pretrained network's features.

Axes: b batch, i grid height, j grid width, d channels.

The state of the last update is kept. The authors' code keeps the one whose maps are lowest on a fifth of the good
images.
"""

from typing import Any, NamedTuple

import optax
from jaxtyping import Array, Float

from adjax import optim
from adjax.backbones import lazily
from adjax.losses import map_cosine
from adjax.nets.initial import restarted
from adjax.nets.patches import aligned, to_pixels, valid_mean
from adjax.pooling import pool, valid_pixels
from adjax.types import Batch, Info, Key, Method, Phase, Prediction


class State(NamedTuple):
    teacher: Any  # the pretrained network's variables: they never change
    student: optim.Learner


def stfpm(
    *,
    tx: optax.GradientTransformation,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("stage2", "stage3", "stage5"),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    rule: str = "max",
) -> Method:
    """The student is another `backbone` from a random start. Published: ResNet-18 with layer1, layer2 and layer3;
    SGD with a rate of 0.4, which unit vectors bear, momentum 0.9 and weight decay 1e-4; 100 epochs in batches of 32.

    The map is the product over layers of the squared distance between unit vectors, each from 0 to 4.
    """
    teacher = lazily(backbone, layers, weights, maps=layers, rgb=rgb)

    def init(key: Key, batch: Batch, info: Info) -> State:
        del batch, info
        fresh = restarted(key, teacher().variables)
        return State(teacher().variables, optim.learner(fresh["params"], tx, stats=fresh.get("batch_stats")))

    def terms(params, stats, batch: Batch, key: Key, variables):
        del key
        wanted = teacher().apply(variables, batch["image"])
        found, after = teacher().learn({"params": params, "batch_stats": stats}, batch["image"])
        return {n: valid_mean(distance(found[n], wanted[n]), batch) for n in layers}, after.get("batch_stats", {})

    descend = optim.gradient_update(terms, tx, loss_weights=dict.fromkeys(layers, 1.0))

    def update(state: State, batch: Batch, key: Key):
        student, scalars = descend(state.student, batch, key, state.teacher)
        return state._replace(student=student), scalars

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        image, student = batch["image"], state.student
        wanted = teacher().apply(state.teacher, image)
        found = teacher().apply({"params": optim.weights(student), "batch_stats": student.stats}, image)
        maps = aligned({n: distance(found[n], wanted[n])[..., None] for n in layers}, "bilinear")
        anomaly_map = to_pixels(maps.prod(-1), image.shape[1:3], 0.0)
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map)

    return Method(init, {"train": Phase(update, augment=False)}, score_images, shared=frozenset({"teacher"}))


def distance(student: Float[Array, "b i j d"], teacher: Float[Array, "b i j d"]) -> Float[Array, "b i j"]:
    """|s - t|² = 2 - 2 cos of the unit vectors."""
    return 2 * map_cosine(student, teacher)
