"""PyTorch's names and layouts -> Flax's.

A network's parameters have the names of the publisher's, but for what its renaming rules say: (pattern, replacement)
pairs that are applied to the path, of which / has become a dot. Kernels: (out, in, h, w) -> (h, w, in, out).
"""

import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from adjax.backbones.weights import Weights
from adjax.types import UserError

Rules = tuple[tuple[str, str], ...]

LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}


def published_name(path: tuple[str, ...], rules: Rules) -> str:
    """`path`: of a leaf, with its collection: ("params", "layer1_0", "conv1", "kernel") -> layer1.0.conv1.weight."""
    name = ".".join((*path[1:-1], LEAVES.get(path[-1], path[-1])))
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def published_shape(path: tuple[str, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if path[-1] != "kernel":
        return shape
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape[::-1]


def to_variables(weights: Weights, like: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """f32 variables in the structure and shapes of `like`. What it does not ask for (a head, counters) is left out."""
    found, problems = {}, []
    for path, leaf in traverse_util.flatten_dict(dict(like)).items():
        name, shape = published_name(path, rules), published_shape(path, leaf.shape)
        if name not in weights:
            problems.append(f"{name} is missing")
        elif weights[name].shape != shape:
            problems.append(f"{name} is {weights[name].shape} instead of {shape}")
        else:
            found[path] = _transposed(path, weights[name]).astype(np.float32)
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UserError(f"the weights are of another network: {'; '.join(problems[:3])}{more}")
    return jax.tree.map(jax.numpy.asarray, traverse_util.unflatten_dict(found))


def to_published(variables: Mapping[str, Any], rules: Rules) -> dict[str, np.ndarray]:
    """The reverse of `to_variables`."""
    leaves = traverse_util.flatten_dict(dict(variables))
    return {published_name(path, rules): _published(path, np.asarray(value)) for path, value in leaves.items()}


def _transposed(path: tuple[str, ...], value: np.ndarray) -> np.ndarray:
    if path[-1] != "kernel":
        return value
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T


def _published(path: tuple[str, ...], value: np.ndarray) -> np.ndarray:
    if path[-1] != "kernel":
        return value
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
