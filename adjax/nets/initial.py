"""Random starts that are not Flax's.

Axes: b batch, h height, w width, c channels, f features.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import traverse_util
from jaxtyping import Array, Float

from adjax.nets.conv import Conv
from adjax.types import Key

he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def restarted(key: Key, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of the same shapes as torchvision's networks begin: kernels normal with variance 2 / fan-out (He et al.
    2015), scales, those of whole layers too, and running variances 1, all else 0."""
    leaves = traverse_util.flatten_dict(dict(variables))
    fresh = {path: _fresh(jax.random.fold_in(key, i), path, leaf) for i, (path, leaf) in enumerate(leaves.items())}
    return traverse_util.unflatten_dict(fresh)


def _fresh(key: Key, path: tuple[str, ...], leaf: jax.Array) -> jax.Array:
    if path[-1] == "kernel":
        return he_normal(key, leaf.shape, jnp.float32)
    return jnp.full(leaf.shape, path[-1].endswith(("scale", "var", "gamma")), jnp.float32)


def plain_conv(
    x: Float[Array, "b h w c"],
    features: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    padding: int = 0,
    name: str | None = None,
    dilation: int = 1,
) -> Float[Array, "b h2 w2 f"]:
    """`nn.Conv` of the module that calls it, begun as PyTorch's: kernel and bias uniform within ± 1 / sqrt(fan-in)."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    limit = 1 / math.sqrt(math.prod(sides) * x.shape[-1])
    start = lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -limit, limit)
    settings = {"kernel_dilation": dilation, "kernel_init": start, "bias_init": start, "name": name}
    return Conv(features, sides, stride, padding, **settings)(x)
