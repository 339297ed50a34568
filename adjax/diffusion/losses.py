"""Training losses of diffusion models, one number per image.

Axes: b batch, h height, w width, c channels; steps t in i32[b].
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax.diffusion.process import Images, Steps, at, posterior, split
from adjax.diffusion.schedules import Schedule

HYBRID_WEIGHT = 1e-3  # of "bound" beside "simple" (Nichol, Dhariwal 2021, equation 16)
HALF_BIN = 1 / 255  # of the grey levels of 8 bits in [-1, 1]


def term_simple(prediction: Images, target: Images) -> Float[Array, "b"]:
    """Mean squared error; without predicting anything it is the mean square of the target, 0.256 for simplex noise."""
    return _mean((prediction.astype(jnp.float32) - target) ** 2)


def terms_hybrid(
    schedule: Schedule, output: Float[Array, "b h w 2*c"], x0: Images, noise: Images, xt: Images, t: Steps
) -> dict[str, Float[Array, "b"]]:
    """For a network that says the noise and, in as many channels more, where its variance lies (`log_variance`).

    "bound" estimates the whole variational bound in bits per value, less the constant of the last step, if t is
    uniform over all steps; it teaches the variance only: the mean has no gradient in it.
    """
    epsilon, place = jnp.split(output.astype(jnp.float32), 2, axis=-1)
    guess = split(schedule, jax.lax.stop_gradient(epsilon), xt, t, "epsilon").x0
    mean, _ = posterior(schedule, guess, xt, t)
    bound = term_bound(schedule, x0, xt, mean, log_variance(schedule, place, t), t)
    return {"simple": term_simple(epsilon, noise), "bound": bound * (schedule.steps / math.log(2))}


def log_variance(schedule: Schedule, place: Images, t: Steps) -> Images:
    """Between that of the posterior, where place = -1, and log β, where it is 1 (Nichol, Dhariwal 2021, equation 15).

    The posterior's variance is 0 at step 1: there that of step 2 is taken.
    """
    variance = schedule.beta[1:] * (schedule.sigma[:-1] / schedule.sigma[1:]) ** 2
    low = np.log(np.concatenate([variance[1:2], variance[1:2], variance[1:]]))
    high = np.log(np.concatenate([schedule.beta[1:2], schedule.beta[1:]]))
    share = (place + 1) / 2
    return share * at(high, t) + (1 - share) * at(low, t)


def term_bound(
    schedule: Schedule, x0: Images, xt: Images, mean: Images, log_variance: Images, t: Steps
) -> Float[Array, "b"]:
    """One step's part of the bound, in nats per value, for the model N(mean, exp(log_variance)) of x_{t-1}.

    The divergence from the posterior; at step 1 the negative log-likelihood of the image's 8-bit grey levels.
    """
    true_mean, variance = posterior(schedule, x0, xt, t)
    true_log = jnp.log(jnp.where(variance > 0, variance, 1.0))
    divergence = kl(true_mean, true_log, mean, log_variance)
    return jnp.where(t == 1, _mean(decoder(x0, mean, log_variance)), _mean(divergence))


def kl(mean1: Array, log_variance1: Array, mean2: Array, log_variance2: Array) -> Array:
    """KL(N1 || N2) of every value, in nats."""
    ratio = log_variance1 - log_variance2
    return 0.5 * (jnp.expm1(ratio) - ratio + (mean1 - mean2) ** 2 * jnp.exp(-log_variance2))


def decoder(x0: Images, mean: Images, log_variance: Images) -> Images:
    """-log of the Gaussian's mass in the bin of a grey level; the outermost bins reach to infinity (Ho et al. 2020)."""
    scale = jnp.exp(-0.5 * log_variance)
    # From the side that x0 lies on: near 1 the distribution function has no digits left for a difference.
    side = jnp.where(x0 > mean, -1.0, 1.0)
    low, high = ((x0 - mean) * side - HALF_BIN) * scale, ((x0 - mean) * side + HALF_BIN) * scale
    outermost = jnp.abs(x0) > 1 - HALF_BIN
    below = jnp.where(outermost & (x0 * side < 0), 0.0, jax.scipy.special.ndtr(low))
    above = jnp.where(outermost & (x0 * side > 0), 1.0, jax.scipy.special.ndtr(high))
    return -jnp.log(jnp.maximum(above - below, 1e-12))


def _mean(values: Images) -> Float[Array, "b"]:
    return values.mean((1, 2, 3))
