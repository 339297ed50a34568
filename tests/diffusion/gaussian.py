"""Data whose best denoiser is known: pixels of N(MEAN, SPREAD²), each on its own."""

import jax
import jax.numpy as jnp

from adjax.diffusion.process import at

MEAN, SPREAD = 0.3, 0.5


def best(schedule):
    """E[x_0 | x_t]."""

    def denoise(x, t):
        signal, sigma = at(schedule.signal, t), at(schedule.sigma, t)
        share = signal * SPREAD**2 / (signal**2 * SPREAD**2 + sigma**2)
        return MEAN + share * (x - signal * MEAN)

    return denoise


def keys(number, seed=0):
    return jax.random.split(jax.random.key(seed), number)


def draw(schedule, step, shape, seed=0):
    """True x_t."""
    spread = (schedule.signal[step] ** 2 * SPREAD**2 + schedule.sigma[step] ** 2) ** 0.5
    return schedule.signal[step] * MEAN + spread * jax.random.normal(jax.random.key(seed), shape)


def flowed(schedule, x, start, end):
    """Where the deterministic flow takes x: pixels keep their place in the distribution."""

    def moments(step):
        signal, sigma = schedule.signal[step], schedule.sigma[step]
        return signal * MEAN, (signal**2 * SPREAD**2 + sigma**2) ** 0.5

    (mean1, spread1), (mean2, spread2) = moments(start), moments(end)
    return mean2 + jnp.float32(spread2 / spread1) * (x - mean1)
