"""The forward process, its posterior, and what a network may predict.

Axes: b batch, h height, w width, c channels. Each image has its own step t, in i32[b]; images are in [-1, 1].

Prediction is one of PARAMETERISATIONS: "epsilon", the noise (Ho et al. 2020); "x0", the image; "v", signal · noise −
sigma · image (Salimans, Ho 2022).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from adjax.diffusion.schedules import Schedule
from adjax.types import UserError

Images = Float[Array, "b h w c"]
Steps = Int[Array, "b"]
Denoiser = Callable[[Images, Steps], Images]  # (x_t, t) -> an estimate of x_0
PARAMETERISATIONS = ("epsilon", "x0", "v")


class Parts(NamedTuple):
    """Of x_t."""

    x0: Images
    epsilon: Images


def at(values, t: Steps) -> Float[Array, "b 1 1 1"]:
    """A schedule's values at the images' steps, in float32."""
    return jnp.asarray(values, jnp.float32)[t][:, None, None, None]


def diffused(schedule: Schedule, x0: Images, noise: Images, t: Steps) -> Images:
    """A draw from q(x_t | x_0), if `noise` is one."""
    return at(schedule.signal, t) * x0 + at(schedule.sigma, t) * noise


def posterior(schedule: Schedule, x0: Images, xt: Images, t: Steps) -> tuple[Images, Float[Array, "b 1 1 1"]]:
    """Mean and variance of q(x_{t-1} | x_t, x_0), t >= 1 (Ho et al. 2020, equation 7). The variance is 0 at t = 1."""
    beta, share = at(schedule.beta, t), (at(schedule.sigma, t - 1) / at(schedule.sigma, t)) ** 2
    mean = at(schedule.signal, t - 1) * beta / at(schedule.sigma, t) ** 2 * x0 + jnp.sqrt(1 - beta) * share * xt
    return mean, share * beta


def target(schedule: Schedule, parts: Parts, t: Steps, kind: str) -> Images:
    """What a network that predicts `kind` should have said."""
    if check_kind(kind) == "v":
        return at(schedule.signal, t) * parts.epsilon - at(schedule.sigma, t) * parts.x0
    return parts.epsilon if kind == "epsilon" else parts.x0


def split(schedule: Schedule, prediction: Images, xt: Images, t: Steps, kind: str) -> Parts:
    """x_t as image and noise, as a prediction of `kind` has it; t >= 1."""
    signal, sigma = at(schedule.signal, t), at(schedule.sigma, t)
    if check_kind(kind) == "v":
        return Parts(signal * xt - sigma * prediction, sigma * xt + signal * prediction)
    if kind == "epsilon":
        return Parts((xt - sigma * prediction) / signal, prediction)
    return Parts(prediction, (xt - signal * prediction) / sigma)


def check_kind(kind: str) -> str:
    if kind not in PARAMETERISATIONS:
        raise UserError(f"unknown parameterisation '{kind}'; choose from {', '.join(PARAMETERISATIONS)}")
    return kind


def denoiser(schedule: Schedule, network: Callable, kind: str = "epsilon", *, clip: bool = True) -> Denoiser:
    """From `network(x_t, time)`, which predicts `kind`; `clip` keeps the images in [-1, 1]."""

    def denoise(xt: Images, t: Steps) -> Images:
        x0 = split(schedule, network(xt, jnp.asarray(schedule.time)[t]), xt, t, kind).x0
        return jnp.clip(x0, -1.0, 1.0) if clip else x0

    return denoise


def guided(schedule: Schedule, denoise: Denoiser, wanted: Images, weight: float) -> Denoiser:
    """Draws the estimates towards an image (DDAD: Mousakhan et al. 2023).

    The paper's change of the noise by -weight · sigma · (y_t - x_t), with y_t the wanted image under that noise, is
    one of the estimate by weight · sigma² of what it lacks: with 0 nothing, and at 1 / sigma² the wanted image.
    """

    def towards(xt: Images, t: Steps) -> Images:
        x0 = denoise(xt, t)
        return x0 + weight * at(schedule.sigma, t) ** 2 * (wanted - x0)

    return towards


def completing(denoise: Denoiser, image: Images, known: Float[Array, "b h w #c"]) -> Denoiser:
    """The image's own pixels where `known` is 1, estimates where it is 0.

    By a sampler with the posterior's variance known pixels then follow q(x_{t-1} | x_0), and others lie beside them.
    """
    return lambda xt, t: known * image + (1 - known) * denoise(xt, t)
