"""Relaxed contrastive losses: pairs that attract each other by degrees.

Axes: n vectors, d dimensions.

After ReConPatch (Hyun et al. 2024, arXiv 2305.16713). Degrees are of a teacher's vectors and carry no gradient.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

HIGHEST = jax.lax.Precision.HIGHEST


def squared_distances(x: Float[Array, "n d"]) -> Float[Array, "n n"]:
    """By |a|² + |b|² - 2ab around the mean, 0 on the diagonal."""
    x = x - x.mean(0, keepdims=True)
    square = (x**2).sum(1)
    product = jnp.matmul(x, x.T, precision=HIGHEST)
    return jnp.maximum(square[:, None] + square[None] - 2 * product, 0) * (1 - jnp.eye(len(x), dtype=x.dtype))


def neighbourhoods(squared: Float[Array, "n n"], k: int) -> Bool[Array, "n n"]:
    """[i, j]: j is one of the k nearest of i, which counts itself."""
    _, nearest = jax.lax.top_k(-squared, k)
    rows = jnp.arange(len(squared), dtype=nearest.dtype)[:, None]
    return jnp.zeros(squared.shape, bool).at[rows, nearest].set(True)


def contextual(squared: Float[Array, "n n"], k: int) -> Float[Array, "n n"]:
    """How alike the neighbourhoods of two vectors are, averaged over what is near to each: in [0, 1], symmetric.

    The share of the k nearest of i that are of the k nearest of j, if j is one of them; then its mean over the
    k/2 nearest of i that also have i among their k/2 nearest; then the mean of both directions.
    """
    near = neighbourhoods(squared, k)
    counts = near.astype(squared.dtype)
    shared = jnp.where(near, jnp.matmul(counts, counts.T, precision=HIGHEST) / k, 0.0)
    close = neighbourhoods(squared, max(1, k // 2))
    mutual = (close & close.T).astype(squared.dtype)
    expanded = jnp.matmul(mutual, shared, precision=HIGHEST) / mutual.sum(1, keepdims=True)
    return jnp.where(jnp.eye(len(near), dtype=bool), 1.0, (expanded + expanded.T) / 2)  # each is alike itself


def degrees(teacher: Float[Array, "n d"], k: int, sigma: float, alpha: float) -> Float[Array, "n n"]:
    """alpha exp(-|a - b|² / sigma) + (1 - alpha) of the contextual similarity."""
    squared = squared_distances(teacher)
    context = contextual(squared, k)
    return jax.lax.stop_gradient(alpha * jnp.exp(-squared / sigma) + (1 - alpha) * context)


def relaxed_contrastive(z: Float[Array, "n d"], degree: Float[Array, "n n"], margin: float) -> Float[Array, "n"]:
    """For each anchor i: Σ_j w d² + (1 - w) max(margin - d, 0)², d the distance divided by the anchor's mean one.

    The scale of z does not enter. The sum grows with n.
    """
    squared = squared_distances(z)
    # The root of 0 has no gradient: on the diagonal, and where vectors coincide.
    distances = jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)
    d = distances / jnp.maximum(distances.mean(1, keepdims=True), 1e-12)
    return (degree * d**2 + (1 - degree) * jnp.maximum(margin - d, 0) ** 2).sum(1)
