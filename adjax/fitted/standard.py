"""Features on one scale before a one-class model sees them: standardised, and if wanted whitened principal components.

Axes: n vectors, d dimensions, k components.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.preprocessing import StandardScaler

from adjax.fitted.components import components as principal


class Standard(NamedTuple):
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]  # standard deviation, 1 where it is 0
    axes: Float[Array, "d k"] | None  # divided by their deviations; None: the dimensions as they are


def empty(dimensions: int, components: int) -> Standard:
    axes = jnp.zeros((dimensions, 1)) if components else None
    return Standard(jnp.zeros(dimensions), jnp.ones(dimensions), axes)


def fit(x: Float[np.ndarray, "n d"], components: int = 0) -> Standard:
    """`components`: principal ones to keep, at most as many as the vectors have; 0: no rotation at all."""
    x = np.asarray(x, np.float64)
    scaler = StandardScaler().fit(x)
    axes = None
    if components:
        found = principal(scaler.transform(x), "all")
        axes = jnp.asarray(found.axes[:components].T / found.spread[None, :components], jnp.float32)
    return Standard(jnp.asarray(scaler.mean_, jnp.float32), jnp.asarray(scaler.scale_, jnp.float32), axes)


def apply(standard: Standard, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
    x = (x - standard.mean[None]) / standard.scale[None]
    return x if standard.axes is None else jnp.matmul(x, standard.axes, precision=jax.lax.Precision.HIGHEST)
