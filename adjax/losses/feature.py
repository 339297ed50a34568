"""Losses between the features of a network, which is an argument.

Axes: b batch, h height, w width, c channels; h2 w2 c2 those of a feature map.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from adjax.losses.filters import spatial_mean
from adjax.losses.pixel import map_l2

ROOT = 1e-6  # under the square root of a vector's length
FeatureFn = Callable[[Float[Array, "b h w c"]], Sequence[Float[Array, "b h2 w2 c2"]]]


def map_cosine(pred: Float[Array, "b h w c"], target: Float[Array, "b h w c"]) -> Float[Array, "b h w"]:
    """1 - cos of the angle between the channel vectors, from 0 to 2, computed as |u - v|²/2 of the unit vectors.

    That form is exactly 0 at equality and loses no digits near it. Vectors shorter than about 1e-3 stay shorter
    than unit length, which bounds the gradient: two zero vectors agree, one of them against another gives 1/2.
    """
    return ((_unit(pred) - _unit(target)) ** 2).sum(-1) / 2


def term_perceptual(
    pred: Float[Array, "b h w c"],
    target: Float[Array, "b h w c"],
    *,
    features: FeatureFn,
    weights: Sequence[float] | None = None,
) -> Float[Array, "b"]:
    """The weighted sum over layers of the mean squared difference of features; weights of 1 by default.

    Johnson, Alahi, Fei-Fei 2016. `features` normalises images in [0, 1] and maps their channels as its network
    wants them.
    """
    return sum(
        weight * spatial_mean(layer[..., None])[:, 0] for weight, layer in _layers(pred, target, features, weights)
    )


def map_perceptual(
    pred: Float[Array, "b h w c"],
    target: Float[Array, "b h w c"],
    *,
    features: FeatureFn,
    weights: Sequence[float] | None = None,
) -> Float[Array, "b h w"]:
    """The layers' squared differences, resized to the image bilinearly, summed as in `term_perceptual`."""
    return sum(
        weight * jax.image.resize(layer, pred.shape[:3], "linear", antialias=False)
        for weight, layer in _layers(pred, target, features, weights)
    )


def _layers(
    pred: Array, target: Array, features: FeatureFn, weights: Sequence[float] | None
) -> list[tuple[float, Float[Array, "b h2 w2"]]]:
    pairs = list(zip(features(pred), features(target)))
    weights = (1.0,) * len(pairs) if weights is None else weights
    if len(weights) != len(pairs):
        raise ValueError(f"{len(weights)} weights for {len(pairs)} feature layers")
    return [(weight, map_l2(*pair)) for weight, pair in zip(weights, pairs)]


def _unit(x: Array) -> Array:
    x = x.astype(jnp.float32)
    return x / jnp.sqrt((x**2).sum(-1, keepdims=True) + ROOT)
