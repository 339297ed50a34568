"""How sharply a memory is addressed.

Axes: b batch, n items of the memory; `...` places of the code.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def term_entropy(weights: Float[Array, "b ... n"]) -> Float[Array, "b"]:
    """Entropy of the weights over the items, in nats, averaged over the places (Gong et al. 2019).

    A place that addresses nothing, all its weights being 0, counts as 0.
    """
    entropy = -(weights * jnp.log(weights + 1e-12)).sum(-1)
    return entropy.reshape(len(entropy), -1).mean(1)
