"""Local outlier factor (Breunig et al. 2000): how much thinner it is around a vector than around its neighbours.

Axes: n vectors, b queries, k neighbours, d dimensions.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.neighbors import NearestNeighbors

from adjax.fitted.neighbours import nearest
from adjax.types import UserError

TINY = 1e-10  # as scikit-learn has it: repeated vectors are no reason to divide by 0


class Lof(NamedTuple):
    rows: Float[Array, "n d"]
    reach: Float[Array, "n"]  # distance to the k-th neighbour
    density: Float[Array, "n"]


def fit(x: Float[np.ndarray, "n d"], *, neighbours: int = 20) -> Lof:
    """Of the vectors among themselves; at most n - 1 neighbours, as scikit-learn limits them."""
    if len(x) < 2:
        raise UserError("the local outlier factor needs two images to learn from at least")
    distances, indices = (
        NearestNeighbors(n_neighbors=count(len(x), neighbours)).fit(np.asarray(x, np.float64)).kneighbors()
    )
    reach = distances[:, -1]
    density = 1 / (np.maximum(distances, reach[indices]).mean(1) + TINY)
    return Lof(*(jnp.asarray(part, jnp.float32) for part in (x, reach, density)))


def count(rows: int, neighbours: int) -> int:
    return min(neighbours, rows - 1)


def score(lof: Lof, x: Float[Array, "b d"], *, neighbours: int = 20) -> Float[Array, "b"]:
    """About 1 within, more outside."""
    distances, indices = nearest(x, lof.rows, count(len(lof.rows), neighbours))
    own = 1 / (jnp.maximum(distances, lof.reach[indices]).mean(1) + TINY)
    return lof.density[indices].mean(1) / own
