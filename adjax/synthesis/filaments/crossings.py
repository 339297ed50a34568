"""Where strands cross, by exact intersection of their centre lines. Runs on the host, with NumPy and SciPy.

Axes: f strand, v vertex, a vertex attribute (raster.py), n crossing.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree


class Crossings(NamedTuple):
    x: Float[np.ndarray, "n"]  # px
    y: Float[np.ndarray, "n"]
    angle: Float[np.ndarray, "n"]  # degrees, 0-90
    lower: Int[np.ndarray, "n"]  # painter's index
    upper: Int[np.ndarray, "n"]


def find(vertices: Float[np.ndarray, "f v a"], size: int) -> Crossings:
    """All crossings inside the canvas; a strand's crossings with itself are not among them."""
    start, end = vertices[:, :-1], vertices[:, 1:]
    live = (start[..., 2] > 0) & (end[..., 2] > 0)
    f = np.broadcast_to(np.arange(len(vertices))[:, None], live.shape)[live]
    p, q = start[live][:, :2].astype(np.float64), end[live][:, :2].astype(np.float64)
    middle = (p + q) / 2
    inside = np.all((middle > -8) & (middle < size + 8), axis=1)
    f, p, q, middle = f[inside], p[inside], q[inside], middle[inside]
    step = q - p
    reach = float(np.sqrt(np.max(np.sum(step**2, axis=1), initial=1.0)))
    i, j = cKDTree(middle).query_pairs(reach, output_type="ndarray").T if len(middle) > 1 else np.zeros((2, 0), int)
    i, j = (k[f[i] != f[j]] for k in (i, j))
    cross = step[i, 0] * step[j, 1] - step[i, 1] * step[j, 0]
    apart = p[j] - p[i]
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (apart[:, 0] * step[j, 1] - apart[:, 1] * step[j, 0]) / cross
        t = (apart[:, 0] * step[i, 1] - apart[:, 1] * step[i, 0]) / cross
    meet = (s >= 0) & (s < 1) & (t >= 0) & (t < 1)
    i, j, s, cross = i[meet], j[meet], s[meet], cross[meet]
    at = p[i] + s[:, None] * step[i]
    sine = np.abs(cross) / np.linalg.norm(step[i], axis=1) / np.linalg.norm(step[j], axis=1)
    angle = np.degrees(np.arcsin(np.clip(sine, 0, 1)))
    shown = np.all((at >= 0) & (at <= size - 1), axis=1)
    lower, upper = np.minimum(f[i], f[j]), np.maximum(f[i], f[j])
    return Crossings(at[shown, 0], at[shown, 1], angle[shown], lower[shown], upper[shown])
