"""Features on one scale before a one-class model sees them: standardised, and if wanted whitened principal components.

Axes: n vectors, d dimensions, k components.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.preprocessing import StandardScaler

SMALLEST = 1e-5  # of the largest standard deviation: what is below is rounding of float32


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
        _, deviations, rows = np.linalg.svd(scaler.transform(x), full_matrices=False)
        kept = deviations[:components] > SMALLEST * max(deviations[0], 1e-30)
        kept[0] = True  # of vectors that are all equal, one that says nothing
        deviations = np.maximum(deviations[:components][kept] / max(len(x) - 1, 1) ** 0.5, SMALLEST)
        axes = jnp.asarray(rows[:components][kept].T / deviations, jnp.float32)
    return Standard(jnp.asarray(scaler.mean_, jnp.float32), jnp.asarray(scaler.scale_, jnp.float32), axes)


def apply(standard: Standard, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
    x = (x - standard.mean[None]) / standard.scale[None]
    return x if standard.axes is None else jnp.matmul(x, standard.axes, precision=jax.lax.Precision.HIGHEST)
