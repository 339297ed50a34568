"""Many members of one kind as one state, whose leaves have a leading axis of members.

Axes: m members.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax


def vmapped(function: Callable) -> Callable:
    """(members, *shared) -> the outputs of function(member, *shared), stacked: `jax.vmap` over the first argument.

    Convolutions with a kernel for each member become grouped ones, at which XLA's CPU backend is much slower than at
    one after another: there the members are.
    """

    def unrolled(members, *shared):
        number = len(jax.tree.leaves(members)[0])
        found = [function(jax.tree.map(lambda leaf: leaf[m], members), *shared) for m in range(number)]  # noqa: B023
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)

    def stacked(members, *shared):
        together = jax.vmap(function, in_axes=(0, *(None for _ in shared)))
        return lax.platform_dependent(members, *shared, cpu=unrolled, default=together)

    return stacked
