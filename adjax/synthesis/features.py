"""Anomalies planted in features instead of images: SimpleNet's noise, GLASS's ascent and shells.

Axes: d channels of a feature vector; whatever stands before d is places.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from adjax.types import Key


def gaussian(
    key: Key, features: Float[Array, "*p d"], sigma: float = 0.015, where: Bool[Array, "*p"] | None = None
) -> Float[Array, "*p d"]:
    """features + N(0, sigma²): everywhere (SimpleNet, arXiv 2303.15140), or where a mask says (SuperSimpleNet)."""
    noise = sigma * jax.random.normal(key, features.shape, features.dtype)
    return features + (noise if where is None else jnp.where(where[..., None], noise, 0.0))


def shell(
    features: Float[Array, "*p d"], centre: Float[Array, "*p d"], low: float | Array = 0.5, high: float | Array = 1.0
) -> Float[Array, "*p d"]:
    """Moved along their rays from the centre into distances [low, high]; what lies at the centre stays there."""
    offset = features - centre
    distance = jnp.linalg.norm(offset, axis=-1, keepdims=True)
    return centre + offset * (jnp.clip(distance, low, high) / jnp.maximum(distance, 1e-12))


def ascend(
    features: Float[Array, "*p d"],
    loss: Callable[[Float[Array, "*p d"]], Float[Array, "*p"]],
    centre: Float[Array, "*p d"],
    *,
    radii: tuple[float | Array, float | Array] = (0.5, 1.0),
    steps: int = 20,
    rate: float = 1e-3,
    every: int = 5,
) -> Float[Array, "*p d"]:
    """GLASS's global anomalies (arXiv 2407.09359): noisy features climb `loss` by steps of length `rate`, and every so
    many steps go back to the shell around `centre`: radii (0.5, 1) around the clean feature (manifold hypothesis), or
    (r, 2r) around the mean one (hypersphere). `loss` is one value per place, higher = harder to call an anomaly:
    their binary cross-entropy of the discriminator's answer with "anomaly". No gradient flows through the result.
    """
    gradient = jax.grad(lambda f: jnp.sum(loss(f)))

    def step(number, f):
        g = gradient(f)
        f = f + rate * g / jnp.maximum(jnp.linalg.norm(g, axis=-1, keepdims=True), 1e-12)
        return jnp.where((number + 1) % every == 0, shell(f, centre, *radii), f)

    return jax.lax.stop_gradient(jax.lax.fori_loop(0, steps, step, features))
