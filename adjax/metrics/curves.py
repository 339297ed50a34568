"""Curves over all thresholds, exact, and the areas under them.

A curve holds every point at which it turns; straight stretches between distinct scores are left out, which
changes no area.

Axes: n points.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from adjax.metrics.ranking import Maps, Masks, Ranking, rank_maps, rank_scores


class Curve(NamedTuple):
    """Points in the order of a falling threshold; at each, the marked scores are those >= `score`."""

    x: Float[np.ndarray, "n"]
    y: Float[np.ndarray, "n"]
    score: Float[np.ndarray, "n"]  # inf where nothing is marked


def roc_curve(scores: Any, labels: Any) -> Curve:
    """True- over false-positive rate, from (0, 0) to (1, 1)."""
    return roc_of(rank_scores(scores, labels))


def pr_curve(scores: Any, labels: Any) -> Curve:
    """Precision over recall at every score where recall grows: a step curve, never to be joined by straight lines."""
    return pr_of(rank_scores(scores, labels))


def pro_curve(maps: Maps, masks: Masks, ignore: Masks | None = None) -> Curve:
    """Mean overlap of the regions over the false-positive rate of all normal pixels (Bergmann et al., IJCV 2021)."""
    return pro_of(rank_maps(maps, masks, ignore))


def roc_of(ranking: Ranking) -> Curve:
    return _rising(ranking, ranking.found / ranking.n_defect)


def pro_of(ranking: Ranking) -> Curve:
    return _rising(ranking, ranking.overlap)


def pr_of(ranking: Ranking) -> Curve:
    found, reached = ranking.found, ranking.reached
    return Curve(found / ranking.n_defect, found / (found + reached), ranking.score)


def _rising(ranking: Ranking, y: Float[np.ndarray, "m"]) -> Curve:
    """Two points for each defective score: before and after it, with the normal scores that tie with it."""
    x = np.append(_pairs(ranking.above, ranking.reached) / ranking.n_normal, 1.0)
    lowest = np.append(_pairs(ranking.before, ranking.score), ranking.lowest)
    y = np.append(_pairs(np.append(0.0, y[:-1]), y), 1.0)
    new = np.append(True, (x[1:] != x[:-1]) | (y[1:] != y[:-1]))
    curve = Curve(x[new], y[new], lowest[new])
    if curve.x[0] == 0 and curve.y[0] == 0:
        return curve
    return Curve(np.append(0.0, curve.x), np.append(0.0, curve.y), np.append(np.inf, curve.score))


def _pairs(first, second):
    return np.stack([first, second], axis=1).ravel()


def area(curve: Curve, limit: float = 1.0) -> float:
    """The area below the curve up to x = `limit`, divided by the limit; y at the limit is interpolated.

    Dividing by the limit and not by the last point below it is the definition: values stay within [0, 1].
    """
    if not 0 < limit <= 1:
        raise ValueError(f"the limit must lie in (0, 1], not {limit}")
    last = int(np.searchsorted(curve.x, limit, side="right"))
    x, y = curve.x[:last], curve.y[:last]
    if x[-1] < limit:
        slope = (curve.y[last] - y[-1]) / (curve.x[last] - x[-1])
        x, y = np.append(x, limit), np.append(y, y[-1] + slope * (limit - x[-1]))
    return float(min(np.trapezoid(y, x) / limit, 1.0))


def thin(curve: Curve, points: int = 1000) -> Curve:
    """At most about `points` points of a curve, for drawing: evenly spaced along its length."""
    if len(curve.x) <= points:
        return curve
    length = np.cumsum(np.append(0.0, np.abs(np.diff(curve.x)) + np.abs(np.diff(curve.y))))
    keep = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], points)).clip(max=len(length) - 1))
    return Curve(*(field[keep] for field in curve))
