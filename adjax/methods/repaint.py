"""Completion of moving holes by diffusion (after RePaint: Lugmayr et al. 2022, arXiv 2201.09865), compared in pixels.

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from adjax.diffusion import samplers
from adjax.diffusion.noises import Noise
from adjax.diffusion.process import Denoiser, Images, completing, denoiser
from adjax.diffusion.schedules import Schedule
from adjax.methods.holes import grid, positions
from adjax.methods.partial_diffusion import STEPS, folded, noisiest, partial_diffusion
from adjax.types import Key, Method, UserError


def repaint(
    *,
    tx: optax.GradientTransformation,
    unet: Mapping[str, Any] = {},
    noise: str = "gaussian",
    schedule: str = "linear",
    trained: int = STEPS,
    top: int | Sequence[int] = STEPS,
    calls: int = 10,
    rounds: int = 1,
    hole: int = 8,
    overlap: int = 1,
    draws: int = 1,
    loss: str = "l2",
    score: str = "l1",
    rule: str = "max",
    ema_decay: float = 0.9999,
) -> Method:
    """The network of methods.anoddpm fills in a grid of square holes of side `hole`, four sides apart.

    The grid moves until every pixel was hidden, `overlap`² times, as in methods.inpainting: 16 overlap² · `calls` ·
    `rounds` calls of the network. Of a hidden pixel nothing enters its reconstruction, the mean over the positions that
    hid it; a defect wider than a hole is completed as such. `rounds`: see diffusion.samplers.repaint. The paper
    completes one hole in 250 steps of 10 rounds; grid and comparison are no part of it.
    """
    if rounds < 1:
        raise UserError(f"rounds {rounds}; choose at least 1")
    moves, sample = positions(hole, overlap), partial(samplers.repaint, rounds=rounds)

    def rebuild(schedule: Schedule, said: Denoiser, draw: Noise, x0: Images, keys: Key) -> Images:
        def add(total: Images, number):
            k_there, k_back = (folded(folded(keys, number), which) for which in (0, 1))
            known = grid(moves[number][None], hole, *x0.shape[1:3])[..., None]
            xt = noisiest(schedule, draw, known * x0, k_there)
            filled = sample(schedule, completing(denoiser(schedule, said), x0, known), xt, k_back, draw)
            return total + (1 - known) * filled, None

        return jax.lax.scan(add, jnp.zeros_like(x0), jnp.arange(len(moves)))[0] / overlap**2

    return partial_diffusion(
        tx=tx,
        unet=unet,
        noise=noise,
        schedule=schedule,
        trained=trained,
        top=top,
        calls=calls,
        rebuild=rebuild,
        distance=None,
        draws=draws,
        loss=loss,
        score=score,
        rule=rule,
        ema_decay=ema_decay,
    )
