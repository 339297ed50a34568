"""Kernel density with a Gaussian of one width, on whitened features.

Axes: n vectors, b queries, d dimensions.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.neighbors import KernelDensity

from adjax.fitted.neighbours import squared_distances
from adjax.types import UserError

RULES = ("scott", "silverman")


class Kde(NamedTuple):
    rows: Float[Array, "n d"]
    bandwidth: Float[Array, ""]


def fit(x: Float[np.ndarray, "n d"], *, bandwidth: str | float = "scott") -> Kde:
    """`bandwidth`: the kernel's standard deviation, or the rule of "scott" or "silverman" for whitened data."""
    check(bandwidth)
    density = KernelDensity(bandwidth=bandwidth).fit(np.asarray(x, np.float64))
    return Kde(jnp.asarray(x, jnp.float32), jnp.float32(density.bandwidth_))


def check(bandwidth: str | float) -> None:
    if isinstance(bandwidth, str) and bandwidth not in RULES:
        raise UserError(f"unknown bandwidth {bandwidth!r}; choose from {', '.join(RULES)}, or a number")
    if not isinstance(bandwidth, str) and not bandwidth > 0:
        raise UserError(f"bandwidth {bandwidth} is not above 0")


def score(kde: Kde, x: Float[Array, "b d"]) -> Float[Array, "b"]:
    """The negative logarithm of the density; it never leaves the logarithms, so nothing underflows."""
    n, d = kde.rows.shape
    exponents = -0.5 * squared_distances(x, kde.rows) / kde.bandwidth**2
    constant = math.log(n) + d * (jnp.log(kde.bandwidth) + 0.5 * math.log(2 * math.pi))
    return constant - jax.nn.logsumexp(exponents, axis=1)
