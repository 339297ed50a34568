"""Partial diffusion with simplex noise (AnoDDPM: Wyatt, Leach, Schmon, Willcocks 2022): noise, denoise, compare."""

from collections.abc import Mapping, Sequence
from typing import Any

import optax

from adjax.methods.partial_diffusion import partial_diffusion, there_and_back
from adjax.types import Method


def anoddpm(
    *,
    tx: optax.GradientTransformation,
    unet: Mapping[str, Any] = {},
    noise: str = "simplex",
    schedule: str = "linear",
    trained: int = 800,
    top: int | Sequence[int] = 200,
    sampler: str = "ddim",
    calls: int = 10,
    eta: float = 0.0,
    draws: int = 1,
    loss: str = "l2",
    score: str = "l2",
    rule: str = "max",
    ema_decay: float = 0.9999,
) -> Method:
    """A network learns the `noise` in images at steps 1 to `trained` of 1000; what is scored is diffused to step `top`.

    The map is the named `score` between an image and its reconstruction, averaged over `draws` of the noise, and over
    the steps where `top` is several. Published are sampler "ddpm" and `calls` 200, one of the network for each step,
    which costs 20 times as much. "ddim" adds noise only with `eta`, "dpm_solver" none. `unet` changes settings of
    nets.unet.UNet: images' sides are multiples of patch · 2^(levels - 1).
    """
    return partial_diffusion(
        tx=tx,
        unet=unet,
        noise=noise,
        schedule=schedule,
        trained=trained,
        top=top,
        calls=calls,
        rebuild=there_and_back(sampler, eta),
        distance=None,
        draws=draws,
        loss=loss,
        score=score,
        rule=rule,
        ema_decay=ema_decay,
    )
