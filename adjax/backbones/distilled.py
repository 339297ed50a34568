"""Small teachers that are distilled from a large network beforehand, and kept in a file."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from adjax.backbones import RANDOM, random_variables
from adjax.backbones.convert import to_variables
from adjax.backbones.weights import read
from adjax.types import UserError

RULES = ((r"conv_", ""),)
SIDE = 72  # of the image that shows the parameters' shapes: no smaller than any receptive field


def teacher(name: str, module: nn.Module, weights: str | None) -> dict[str, Any]:
    """The variables in the file `weights`, whose names are PyTorch's in a sequence: 0.weight, 0.bias, 3.weight, …

    "random" for a random start, whose features are another experiment.
    """
    image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    like = jax.eval_shape(lambda image: module.init(jax.random.key(0), image), image)
    if weights is None:
        raise UserError(
            f"{name} is a teacher that has to be distilled first: python -m experiments.distill_teacher.run "
            f"--network={name} --source=folder --root=IMAGES --out=FILE.npz, then set config.method.weights=FILE.npz"
        )
    with jax.ensure_compile_time_eval():  # it may be asked for within a trace, whose values must not outlive it
        return random_variables(like, 0) if weights == RANDOM else to_variables(read(weights), like, RULES)
