"""Gaussians, one at each place, from batches: moments merged as Chan et al. (1979) do, never raw sums.

Axes: b batch, p places, i grid height, j grid width, c channels, n vectors, k components, d and e dimensions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from adjax.fitted.components import components
from adjax.types import UserError

HIGHEST = jax.lax.Precision.HIGHEST
SMALLEST = 1e-6  # of a deviation: what never varies


class Moments(NamedTuple):
    count: Float[Array, "p"]
    mean: Float[Array, "p d"]
    scatter: Float[Array, "p d e"]  # sum of (x - mean)(x - mean)ᵀ


def empty(places: int, dimensions: int) -> Moments:
    d = dimensions
    return Moments(jnp.zeros(places), jnp.zeros((places, d)), jnp.zeros((places, d, d)))


def merge(moments: Moments, x: Float[Array, "b p d"], weight: Float[Array, "b p"]) -> Moments:
    """`weight`: 1, or 0 for what does not count; its values may be anything but NaN."""
    count = weight.sum(0)
    mean = (weight[..., None] * x).sum(0) / jnp.maximum(count, 1)[:, None]
    centred = weight[..., None] * (x - mean[None])
    scatter = jnp.einsum("bpd,bpe->pde", centred, centred, precision=HIGHEST)
    total = moments.count + count
    share = count / jnp.maximum(total, 1)
    shift = mean - moments.mean
    between = (moments.count * share)[:, None, None] * shift[:, :, None] * shift[:, None]
    return Moments(total, moments.mean + share[:, None] * shift, moments.scatter + scatter + between)


def merge_channels(moments: Moments, x: Float[Array, "b i j c"], real: Bool[Array, "b i j"]) -> Moments:
    """Of every channel by itself, `c` places of one dimension, over the places of images that are `real`."""
    rows = x.reshape(-1, x.shape[-1], 1)
    return merge(moments, rows, jnp.broadcast_to(real.reshape(-1, 1), rows.shape[:2]).astype(jnp.float32))


def standardised(moments: Moments, x: Float[Array, "b i j c"]) -> Float[Array, "b i j c"]:
    """By `merge_channels`'s means and (biased) standard deviations, at least SMALLEST."""
    deviation = jnp.sqrt(moments.scatter[:, 0, 0] / jnp.maximum(moments.count, 1))
    return (x - moments.mean[None, None, None, :, 0]) / jnp.maximum(deviation, SMALLEST)[None, None, None]


def whitening(moments: Moments, epsilon: float) -> Float[np.ndarray, "p d e"]:
    """W with WᵀW = (scatter / (count - 1) + epsilon)⁻¹, in float64 on the host: with fewer images than dimensions the
    covariance is singular but for epsilon, and a Cholesky factor in float32 can fail. One image has covariance 0."""
    scatter, count = np.asarray(moments.scatter, np.float64), np.asarray(moments.count, np.float64)
    identity = np.eye(scatter.shape[-1])
    found = np.empty(scatter.shape, np.float32)
    for place, (matrix, n) in enumerate(zip(scatter, count)):
        factor = np.linalg.cholesky(matrix / max(n - 1, 1) + epsilon * identity)
        found[place] = np.linalg.solve(factor, identity)
    return found


def mahalanobis(
    x: Float[Array, "b p d"], mean: Float[Array, "p d"], whiten: Float[Array, "p d e"]
) -> Float[Array, "b p"]:
    white = jnp.einsum("pde,bpe->bpd", whiten, x - mean[None], precision=HIGHEST)
    return jnp.sqrt((white**2).sum(-1))


def ledoit_wolf(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "d d"], float]:
    """The covariance shrunk towards the mean variance times the identity, and by how much (Ledoit, Wolf 2004).

    In float64 on the host. S is the biased covariance; |x xᵀ - S|² = (xᵀx)² - 2 xᵀS x + |S|².
    """
    x = np.asarray(x, np.float64)
    n, d = x.shape
    x = x - x.mean(0)
    covariance = x.T @ x / n
    variance, norm = np.trace(covariance) / d, (covariance**2).sum()
    away = norm - d * variance**2  # |S - variance I|²
    noise = ((x**2).sum(1) ** 2 - 2 * ((x @ covariance) * x).sum(1) + norm).sum() / n**2
    shrinkage = min(noise / away, 1.0) if away > 0 else 1.0
    return (1 - shrinkage) * covariance + shrinkage * variance * np.eye(d), float(shrinkage)


def shrunk_whitening(
    x: Float[np.ndarray, "n d"], keep: str = "all", variance: float = 0.99
) -> Float[np.ndarray, "k d"]:
    """W with |W (f - mean)| the Mahalanobis distance by the shrunk covariance, of all dimensions or of `components`."""
    if len(x) < 3 or np.ptp(x, axis=0).max() == 0:
        raise UserError(f"a shrunk covariance needs 3 images that differ; {len(x)} were learned from")
    axes = np.eye(x.shape[1]) if keep == "all" else components(x, keep, variance).axes
    covariance, _ = ledoit_wolf(x @ axes.T)
    return np.linalg.solve(np.linalg.cholesky(covariance), axes).astype(np.float32)
