"""Of descriptors: near for patches that look alike, each component saying its own, and how far networks disagree.

Axes: n patches, d components of a descriptor, m networks, b batch, h height, w width.

Bergmann, Fauser, Sattlegger, Steger 2020, arXiv 1911.02357.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

SMALLEST = 1e-6  # of a component's variance: what never varies is correlated with nothing


def triplet(
    anchor: Float[Array, "n d"], positive: Float[Array, "n d"], negative: Float[Array, "n d"], *, margin: float = 10.0
) -> Float[Array, "n"]:
    """max(0, margin + d⁺ - d⁻) of squared distances, d⁻ the smaller one of the negative's to anchor and positive."""
    away = jnp.minimum(_squared(anchor, negative), _squared(positive, negative))
    return jax.nn.relu(margin + _squared(anchor, positive) - away)


def _squared(a: Float[Array, "n d"], b: Float[Array, "n d"]) -> Float[Array, "n"]:
    return ((a - b) ** 2).sum(-1)


def correlation(x: Float[Array, "n d"]) -> Float[Array, "d d"]:
    """Of the components over the patches. Public code correlates the patches over the components, which is another
    loss."""
    x = x - x.mean(0, keepdims=True)
    x = x / jnp.sqrt((x**2).mean(0, keepdims=True) + SMALLEST)
    return jnp.matmul(x.T, x, precision=jax.lax.Precision.HIGHEST) / len(x)


def compactness(x: Float[Array, "n d"]) -> Float[Array, ""]:
    """The sum of the squared correlations of different components. The paper's plain sum can be below 0, where
    components that contradict each other would be a gain."""
    off = 1.0 - jnp.eye(x.shape[1], dtype=x.dtype)
    return ((correlation(x) * off) ** 2).sum()


def disagreement(
    answers: Float[Array, "m b h w d"], wanted: Float[Array, "b h w d"]
) -> tuple[Float[Array, "b h w"], Float[Array, "b h w"]]:
    """|mean answer - wanted|², and the answers' variance: the mean of |answer - mean answer|².

    The mean is taken from the first answer on: where all are equal so is their mean, and there is no variance at all.
    """
    mean = answers[0] + (answers - answers[:1]).mean(0)
    return ((mean - wanted) ** 2).sum(-1), ((answers - mean[None]) ** 2).sum(-1).mean(0)
