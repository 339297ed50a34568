"""Ways back from the noisiest step of a schedule to step 0. What starts partially runs a schedule `respaced` to there.

Axes: b batch, h height, w width, c channels.

All take (schedule, denoise, x, keys, noise): `denoise(x_t, t)` estimates x_0, `keys` has one key per image, and
`noise(keys, (h, w, c), time)` draws what is added again, anew for each image and step. A schedule without steps gives x
back.
"""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from adjax.diffusion.noises import Noise, gaussian
from adjax.diffusion.process import Denoiser, Images, Steps, at, posterior
from adjax.diffusion.schedules import Schedule
from adjax.types import Key, UserError


def ddpm(
    schedule: Schedule,
    denoise: Denoiser,
    x: Images,
    keys: Key,
    noise: Noise = gaussian,
    *,
    posterior_variance: bool = False,
) -> Images:
    """Ancestral sampling (Ho et al. 2020) with variance β, or with the posterior's, the smallest that can be right."""

    def step(x, t):
        mean, variance = posterior(schedule, denoise(x, t), x, t)
        variance = variance if posterior_variance else at(schedule.beta, t)
        # No noise in the last step.
        return mean + jnp.where((t > 1)[:, None, None, None], jnp.sqrt(variance), 0.0) * _fresh(
            schedule, noise, keys, x, t
        )

    return _run(step, x, _times(schedule))


def repaint(
    schedule: Schedule, denoise: Denoiser, x: Images, keys: Key, noise: Noise = gaussian, *, rounds: int = 1
) -> Images:
    """`ddpm` of the posterior's variance, but each step is taken `rounds` times, and back between them.

    RePaint (Lugmayr et al. 2022, arXiv 2201.09865, algorithm 1; jumps of one step), where `denoise` is one of
    process.completing; the paper draws known pixels anew in each step, here they follow x_t. They are drawn before the
    others are seen: more rounds let both fit, and cost as many calls more.
    """

    def step(x, t):
        def fresh(number, which) -> Images:
            k_round = jax.vmap(lambda key: jax.random.fold_in(jax.random.fold_in(key, number), which))(keys)
            return _fresh(schedule, noise, k_round, x, t)

        def back(number, x):
            mean, variance = posterior(schedule, denoise(x, t), x, t)
            return mean + jnp.sqrt(variance) * fresh(number, 0)

        def again(number, x):
            beta = at(schedule.beta, t)
            return jnp.sqrt(1 - beta) * back(number, x) + jnp.sqrt(beta) * fresh(number, 1)

        return back(rounds - 1, lax.fori_loop(0, rounds - 1, again, x))

    return _run(step, x, _times(schedule))


def ddim(
    schedule: Schedule, denoise: Denoiser, x: Images, keys: Key, noise: Noise = gaussian, *, eta: float = 0.0
) -> Images:
    """Song et al. 2021a, equation 12: deterministic with eta 0; with eta 1 `ddpm` of the posterior's variance."""

    def step(x, t):
        x0 = denoise(x, t)
        variance = eta**2 * posterior(schedule, x0, x, t)[1]
        kept = jnp.sqrt(jnp.maximum(at(schedule.sigma, t - 1) ** 2 - variance, 0.0))
        x = at(schedule.signal, t - 1) * x0 + kept * _noise_in(schedule, x, x0, t)
        return x + jnp.sqrt(variance) * _fresh(schedule, noise, keys, x, t) if eta else x

    return _run(step, x, _times(schedule))


def inverted(schedule: Schedule, denoise: Denoiser, x: Images) -> Images:
    """Up to the schedule's last step, whence `ddim` with eta 0 comes back to x but for the width of the steps."""

    def step(x, t):
        # The noise of x_t is taken from x_{t-1}, which is all there is yet.
        epsilon = _noise_in(schedule, x, denoise(x, t), t)
        x0 = (x - at(schedule.sigma, t - 1) * epsilon) / at(schedule.signal, t - 1)
        return at(schedule.signal, t) * x0 + at(schedule.sigma, t) * epsilon

    return _run(step, x, _times(schedule)[::-1])


def dpm_solver(schedule: Schedule, denoise: Denoiser, x: Images, keys: Key = None, noise: Noise = gaussian) -> Images:
    """DPM-Solver++(2M), of second order and deterministic (Lu et al. 2022, arXiv 2211.01095, algorithm 2).

    Its first step is of first order, and so is one to a clean image, which is infinitely long in log(signal / sigma).
    """
    del keys, noise
    shrink, grow, slope = (jnp.asarray(values, jnp.float32) for values in _coefficients(schedule))

    def step(carry, t):
        x, before = carry
        x0 = denoise(x, jnp.full(len(x), t))
        estimate = x0 + slope[t] * (x0 - before)
        return (shrink[t] * x + grow[t] * estimate, x0), None

    (x, _), _ = lax.scan(step, (x, jnp.zeros_like(x)), _times(schedule))
    return x


def _coefficients(schedule: Schedule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By step t: of x_t, of the estimate of x_0, and of the difference between the last two estimates in it."""
    signal, sigma = schedule.signal, schedule.sigma
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.diff(np.log(sigma) - np.log(signal), prepend=np.inf)  # h of step t - 1 <- t, > 0
        slope = width / (2 * np.append(width[1:], np.inf))
        shrink = sigma[:-1] / sigma[1:]
    grow = signal[:-1] * -np.expm1(-width[1:])
    slope = np.where(np.isfinite(width), slope, 0.0)
    return np.append(0.0, shrink), np.append(0.0, grow), slope


def _times(schedule: Schedule) -> Array:
    return jnp.arange(schedule.steps, 0, -1, dtype=jnp.int32)


def _run(step: Callable[[Images, Steps], Images], x: Images, times: Array) -> Images:
    return lax.scan(lambda x, t: (step(x, jnp.full(len(x), t)), None), x, times)[0]


def _fresh(schedule: Schedule, noise: Noise, keys: Key, x: Images, t: Steps) -> Images:
    time = jnp.asarray(schedule.time)[t]
    return noise(jax.vmap(jax.random.fold_in)(keys, time), x.shape[1:], time.astype(jnp.float32))


def _noise_in(schedule: Schedule, x: Images, x0: Images, t: Steps) -> Images:
    """Of x_t, given its image: after clipping no longer what the network said."""
    return (x - at(schedule.signal, t) * x0) / at(schedule.sigma, t)


SAMPLERS: Mapping[str, Callable] = {"ddpm": ddpm, "ddim": ddim, "dpm_solver": dpm_solver}


def named(name: str, eta: float = 0.0) -> Callable:
    """`eta` is that of "ddim"; the others have none."""
    if name not in SAMPLERS:
        raise UserError(f"unknown sampler '{name}'; choose from {', '.join(SAMPLERS)}")
    if eta and name != "ddim":
        raise UserError(f"sampler '{name}' has no eta, it is {eta}; choose ddim, or eta 0")
    return partial(ddim, eta=eta) if eta else SAMPLERS[name]
