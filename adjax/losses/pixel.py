"""Losses of single pixels.

Axes: b batch, h height, w width, c channels. Maps are means over the channels, in float32.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def error(pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """pred - target in float32, whatever precision the network computed in."""
    return pred.astype(jnp.float32) - target.astype(jnp.float32)


def map_l2(pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"]) -> Float[Array, "b h w"]:
    """Squared error; not halved, not rooted."""
    return (error(pred, target) ** 2).mean(-1)


def map_l1(pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"]) -> Float[Array, "b h w"]:
    """Absolute error."""
    return jnp.abs(error(pred, target)).mean(-1)


def map_smooth_l1(
    pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"], *, beta: float = 1.0
) -> Float[Array, "b h w"]:
    """e²/(2 beta) below beta, |e| - beta/2 above (Huber's loss divided by beta).

    Trap: on images in [0, 1] the default is half the squared error everywhere.
    """
    e = jnp.abs(error(pred, target))
    return jnp.where(e < beta, e**2 / (2 * beta), e - beta / 2).mean(-1)


def map_charbonnier(
    pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"], *, epsilon: float = 1e-3
) -> Float[Array, "b h w"]:
    """sqrt(e² + epsilon²) - epsilon: the published loss less its constant, so that no error gives 0.

    Like L1 for |e| much larger than epsilon, like e²/(2 epsilon) for smaller ones.
    """
    return (jnp.sqrt(error(pred, target) ** 2 + epsilon**2) - epsilon).mean(-1)
