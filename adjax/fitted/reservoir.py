"""A uniform random sample of a stream of vectors, of fixed capacity (Vitter 1985, algorithm R).

Axes: n capacity, d dimensions, r rows of a batch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from adjax.types import Key


class Reservoir(NamedTuple):
    rows: Float[Array, "n d"]
    seen: Int[Array, ""]  # vectors so far; the first min(seen, n) rows hold some


def empty(capacity: int, dimensions: int) -> Reservoir:
    return Reservoir(jnp.zeros((capacity, dimensions)), jnp.int32(0))


def fill(reservoir: Reservoir, rows: Float[Array, "r d"], real: Bool[Array, "r"], key: Key) -> Reservoir:
    """While there is room, row after row in order; after that, each takes a random place with probability n / seen."""
    capacity = len(reservoir.rows)
    number = reservoir.seen + jnp.cumsum(real.astype(jnp.int32)) - 1
    place = jnp.where(number < capacity, number, jax.random.randint(key, number.shape, 0, jnp.maximum(number, 0) + 1))
    place = jnp.where(real & (place < capacity), place, capacity)
    # Of two rows for one place the later: left to the scatter, it would be either on an accelerator.
    order = jnp.arange(len(rows), dtype=jnp.int32)
    last = jnp.full(capacity + 1, -1, jnp.int32).at[place].max(order)
    place = jnp.where(last[place] == order, place, capacity)
    return Reservoir(reservoir.rows.at[place].set(rows, mode="drop"), reservoir.seen + real.sum(dtype=jnp.int32))


def contents(reservoir: Reservoir) -> Float[Array, "m d"]:
    """What it holds; on the host, since the number is not known to the compiler."""
    return reservoir.rows[: min(int(reservoir.seen), len(reservoir.rows))]
