"""Metrics of data sets that don't fit into memory: empty, merge, compute.

Scores are counted by float32 values while there are few, and by ever coarser ranges of values as they get
more. How coarse depends only on the set of all scores, so results don't depend on batches or their order. The
values are the exact metrics of the scores so rounded; with them comes a bound on what the rounding can have
changed.

Axes: n distinct ranges of scores, rising.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from adjax.metrics.classification import auroc_of, average_precision_of, f1max_of, iou_max_of
from adjax.metrics.curves import Curve, area, pr_of, pro_of, roc_of
from adjax.metrics.ranking import Maps, Masks, Ranking, Undefined, check_maps, mean_overlap
from adjax.metrics.regions import label_regions


class Tally(NamedTuple):
    """28 bytes for each distinct range; there are at most `capacity`."""

    key: Int[np.ndarray, "n"]  # the score's rank among all float32 numbers, without its lowest bits
    normal: Int[np.ndarray, "n"]  # pixels
    defect: Int[np.ndarray, "n"]  # pixels
    overlap: Float[np.ndarray, "n"]  # the sum over regions of their share here
    regions: int
    dropped: int  # lowest bits
    capacity: int


class Bounded(NamedTuple):
    value: float
    error: float  # the exact value of these float32 scores lies within value ± error


def empty(capacity: int = 2**18) -> Tally:
    """Nothing yet. 2^18 ranges take 7 MB; the errors are then of the order of 1e-5."""
    if capacity < 2:
        raise ValueError(f"capacity must be at least 2, not {capacity}")
    none = np.empty(0, np.int64)
    return Tally(none.astype(np.int32), none, none, np.empty(0), 0, 0, capacity)


def tally(maps: Maps, masks: Masks, ignore: Masks | None = None, *, capacity: int = 2**18) -> Tally:
    """Counts whole images (never parts of one, whose regions would be cut). float64 is rounded to float32.

    Takes a few times the memory of these maps; give many at a time where they fit, since each merge has its cost.
    """
    normal, defect, weights, regions = [], [], [], 0
    for anomaly_map, mask, ignored in zip(*check_maps(maps, masks, ignore)):
        region, inside, hidden = label_regions(mask), anomaly_map[mask], mask
        if ignored is not None:
            seen = ~ignored[mask]
            region, inside, hidden = region[seen], inside[seen], mask | ignored
        area_of = np.bincount(region)
        normal.append(_keys(anomaly_map[~hidden]))
        defect.append(_keys(inside))
        weights.append(1.0 / area_of[region])
        regions += int(np.count_nonzero(area_of))
    start = empty(capacity)
    key, count = np.unique(np.concatenate(normal), return_counts=True)
    normal = start._replace(key=key, normal=count, defect=0 * count, overlap=np.zeros(key.size))
    key, place, count = np.unique(np.concatenate(defect), return_inverse=True, return_counts=True)
    overlap = np.bincount(place, np.concatenate(weights), key.size)
    defect = start._replace(key=key, normal=0 * count, defect=count, overlap=overlap, regions=regions)
    return merge(_shrink(normal), _shrink(defect))


def merge(first: Tally, second: Tally) -> Tally:
    """Both together. Associative and commutative: counts exactly, the overlap up to float64 rounding."""
    if first.capacity != second.capacity:
        raise ValueError(f"tallies of capacity {first.capacity} and {second.capacity} don't merge")
    dropped = max(first.dropped, second.dropped)
    parts = [t._replace(key=t.key >> (dropped - t.dropped)) for t in (first, second)]
    key, normal, defect, overlap = (np.concatenate([p[i] for p in parts]) for i in range(4))
    order = np.argsort(key, kind="stable")
    regions = first.regions + second.regions
    return _shrink(Tally(key[order], normal[order], defect[order], overlap[order], regions, dropped, first.capacity))


def _shrink(total: Tally) -> Tally:
    """One entry per range, and ranges just so coarse that they fit. The keys must be rising, and may repeat."""
    key, dropped = total.key, total.dropped
    while True:
        starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: key.size])
        if starts.size <= total.capacity:
            break
        key, dropped = key >> 1, dropped + 1
    if starts.size == 0:
        return total
    sums = (np.add.reduceat(values, starts) for values in total[1:4])
    return Tally(key[starts], *sums, total.regions, dropped, total.capacity)


def compute(total: Tally, fpr_limits: tuple[float, ...] = (0.3, 0.05)) -> dict[str, Bounded]:
    """pixel_auroc, pixel_ap, pixel_f1max, iou_max, and for each limit aupro (0.3) or aupro_05 (two digits)."""
    ranking = ranking_of(total)
    f1, iou, (f1_error, iou_error) = f1max_of(ranking).value, iou_max_of(ranking).value, _best_errors(ranking)
    result = {
        "pixel_auroc": Bounded(auroc_of(ranking), _area_error(ranking, ranking.found / ranking.n_defect, 1.0)),
        "pixel_ap": Bounded(average_precision_of(ranking), _ap_error(ranking)),
        "pixel_f1max": Bounded(f1, f1_error),
        "iou_max": Bounded(iou, iou_error),
    }
    for limit in fpr_limits:
        name = "aupro" if limit == 0.3 else f"aupro_{round(100 * limit):02d}"
        result[name] = Bounded(area(pro_of(ranking), limit), _area_error(ranking, ranking.overlap, limit))
    if total.dropped == 0:  # nothing is rounded: what shares a range is tied
        result = {name: bounded._replace(error=0.0) for name, bounded in result.items()}
    return result


def curves(total: Tally) -> dict[str, Curve]:
    """The curves of the rounded scores: `pixel_roc`, `pixel_pr` and `pro`."""
    ranking = ranking_of(total)
    return {"pixel_roc": roc_of(ranking), "pixel_pr": pr_of(ranking), "pro": pro_of(ranking)}


def ranking_of(total: Tally) -> Ranking:
    """The ranking of the rounded scores: each range stands for its lowest score."""
    if not total.normal.any() or not total.defect.any():
        raise Undefined(f"there is no {'defective' if total.normal.any() else 'normal'} pixel")
    reached = np.cumsum(total.normal[::-1])[::-1]
    found = np.cumsum(total.defect[::-1])[::-1]
    overlap = np.cumsum(total.overlap[::-1])
    score = _scores(np.maximum(total.key << total.dropped, _keys(np.float32([-np.inf]))))
    at = np.flatnonzero(total.defect)[::-1]
    before = np.append(score, np.float32(np.inf))[at + 1]
    return Ranking(
        score=score[at],
        threshold=np.nextafter(score[at], np.float32(-np.inf)),
        before=before,
        above=(reached - total.normal)[at],
        reached=reached[at],
        found=found[at],
        overlap=mean_overlap(overlap[total.key.size - 1 - at], total.regions),
        n_normal=int(reached[0]),
        lowest=float(score[0]),
    )


def _keys(scores: np.ndarray) -> Int[np.ndarray, "n"]:
    """Integers in the order of the scores: of a negative float the bits below the sign count backwards."""
    scores = np.asarray(scores, np.float32)
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    bits = (scores + np.float32(0.0)).view(np.int32)  # -0 and 0 are one score
    return bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))


def _scores(keys: Int[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    return (keys ^ ((keys >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)


def _area_error(ranking: Ranking, y: np.ndarray, limit: float) -> float:
    """The true curve crosses each range's rectangle somehow; the straight line is at most half of it off, and
    at most all of it in the one that the limit cuts.
    """
    low = np.minimum(ranking.above / ranking.n_normal, limit)
    high = ranking.reached / ranking.n_normal
    height = np.diff(y, prepend=0.0)
    share = np.where(high > limit, 1.0, 0.5)
    return float(np.sum(share * height * (np.minimum(high, limit) - low)) / limit)


def _ap_error(ranking: Ranking) -> float:
    """Within a range either all defective scores come first or all normal ones."""
    new = np.diff(ranking.found, prepend=0)
    value = ranking.found / (ranking.found + ranking.reached)
    best = ranking.found / (ranking.found + ranking.above)
    first = ranking.found - new + 1
    worst = first / (first + ranking.reached)
    return float(max(new @ (best - value), new @ (value - worst)) / ranking.n_defect)


def _best_errors(ranking: Ranking) -> tuple[float, float]:
    """Of F1-max and IoU-max: both are reached at a range's edge, and are at most what marking all of a range's defects
    and none of its normal scores would give.
    """
    iou = float(np.max(ranking.found / (ranking.above + ranking.n_defect)))
    f1 = 2 * iou / (1 + iou)
    return max(f1 - f1max_of(ranking).value, 0.0), max(iou - iou_max_of(ranking).value, 0.0)
