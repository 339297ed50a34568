"""Greedy k-centre: the subset that covers a set of points best (Gonzalez 1985; PatchCore's coreset).

Axes: n points, d dimensions, m chosen.

Every pick is the point farthest from all picks before it, the first of them where several are equally far. That
covers the set with at most twice the smallest possible radius. The n x n distances are never stored, and squares of
differences are summed, never |a|² + |b|² - 2ab, whose rounding would decide the picks.
"""

import logging
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int
from tqdm import tqdm

from adjax import parallel
from adjax.types import Key, UserError

BLOCK = 32  # dimensions that are summed before the sum is looked at
BATCH, FEWEST = 256, 500  # centres that the others meet together, and candidates for them


def coreset(
    points: Float[Array, "n d"], size: int, key: Key, *, projection: int = 0, progress: bool = True
) -> Int[Array, "m"]:
    """The indices of `size` points, from a random one on. `projection`: dimensions to measure distances in; 0, all.

    Pruned on the host where the CPU is the only device, else one compiled loop on the accelerators, each of which
    holds its share of the points.
    """
    if not 1 <= size <= len(points):
        raise UserError(f"a coreset of {size} out of {len(points)} points; choose 1 to {len(points)}")
    k_first, k_project = jax.random.split(key)
    first = int(jax.random.randint(k_first, (), 0, len(points)))
    if projection:
        points = project(jnp.asarray(points), projection, k_project)
    if jax.default_backend() == "cpu":
        return pruned(np.asarray(points), size, first, progress=progress)
    return spread(np.asarray(points), size, first, parallel.mesh(jax.local_devices()))


def spread(points: Float[np.ndarray, "n d"], size: int, first: int, grid: Mesh) -> Int[np.ndarray, "m"]:
    """`compiled`, with the points shared out among the devices. Copies of the first pick make their number even: no
    copy is picked while any other point is left."""
    points = np.concatenate([points, np.repeat(points[[first]], -len(points) % grid.size, 0)])
    shared = parallel.put({"points": points}, grid)["points"]
    whole = parallel.whole(grid)
    run = jax.jit(compiled, static_argnums=1, out_shardings=whole)
    return np.asarray(run(shared, size, jax.device_put(jnp.int32(first), whole)))


def project(points: Float[Array, "n d"], dimensions: int, key: Key) -> Float[Array, "n k"]:
    """Random linear projection, uniform weights in ±1/√d as PatchCore's code draws them."""
    bound = points.shape[1] ** -0.5
    weights = jax.random.uniform(key, (points.shape[1], dimensions), minval=-bound, maxval=bound)
    return jnp.matmul(points, weights, precision=jax.lax.Precision.HIGHEST)


def compiled(points: Float[Array, "n d"], size: int, first: Int[Array, ""]) -> Int[Array, "m"]:
    """The rule as it stands: one pass over all points for each pick. Points may be shared out among devices."""

    def step(number, carry):
        chosen, nearest = carry
        new = points[chosen[number - 1]]
        nearest = jnp.minimum(nearest, ((points - new[None]) ** 2).sum(1))
        return chosen.at[number].set(jnp.argmax(nearest).astype(jnp.int32)), nearest

    chosen = jnp.zeros(size, jnp.int32).at[0].set(first)
    return jax.lax.fori_loop(1, size, step, (chosen, jnp.full(len(points), jnp.inf)))[0]


def pruned(points: Float[np.ndarray, "n d"], size: int, first: int, *, progress: bool = False) -> Int[np.ndarray, "m"]:
    """The same picks in less time, on all cores of the host.

    Distances to the centres only fall, so the next picks are among the points that are farthest now, as long as one
    of them stays farther than all others were. The others meet the new centres together, a block in the cache at a
    time. A point that is at most half as far from its centre as a new centre is stays with it without a distance
    being computed, and a sum ends when it exceeds what it is compared with.
    """
    from adjax.fitted import pruning  # numba is loaded where it is needed: accelerators do without

    points, n = _laid_out(points), len(points)
    chosen, done = np.full(size, first, np.int64), 1
    nearest, owner = np.full(n, np.inf, np.float32), np.zeros(n, np.int64)
    pruning.absorb(points, points[[first]], 0, np.zeros((1, 1), np.float32), nearest, owner)
    some = min(n, max(FEWEST, n // 50))
    with tqdm(total=size, initial=1, desc="coreset", unit="point", mininterval=1.0, disable=not progress) as bar:
        while done < size:
            start, chosen[done] = done, nearest.argmax()
            candidates = np.sort(np.argpartition(nearest, n - some)[n - some :])
            above = np.float32(-1) if some == n else np.delete(nearest, candidates).max()
            end = min(size, done + BATCH)
            done = pruning.pick(points, candidates, nearest[candidates], above, chosen, done + 1, end)
            centres = points[chosen[:done]]
            pruning.absorb(points, centres, start, pruning.between(centres, start), nearest, owner)
            bar.update(done - start)
    return chosen


def _laid_out(points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k l"]:
    """A copy in blocks of 32, the dimensions of largest variance first, so that sums end early; padded with zeros."""
    order = np.argsort(-points.var(0), kind="stable")
    wide = np.zeros((len(points), -(-points.shape[1] // BLOCK) * BLOCK), np.float32)
    wide[:, : len(order)] = points[:, order]
    return wide.reshape(len(points), -1, BLOCK)


def affordable(rows: int, channels: int, memory_mb: float, log: Callable = logging.info) -> int:
    """How many of `rows` features can be kept within `memory_mb`, of which selecting from them takes half; 0: all."""
    if not memory_mb:
        return rows
    fits = int(memory_mb * 2**20 / (2 * 4 * channels))
    if fits < 1:
        raise UserError(f"memory_mb={memory_mb} holds no feature of {channels} channels; choose a larger one")
    chosen = min(rows, fits)
    what = "all" if chosen == rows else f"a random {chosen}"
    log("memory_mb=%g: %s of %d features of %d channels are kept", memory_mb, what, rows, channels)
    return chosen
