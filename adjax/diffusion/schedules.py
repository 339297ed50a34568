"""Noise schedules: how much image and how much noise is left at each step of a diffusion.

Axes: t steps, from 0, the clean image, to the noisiest.

    x_t = signal_t · x_0 + sigma_t · noise,        signal² + sigma² = 1,        ᾱ of the literature is signal²

Public code counts steps from 0 where papers and this count from 1: its entry 199 is step 200 here, and `time` 199.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from adjax.types import UserError


class Schedule(NamedTuple):
    """Host arrays in float64 with one entry more than there are steps. The samplers run through all of it."""

    time: Int[np.ndarray, "t"]  # what the network is told; that of step 0 is never used
    beta: Float[np.ndarray, "t"]  # variance that the step adds: 1 - signal_t² / signal_{t-1}²
    signal: Float[np.ndarray, "t"]
    sigma: Float[np.ndarray, "t"]

    @property
    def steps(self) -> int:
        return len(self.time) - 1


def from_alpha_bar(alpha_bar: Float[np.ndarray, "t"], time: Int[np.ndarray, "t"] | None = None) -> Schedule:
    """`alpha_bar` begins with step 0 and falls; `time` is one less than the step by default, as published."""
    alpha_bar = np.asarray(alpha_bar, np.float64)
    if time is None:
        time = np.maximum(np.arange(len(alpha_bar)) - 1, 0)
    beta = np.concatenate([[0.0], 1 - alpha_bar[1:] / alpha_bar[:-1]])
    return Schedule(time.astype(np.int32), beta, np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar))


def linear(steps: int = 1000, *, first: float = 1e-4, last: float = 0.02) -> Schedule:
    """β grows linearly (Ho et al. 2020); `first` and `last` are those of 1000 steps, of which others make as much."""
    beta = np.linspace(first, last, steps) * (1000 / steps)
    return from_alpha_bar(np.concatenate([[1.0], np.cumprod(1 - beta)]))


def cosine(steps: int = 1000, *, offset: float = 0.008, largest: float = 0.999) -> Schedule:
    """ᾱ is a squared cosine of time and no β is above `largest` (Nichol, Dhariwal 2021, equation 17)."""
    alpha_bar = np.cos((np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2) ** 2
    beta = np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], largest)
    return from_alpha_bar(np.concatenate([[1.0], np.cumprod(1 - beta)]))


def respaced(schedule: Schedule, steps: int, top: int | None = None) -> Schedule:
    """So many steps, evenly over 1 to `top` (all, if None), that end there: the start of a partial diffusion.

    The network is told the original times. With top 0 nothing is left to run, and samplers give the image back.
    """
    top = schedule.steps if top is None else top
    if not 0 <= top <= schedule.steps:
        raise UserError(f"a diffusion to step {top} of {schedule.steps}; choose from 0 to {schedule.steps}")
    if not min(top, 1) <= steps <= top:
        raise UserError(f"{steps} steps for a diffusion to step {top}; choose from {min(top, 1)} to {top}")
    kept = np.round(np.linspace(0, top, steps + 1)).astype(int)
    return from_alpha_bar(schedule.signal[kept] ** 2, schedule.time[kept])


SCHEDULES: Mapping[str, Callable[[int], Schedule]] = {"linear": linear, "cosine": cosine}


def named(name: str, steps: int) -> Schedule:
    if name not in SCHEDULES:
        raise UserError(f"unknown noise schedule '{name}'; choose from {', '.join(SCHEDULES)}")
    return SCHEDULES[name](steps)
