"""AUROC, average precision and F1-max of scores with labels; for pixels the same on all pixels together.

A decision is `score > threshold` here and everywhere in this package.
"""

from typing import Any, NamedTuple

import numpy as np

from adjax.metrics.ranking import Ranking, rank_scores


class Best(NamedTuple):
    """A metric at its best threshold, which was chosen on the data it is measured on: an upper bound, an oracle."""

    value: float
    threshold: float  # the largest score left unmarked: marked is what lies above


def auroc(scores: Any, labels: Any) -> float:
    """P(s+ > s-) + P(s+ = s-) / 2. Raises Undefined with one class only."""
    return auroc_of(rank_scores(scores, labels))


def average_precision(scores: Any, labels: Any) -> float:
    """Σ (R_k - R_{k-1}) P_k over falling distinct scores: the step rule, not the larger trapezoid."""
    return average_precision_of(rank_scores(scores, labels))


def f1max(scores: Any, labels: Any) -> Best:
    """The largest 2PR / (P + R) over all thresholds, and the threshold; among equals, the highest."""
    return f1max_of(rank_scores(scores, labels))


def auroc_of(ranking: Ranking) -> float:
    new = np.diff(ranking.found, prepend=0)
    beaten = 2 * ranking.n_normal - ranking.above - ranking.reached  # twice: normal scores below, plus half the ties
    return float(np.sum(new * beaten) / (2 * ranking.n_normal * ranking.n_defect))  # integers up to the division


def average_precision_of(ranking: Ranking) -> float:
    new = np.diff(ranking.found, prepend=0)
    precision = ranking.found / (ranking.found + ranking.reached)
    return float(min(new @ precision / ranking.n_defect, 1.0))


def f1max_of(ranking: Ranking) -> Best:
    return _best(ranking, 2 * ranking.found / (ranking.found + ranking.reached + ranking.n_defect))


def iou_max_of(ranking: Ranking) -> Best:
    return _best(ranking, ranking.found / (ranking.reached + ranking.n_defect))


def _best(ranking: Ranking, value: np.ndarray) -> Best:
    best = int(np.argmax(value))
    return Best(float(value[best]), float(ranking.threshold[best]))
