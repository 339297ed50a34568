"""What the diffusion experiments are run with, and a few seconds' worth of it for MODE=test."""

import os
from typing import Any, NamedTuple

import optax

from adjax import optim
from adjax.methods.anoddpm import anoddpm
from adjax.types import Method

SIDE, STRIDE, RULE = 128, 128, "top:0.0005"  # tiles that only touch
TOP, CALLS = 200, 5  # of a test image, whatever the noise
SETS, NOISES, SEEDS = ("elpv_mono", "kolektor_sdd"), ("simplex", "gaussian"), (0, 1, 2)
PLANTED = SETS[0]  # whose validation images get planted defects


class Setting(NamedTuple):
    unet: dict[str, Any]
    steps: int
    batch: int
    ways: tuple[tuple[str, int, int], ...]  # sampler, calls of the network, top
    images: int  # at most so many of each split
    chunk: int  # tiles scored at once


FULL = Setting(
    unet={"features": (32, 64), "blocks": 0, "attention": (), "heads": 0, "patch": 4},
    steps=300,
    batch=8,
    ways=(
        *(("ddim", calls, TOP) for calls in (1, 2, 5, 10)),
        *(("dpm_solver", calls, TOP) for calls in (2, 5, 10)),
        ("ddpm", TOP, TOP),
        *(("ddim", CALLS, top) for top in (50, 100, 300)),
    ),
    images=1000,
    chunk=16,
)
TEST = Setting(
    unet={"features": (8,), "blocks": 0, "attention": (), "heads": 0, "patch": 4},
    steps=3,
    batch=2,
    ways=(("ddim", 1, TOP), ("dpm_solver", 2, TOP)),
    images=4,
    chunk=4,
)


def chosen() -> Setting:
    return TEST if os.environ.get("MODE") == "test" else FULL


def method(setting: Setting, noise: str, sampler: str = "ddim", calls: int = CALLS, top: int = TOP) -> Method:
    """The trained state is the same for all ways of sampling."""
    return anoddpm(
        tx=optimizer(setting), unet=setting.unet, noise=noise, sampler=sampler, calls=calls, top=top, rule=RULE
    )


def optimizer(setting: Setting) -> optax.GradientTransformation:
    return optim.optimizer(
        steps=setting.steps, name="adamw", learning_rate=1e-3, schedule="cosine", warmup=1, clip_norm=1.0
    )
