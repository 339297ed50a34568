"""The teacher of uninformed_students: small networks that describe patches, distilled from a large one.

Axes: b batch, h height, w width, c channels, n patches, p patch side, d components of a description.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float

from adjax import optim
from adjax.losses import descriptors
from adjax.nets.patch_descriptor import LAYERS, PatchDescriptor
from adjax.nets.pdn import window
from adjax.synthesis.crops import triplets
from adjax.types import Batch, Key

Describe = Callable[[Any, Float[Array, "n p p c"]], Float[Array, "n d"]]  # (the large network's variables, patches)


class Teacher(NamedTuple):
    start: Callable[[Key, Any, int], optim.Learner]  # (key, the large network's variables, channels of the images)
    learn: Callable  # (learner, batch, key, the large network's variables) -> learner, scalars


def patch_teacher(
    networks: Mapping[int, PatchDescriptor],
    describe: Describe,
    normalise: Callable,
    *,
    fields: tuple[str, ...],
    crops: int,
    sides: tuple[float, float],
    strengths: Mapping[str, float],
    tx: optax.GradientTransformation,
) -> Teacher:
    """`networks` by patch size; parameters are those of "network" and, for the distillation alone, of "decoder".

    `strengths`: the weights of "distillation", "metric" and "compactness"; what weighs nothing is not computed.
    """
    # Of a single patch every pooling halves.
    single = {size: net.clone(stride=window(LAYERS[size]).stride) for size, net in networks.items()}
    strengths = {name: weight for name, weight in strengths.items() if weight}

    def start(key: Key, variables, channels: int) -> optim.Learner:
        params = {}
        for size, net in single.items():
            k_network, k_decoder = jax.random.split(jax.random.fold_in(key, size))
            patch = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
            like = jax.eval_shape(describe, variables, patch)
            decoder = nn.Dense(like.shape[-1]).init(k_decoder, jnp.zeros((1, net.channels)))
            network = net.init(k_network, jnp.zeros((1, size, size, 3)))
            params[f"patch_{size}"] = {"network": network["params"], "decoder": decoder["params"]}
        return optim.learner(params, tx)

    def terms(params, stats, batch: Batch, key: Key, images, real, variables):
        found = {}
        for size, net in single.items():
            own = params[f"patch_{size}"]
            run = lambda x: net.apply({"params": own["network"]}, normalise(x))[:, 0, 0]  # noqa: B023
            drawn = triplets(jax.random.fold_in(key, size), images, real, crops, size, sides)
            anchor = run(drawn[0])
            if "distillation" in strengths:
                target = describe(variables, drawn[0])
                decoded = nn.Dense(target.shape[-1]).apply({"params": own["decoder"]}, anchor)
                found[f"distillation_{size}"] = ((decoded - target) ** 2).sum(-1)
            if "metric" in strengths:
                found[f"metric_{size}"] = descriptors.triplet(anchor, run(drawn[1]), run(drawn[2]))
            if "compactness" in strengths:
                found[f"compactness_{size}"] = jnp.broadcast_to(descriptors.compactness(anchor), (crops,))
        return found, stats

    weights = {f"{name}_{size}": weight for name, weight in strengths.items() for size in networks}
    descend = optim.gradient_update(terms, tx, loss_weights=weights)

    def learn(net: optim.Learner, batch: Batch, key: Key, variables):
        images = jnp.concatenate([batch[field] for field in fields])
        real = jnp.tile(batch["_mask"], len(fields))
        return descend(net, {"_mask": jnp.ones(crops, bool)}, key, images, real, variables)

    return Teacher(start, learn)
