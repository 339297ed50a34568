"""Random starts of networks that exist already."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import traverse_util

from adjax.types import Key

he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def restarted(key: Key, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of the same shapes as torchvision's networks begin: kernels normal with variance 2 / fan-out (He et al.
    2015), scales and running variances 1, all else 0."""
    leaves = traverse_util.flatten_dict(dict(variables))
    fresh = {path: _fresh(jax.random.fold_in(key, i), path, leaf) for i, (path, leaf) in enumerate(leaves.items())}
    return traverse_util.unflatten_dict(fresh)


def _fresh(key: Key, path: tuple[str, ...], leaf: jax.Array) -> jax.Array:
    if path[-1] == "kernel":
        return he_normal(key, leaf.shape, jnp.float32)
    return jnp.full(leaf.shape, float(path[-1] in ("scale", "var")))
