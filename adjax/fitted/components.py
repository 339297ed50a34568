"""Principal components, in float64 on the host.

Axes: n vectors, k components, d dimensions.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from adjax.types import UserError

KEPT = ("all", "leading", "trailing")


class Components(NamedTuple):
    mean: Float[np.ndarray, "d"]
    axes: Float[np.ndarray, "k d"]  # of unit length, the largest variance first
    spread: Float[np.ndarray, "k"]  # standard deviation along each


def components(x: Float[np.ndarray, "n d"], keep: str = "leading", variance: float = 0.95) -> Components:
    """The "leading" ones that explain the share `variance`, or the "trailing" others, the one at the cut in both; or
    "all" that the vectors span."""
    if keep not in KEPT:
        raise UserError(f"unknown components {keep!r}; choose from {', '.join(KEPT)}")
    x = np.asarray(x, np.float64)
    mean = x.mean(0)
    centred = x - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / len(x))
    variances, axes = variances[::-1], axes.T[::-1]
    rank = int((variances > variances[0] * 1e-12).sum())  # features are float32: what is below is rounding
    if rank == 0:
        raise UserError(f"no principal components of {len(x)} vectors that are all alike")
    shares = np.cumsum(variances[:rank]) / variances[:rank].sum()
    cut = min(int(np.searchsorted(shares, variance)), rank - 1)
    chosen = {"all": slice(rank), "leading": slice(cut + 1), "trailing": slice(cut, rank)}[keep]
    return Components(mean, axes[chosen], np.sqrt(variances[chosen]))
