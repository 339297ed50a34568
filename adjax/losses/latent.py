"""The two halves of a variational autoencoder's bound: how well it rebuilds, and what its code costs. In nats.

Axes: b batch, d latent; `...` what remains of a batch, summed over.

The negative evidence lower bound of one image is `term_gaussian` (or `term_bernoulli`) + beta `term_kl`. Where the
reconstruction is a mean over pixels instead, weigh the KL by `kl_weight`.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def term_kl(
    mean: Float[Array, "b ..."], log_variance: Float[Array, "b ..."], *, free_nats: float = 0.0
) -> Float[Array, "b"]:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), summed over all latent dimensions (Kingma, Welling 2013).

    With `free_nats` no dimension counts less than that (Kingma et al. 2016, per dimension and image): it then has
    no gradient, and the minimum isn't 0. exp(log_variance) overflows at 88: bound it in the encoder.
    """
    mean, log_variance = mean.astype(jnp.float32), log_variance.astype(jnp.float32)
    # expm1(v) - v keeps its digits where the variance is almost 1.
    kl = 0.5 * (mean**2 + (jnp.expm1(log_variance) - log_variance))
    if free_nats:
        kl = jnp.maximum(kl, free_nats)
    return _sum(kl)


def term_gaussian(
    pred: Float[Array, "b ..."], target: Float[Array, "b ..."], *, sigma: float = math.sqrt(0.5)
) -> Float[Array, "b"]:
    """-log N(target; pred, sigma²), summed over pixels and channels. sigma² = 1/2 is the sum of squared errors.

    The normalising constant is included, so values for different sigma can be compared; it may be negative.
    """
    squared = (pred.astype(jnp.float32) - target.astype(jnp.float32)) ** 2
    return _sum(squared / (2 * sigma**2) + 0.5 * math.log(2 * math.pi * sigma**2))


def term_bernoulli(logits: Float[Array, "b ..."], target: Float[Array, "b ..."]) -> Float[Array, "b"]:
    """Binary cross-entropy with targets in [0, 1], summed over pixels and channels.

    Trap: for targets between 0 and 1 its minimum isn't 0 but their entropy.
    """
    logits, target = logits.astype(jnp.float32), target.astype(jnp.float32)
    return _sum(jax.nn.softplus(logits) - target * logits)


def kl_weight(beta: float, pixels: int, *, sigma: float = math.sqrt(0.5)) -> float:
    """The weight of `term_kl` beside a MEAN squared error over `pixels` values, for beta-VAE's bound at sigma.

    `term_gaussian + beta term_kl` is, but for a factor and a constant, `mean + kl_weight(...) term_kl`.
    """
    return beta * 2 * sigma**2 / pixels


def _sum(x: Array) -> Float[Array, "b"]:
    return x.reshape(x.shape[0], -1).sum(1)
