"""Uninformed Students (Bergmann, Fauser, Sattlegger, Steger 2020, arXiv 1911.02357): students of a teacher of patches.

Axes: b batch, h height, w width, c channels, i grid height, j grid width, d components of a description, m students.

Where the students miss the teacher's description, and where they disagree, there was nothing like it among the good
images. The authors' code is not published: how much a triplet's positive patch is changed (synthesis.crops), and that
correlations are squared (losses.descriptors), are choices of this build.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from adjax import optim
from adjax.backbones import lazily, normaliser
from adjax.backbones.networks import IMAGENET
from adjax.fitted import gaussian
from adjax.losses.descriptors import disagreement
from adjax.methods.patch_teacher import patch_teacher
from adjax.nets.blocks import scaled
from adjax.nets.patch_descriptor import CHANNELS, LAYERS, PatchDescriptor, counted, padded, region, spread
from adjax.nets.patches import first_pass, pooled
from adjax.nets.pdn import resize
from adjax.pooling import pool, valid_pixels
from adjax.stacked import vmapped
from adjax.synthesis.crops import SIDES
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

FIELDS = ("image", "texture")


class State(NamedTuple):
    backbone: Any  # the pretrained network's variables: they never change
    teacher: optim.Learner  # for each patch size
    moments: dict[str, gaussian.Moments]  # of each component of the teacher's descriptions of the training images
    students: optim.Learner  # for each patch size, stacked
    maps: gaussian.Moments  # of calibration images: error and variance of each patch size
    left: Int[Array, "2"]  # training and calibration images to come of the first pass; no more are taken


def uninformed_students(
    *,
    tx: optax.GradientTransformation,
    backbone: str = "efficientnet_lite0",
    layers: tuple[str, ...] = ("pool",),
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    sizes: tuple[int, ...] = (17, 33, 65),
    students: int = 3,
    crops: int = 64,
    crops_of: tuple[str, ...] = ("texture",),
    sides: tuple[float, float] = SIDES,
    backbone_side: int = 0,
    distillation: float = 1.0,
    metric: float = 0.0,
    compactness: float = 1.0,
    region_side: int = 0,
    stride: int = 1,
    width: float = 1.0,
    rule: str = "max",
) -> Method:
    """Phase "teacher": on `crops` patches a step for each of `sizes`, of the batch fields `crops_of` resized to so many
    patches a side as is between `sides`, the teacher learns with weight `distillation` the mean features of the
    backbone's `layers`, with `metric` that patches which look alike are near, with `compactness` that no component
    repeats another. Its rate is twice the students'. `backbone_side`: in pixels, to which the backbone's patches are
    enlarged, as a transformer needs multiples of its own; 0: as they are.

    `region_side`: students learn from a random square of so many pixels of each image; 0: from the whole. `stride`:
    pixels between descriptions; 4 or 8 save the more time the larger the patches are.

    Published: ResNet-18, and ImageNet for the teacher, 50,000 steps without `metric`; Adam at 1e-4 and weight decay
    1e-5, one image a step, 100 epochs.
    """
    check(sizes, crops_of, students, stride)
    network, normalise = lazily(backbone, layers, weights, rgb=rgb), normaliser(*IMAGENET, rgb)
    d = scaled(CHANNELS, width)
    nets = {size: PatchDescriptor(size, d, width, stride) for size in sizes}

    def describe(variables, patch):
        if backbone_side:
            patch = resize(patch, (backbone_side, backbone_side))
        found = pooled(network().apply(variables, patch), {"image": patch})
        return jnp.concatenate([found[layer] for layer in layers], axis=-1)

    teacher = patch_teacher(
        nets,
        describe,
        normalise,
        fields=crops_of,
        crops=crops,
        sides=sides,
        strengths={"distillation": distillation, "metric": metric, "compactness": compactness},
        tx=optax.chain(tx, optax.scale(2.0)),
    )

    def init(key: Key, batch: Batch, info: Info) -> State:
        if not info.counts["calibration"]:
            raise UserError("uninformed_students needs calibration images: set config.data.calibration, as in 0.1")
        k_teacher, k_students = jax.random.split(key)
        variables = network().variables
        params = {}
        for size, net in nets.items():
            start = lambda k: net.init(k, jnp.zeros((1, size, size, 3)))["params"]  # noqa: B023
            params[f"patch_{size}"] = jax.vmap(start)(jax.random.split(jax.random.fold_in(k_students, size), students))
        return State(
            variables,
            teacher.start(k_teacher, variables, batch["image"].shape[-1]),
            {name: gaussian.empty(d, 1) for name in params},
            optim.learner(params, tx),
            gaussian.empty(2 * len(sizes), 1),
            jnp.array([info.counts[n] for n in ("train", "calibration")], jnp.int32),
        )

    def distil(state: State, batch: Batch, key: Key):
        learned, scalars = teacher.learn(state.teacher, batch, key, state.backbone)
        return state._replace(teacher=learned), scalars

    def taught(state: State, size: int, x: Float[Array, "b h2 w2 3"]) -> Float[Array, "b i j d"]:
        return nets[size].apply({"params": optim.weights(state.teacher)[f"patch_{size}"]["network"]}, x)

    def observe(state: State, batch: Batch, key: Key):
        del key
        real, left = first_pass(state.left[0], batch)
        places = counted(batch, stride) & real[:, None, None]
        image, moments = normalise(batch["image"]), {}
        for size in sizes:
            found = taught(state, size, padded(image, size, stride))
            moments[f"patch_{size}"] = gaussian.merge_channels(state.moments[f"patch_{size}"], found, places)
        state = state._replace(moments=moments, left=state.left.at[0].set(left))
        return state, {"patches": moments[f"patch_{sizes[0]}"].count[0]}

    def wanted(state: State, size: int, x: Float[Array, "b h2 w2 3"]) -> Float[Array, "b i j d"]:
        """The teacher's descriptions, standardised by component."""
        return gaussian.standardised(state.moments[f"patch_{size}"], taught(state, size, x))

    def answers(params, size: int, x: Float[Array, "b h2 w2 3"]) -> Float[Array, "m b i j d"]:
        return vmapped(lambda one, x: nets[size].apply({"params": one}, x))(params[f"patch_{size}"], x)

    def terms(params, stats, batch: Batch, key: Key, state: State):
        image, losses = normalise(batch["image"]), {}
        for size in sizes:
            if region_side:
                k_size = jax.random.fold_in(key, size)
                x, counts = region(k_size, batch, padded(image, size), region_side, size, stride)
            else:
                x, counts = padded(image, size, stride), counted(batch, stride)
            counts = counts.astype(jnp.float32)
            # Each student has a loss of its own: the sum keeps the weight decay's share in each.
            errors = ((answers(params, size, x) - wanted(state, size, x)[None]) ** 2).sum((0, -1))
            losses[f"regression_{size}"] = (errors * counts).sum((1, 2)) / jnp.maximum(counts.sum((1, 2)), 1.0)
        return losses, stats

    descend = optim.gradient_update(terms, tx, loss_weights={f"regression_{size}": 1.0 for size in sizes})

    def learn(state: State, batch: Batch, key: Key):
        learned, scalars = descend(state.students, batch, key, state)
        return state._replace(students=learned), scalars

    def maps(state: State, batch: Batch) -> Float[Array, "b i j k"]:
        """Error and variance of each patch size."""
        image, params, found = normalise(batch["image"]), optim.weights(state.students), []
        for size in sizes:
            x = padded(image, size, stride)
            found += disagreement(answers(params, size, x), wanted(state, size, x))
        return jnp.stack(found, -1)

    def calibrate(state: State, batch: Batch, key: Key):
        del key
        real, left = first_pass(state.left[1], batch)
        moments = gaussian.merge_channels(state.maps, maps(state, batch), counted(batch, stride) & real[:, None, None])
        return state._replace(maps=moments, left=state.left.at[1].set(left)), {"patches": moments.count[0]}

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        normal = gaussian.standardised(state.maps, maps(state, batch))
        # Error and variance of a patch size add up, patch sizes have their mean.
        anomaly_map = spread(normal.sum(-1) / len(sizes), batch["image"].shape[1:3], stride)
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map)

    phases = {
        "teacher": Phase(distil, augment=False),
        "statistics": Phase(observe, augment=False),
        "train": Phase(learn, augment=False),
        "calibration": Phase(calibrate, split="calibration", augment=False),
    }
    needs = frozenset(crops_of) - {"image"}
    return Method(init, phases, score_images, needs=needs, shared=frozenset({"backbone"}))


def check(sizes: tuple[int, ...], crops_of: tuple[str, ...], students: int, stride: int) -> None:
    for what, values, choices in (("sizes", sizes, LAYERS), ("crops_of", crops_of, FIELDS)):
        if not values or len(set(values)) < len(values) or any(value not in choices for value in values):
            raise UserError(f"{what}={values} of uninformed_students; choose some of {', '.join(map(str, choices))}")
    if students < 1 or stride < 1:
        raise UserError(f"students={students}, stride={stride} of uninformed_students; choose at least 1 of each")
