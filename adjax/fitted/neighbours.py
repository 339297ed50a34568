"""Exact nearest neighbours in bounded memory.

Axes: q queries, n bank, d dimensions, k neighbours, c candidates.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from adjax.types import UserError

LARGEST = 2**25  # distances held at once: 128 MB
ON_CPU, FEWEST = 2**22, 64  # distances that a CPU takes at once, of so many queries or more
SPARE = 4  # candidates beyond k
GROUP = 16  # of the bank, of which the highest is looked at first


def nearest(
    queries: Float[Array, "q d"],
    bank: Float[Array, "n d"],
    k: int = 1,
    *,
    largest: int = LARGEST,
    approximate: float = 0.0,
) -> tuple[Float[Array, "q k"], Int[Array, "q k"]]:
    """Euclidean distances to the k nearest of the bank, in rising order, and their indices.

    |a|² + |b|² - 2ab is a matrix product, but its rounding is of the size of |a|²: it only chooses candidates, of
    vectors from which the bank's mean is taken. Their distances are then computed from differences.

    `approximate`: 0, or the recall in (0, 1) with which candidates are expected to hold the nearest, where that is
    faster than exact search: on TPUs. Other backends, whatever is asked of them, search exactly and more slowly so:
    `recall` measures what was reached.
    """
    if not 1 <= k <= len(bank):
        raise UserError(f"{k} nearest neighbours in a bank of {len(bank)}; choose 1 to {len(bank)}")
    if not 0 <= approximate < 1:
        raise UserError(f"approximate={approximate} is no recall; choose 0 for exact search, or less than 1")
    middle = bank.mean(0, keepdims=True)
    queries, bank = queries - middle, bank - middle
    square = (bank**2).sum(1)[None]
    at_once = max(ON_CPU // len(bank), FEWEST) if jax.default_backend() == "cpu" else len(queries)
    chunks = -(-len(queries) // max(1, min(len(queries), largest // len(bank), at_once)))
    rows = -(-len(queries) // chunks)

    def chunk(queries: Float[Array, "r d"]):
        product = jnp.matmul(queries, bank.T, precision=lax.Precision.HIGHEST)
        likeness, number = 2 * product - square, min(k + SPARE, len(bank))
        if approximate:
            _, candidates = lax.approx_max_k(likeness, number, recall_target=approximate)
        else:
            # The barrier: a CPU would look each candidate up anew for every dimension below.
            candidates = lax.optimization_barrier(highest(likeness, number))
        distances = jnp.sqrt(((queries[:, None] - bank[candidates]) ** 2).sum(-1))
        order = jnp.argsort(distances, axis=1)[:, :k]
        return jnp.take_along_axis(distances, order, 1), jnp.take_along_axis(candidates, order, 1)

    if rows == len(queries):
        return chunk(queries)
    padded = jnp.pad(queries, ((0, chunks * rows - len(queries)), (0, 0))).reshape(chunks, rows, -1)
    found = lax.map(chunk, padded)
    return tuple(part.reshape(chunks * rows, k)[: len(queries)] for part in found)


def highest(likeness: Float[Array, "q n"], number: int) -> Int[Array, "q c"]:
    """The indices of the `number` highest in each row, falling; of equal ones not always the first.

    They lie in the groups whose highest are highest: only those are sorted, not the whole row.
    """
    q, n = likeness.shape
    if n < 4 * GROUP * number:
        return lax.top_k(likeness, number)[1]
    groups = -(-n // GROUP)
    padded = jnp.pad(likeness, ((0, 0), (0, groups * GROUP - n)), constant_values=-jnp.inf)
    _, found = lax.top_k(padded.reshape(q, GROUP, groups).max(1), number)
    members = groups * jnp.arange(GROUP, dtype=found.dtype)[None, None] + found[..., None]
    members = members.reshape(q, number * GROUP)
    _, places = lax.top_k(jnp.take_along_axis(padded, members, 1), number)
    return jnp.take_along_axis(members, places, 1)


def squared_distances(queries: Float[Array, "q d"], bank: Float[Array, "n d"]) -> Float[Array, "q n"]:
    """To all of the bank, from differences: exact near 0, too, and never stored one by one."""
    return ((queries[:, None] - bank[None]) ** 2).sum(-1)


def recall(queries: Float[Array, "q d"], bank: Float[Array, "n d"], k: int, approximate: float) -> Float[Array, ""]:
    """The share of the k nearest that `nearest(..., approximate=approximate)` finds."""
    _, exact = nearest(queries, bank, k)
    _, found = nearest(queries, bank, k, approximate=approximate)
    return (exact[:, :, None] == found[:, None]).any(2).mean(dtype=jnp.float32)


def unit(x: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Of length 1; 0 stays 0. Of such vectors, half the squared distance is 1 - their cosine."""
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
