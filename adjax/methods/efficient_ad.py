"""EfficientAD (Batzner, Heckler, König 2024, arXiv 2303.14535): a student of a small teacher and of an autoencoder.

Axes: b batch, h height, w width, c channels, i grid height, j grid width, d channels of a description.

After the public re-implementation that reaches the paper's results; the authors' code is not published. With batches of
more than one image the hardest descriptions are those of each image.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from adjax import optim
from adjax.backbones import distilled, normaliser
from adjax.backbones.networks import IMAGENET
from adjax.fitted import gaussian, reservoir
from adjax.losses import map_l2
from adjax.nets.patches import first_pass, to_pixels, valid_patches
from adjax.nets.pdn import CHANNELS, LAYERS, MARGIN, PDN, Autoencoder
from adjax.pooling import pool, valid_pixels
from adjax.synthesis.augment import jitter_one, sometimes_grey
from adjax.types import Batch, Info, Key, Method, Phase, Prediction, UserError

QUANTILES = (0.9, 0.995)  # of good images' maps, which become 0 and 0.1
GREY = 0.3  # of the penalty's images
SMALLEST = 1e-6  # of a map's spread: what never varies


class State(NamedTuple):
    teacher: Any  # its variables never change
    moments: gaussian.Moments  # of each channel of the teacher's descriptions of the training images
    net: optim.Learner  # parameters of student and autoencoder
    maps: reservoir.Reservoir  # student's and autoencoder's of calibration images; once finished the rows are QUANTILES
    left: Int[Array, "2"]  # training and calibration images to come of the first pass; no more are taken


def efficient_ad(
    *,
    tx: optax.GradientTransformation,
    network: str = "pdn_small",
    weights: str | None = None,
    rgb: tuple[int, int, int] | None = None,
    hard: float = 0.999,
    penalty: float = 1.0,
    padding: bool = False,
    width: float = 1.0,
    rule: str = "max",
) -> Method:
    """`weights`: the file of a distilled teacher. `hard`: below this quantile of its squared errors, over places and
    channels, a student does not learn from an image. `penalty` weighs the student's descriptions of other images, which
    shall be 0; with 0 none are asked for. `padding` is for images too small to lose a margin of 16 pixels.

    Published: Adam with a rate of 1e-4, a tenth of it in the last 5 % of 70,000 steps, weight decay 1e-5, one image a
    step; a tenth of the good images for calibration.
    """
    if network not in LAYERS:
        raise UserError(f"unknown network {network!r} of efficient_ad; choose from {', '.join(LAYERS)}")
    d = max(1, round(CHANNELS * width))
    teacher, student = (PDN(LAYERS[network], channels, padding, width) for channels in (d, 2 * d))
    normalise = normaliser(*IMAGENET, rgb)
    margin = 0 if padding else MARGIN

    def autoencoder(features: Array) -> Autoencoder:
        return Autoencoder(features.shape[1:3], d, width)

    def init(key: Key, batch: Batch, info: Info) -> State:
        if not info.counts["calibration"]:
            raise UserError("efficient_ad needs calibration images: set config.data.calibration, as in 0.1")
        k_student, k_auto = jax.random.split(key)
        x = normalise(batch["image"][:1])
        variables = distilled.teacher(network, teacher, weights)
        features = jax.eval_shape(teacher.apply, variables, x)
        params = {
            "student": student.init(k_student, x)["params"],
            "autoencoder": autoencoder(features).init(k_auto, x, False)["params"],
        }
        patches = info.counts["calibration"] * math.prod(features.shape[1:3])
        left = jnp.array([info.counts[n] for n in ("train", "calibration")], jnp.int32)
        return State(variables, gaussian.empty(d, 1), optim.learner(params, tx), reservoir.empty(patches, 2), left)

    def observe(state: State, batch: Batch, key: Key):
        del key
        features = teacher.apply(state.teacher, normalise(batch["image"]))
        real, left = first_pass(state.left[0], batch)
        wanted = counted(batch, features.shape[1:3], margin) & real[:, None, None]
        moments = gaussian.merge_channels(state.moments, features, wanted)
        return state._replace(moments=moments, left=state.left.at[0].set(left)), {"patches": moments.count[0]}

    def describe(state: State, image: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
        """The teacher's descriptions, standardised by channel."""
        return gaussian.standardised(state.moments, teacher.apply(state.teacher, normalise(image)))

    def terms(params, stats, batch: Batch, key: Key, state: State):
        image, b = batch["image"], len(batch["image"])
        k_jitter, k_grey, k_drop = jax.random.split(key, 3)
        seen = [image, jax.vmap(jitter_one)(jax.random.split(k_jitter, b), image)]
        wanted, wanted_jittered = jnp.split(describe(state, jnp.concatenate(seen)), 2)
        if penalty:
            seen.append(jax.vmap(partial(sometimes_grey, share=GREY))(jax.random.split(k_grey, b), batch["penalty"]))
        # One pass through the student: compiled once, and faster than two or three.
        found = student.apply({"params": params["student"]}, normalise(jnp.concatenate(seen)))
        plain, jittered, *others = jnp.split(found, len(seen))
        auto = autoencoder(wanted).apply(
            {"params": params["autoencoder"]}, normalise(seen[1]), True, rngs={"dropout": k_drop}
        )
        counts = counted(batch, wanted.shape[1:3], margin).astype(jnp.float32)
        mean = lambda maps: (maps * counts).sum((1, 2)) / jnp.maximum(counts.sum((1, 2)), 1.0)
        losses = {
            "hard": hardest((wanted - plain[..., :d]) ** 2 * counts[..., None], hard),
            "autoencoder": mean(map_l2(auto, wanted_jittered)),
            "student_autoencoder": mean(map_l2(jittered[..., d:], auto)),
        }
        if others:
            losses["penalty"] = (others[0][..., :d] ** 2).mean((1, 2, 3))
        return losses, stats

    loss_weights = {"hard": 1.0, "autoencoder": 1.0, "student_autoencoder": 1.0, "penalty": penalty}
    descend = optim.gradient_update(terms, tx, loss_weights=loss_weights)

    def learn(state: State, batch: Batch, key: Key):
        net, scalars = descend(state.net, batch, key, state)
        return state._replace(net=net), scalars

    def differences(state: State, image: Float[Array, "b h w c"]) -> Float[Array, "b i j 2"]:
        """The student's from the teacher, and from the autoencoder."""
        params, wanted = optim.weights(state.net), describe(state, image)
        found = student.apply({"params": params["student"]}, normalise(image))
        auto = autoencoder(wanted).apply({"params": params["autoencoder"]}, normalise(image), False)
        return jnp.stack([map_l2(found[..., :d], wanted), map_l2(found[..., d:], auto)], -1)

    def calibrate(state: State, batch: Batch, key: Key):
        maps = differences(state, batch["image"])
        real, left = first_pass(state.left[1], batch)
        wanted = counted(batch, maps.shape[1:3], margin) & real[:, None, None]
        kept = reservoir.fill(state.maps, maps.reshape(-1, 2), wanted.reshape(-1), key)
        return state._replace(maps=kept, left=state.left.at[1].set(left)), {"patches": kept.seen.astype(jnp.float32)}

    def finish(state: State, key: Key) -> State:
        del key
        rows = jnp.quantile(reservoir.contents(state.maps), jnp.array(QUANTILES), axis=0)
        return state._replace(maps=state.maps._replace(rows=rows))

    def score_images(state: State, batch: Batch, keys) -> Prediction:
        del keys
        maps = rescaled(differences(state, batch["image"]), state.maps.rows).mean(-1)
        whole = jnp.pad(maps, ((0, 0), (margin, margin), (margin, margin)))
        anomaly_map = to_pixels(whole, batch["image"].shape[1:3], 0.0)
        return Prediction(pool(anomaly_map, rule, valid_pixels(batch)), anomaly_map)

    phases = {
        "teacher": Phase(observe, augment=False),
        "train": Phase(learn, augment=False),
        "calibration": Phase(calibrate, finish, "calibration", augment=False),
    }
    needs = frozenset({"penalty"} if penalty else ())
    return Method(init, phases, score_images, needs=needs, shared=frozenset({"teacher"}))


def counted(batch: Batch, grid: tuple[int, int], margin: int) -> Bool[Array, "b i j"]:
    """The descriptions that count, of a grid that lacks a margin of the image."""
    i, j = grid
    return valid_patches(batch, (i + 2 * margin, j + 2 * margin))[:, margin : margin + i, margin : margin + j]


def hardest(errors: Float[Array, "b i j d"], share: float) -> Float[Array, "b"]:
    """The mean of an image's errors that are not below their `share`-quantile, which lies between two of them."""
    errors = errors.reshape(len(errors), -1)
    number = errors.shape[1] - math.ceil(share * (errors.shape[1] - 1))
    return lax.top_k(errors, number)[0].mean(1)


def rescaled(maps: Float[Array, "b i j 2"], quantiles: Float[Array, "2 2"]) -> Float[Array, "b i j 2"]:
    """0 at the lower quantile of calibration images, 0.1 at the higher."""
    low, high = quantiles[:, None, None, None]
    return 0.1 * (maps - low) / jnp.maximum(high - low, SMALLEST)
