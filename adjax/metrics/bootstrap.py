"""Bootstrap intervals over images: all pixels of an image are drawn together, because they are not
independent.

Axes: i images, n distinct ranges of scores (rising), r replicates.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from adjax.metrics.classification import auroc_of, average_precision_of, f1max_of
from adjax.metrics.ranking import Maps, Masks, as_scores, check_maps, rank_scores
from adjax.metrics.streaming import Tally, compute, empty, merge, ranking_of, tally


class Interval(NamedTuple):
    low: float
    high: float
    error: float  # how far either end may be off through rounding scores to ranges; 0 for image metrics


def bootstrap_scores(
    scores: Any, labels: Any, strata: Sequence[Any] | None = None, *, level=0.95, replicates=1000, seed=0
) -> dict[str, Interval]:
    """Percentile intervals of image_auroc, image_ap and image_f1max.

    Each replicate draws, with replacement, as many images of every stratum as there are. Strata are good and
    defective, crossed with `strata` (defect types, say) where given.
    """
    scores, labels = as_scores(scores).ravel(), np.asarray(labels).ravel()
    rank_scores(scores, labels)  # raises what is wrong with them
    values = []
    for times in _draws(_strata(labels, strata), replicates, seed):
        again = np.repeat(np.arange(labels.size), times)
        ranking = rank_scores(scores[again], labels[again])
        values.append((auroc_of(ranking), average_precision_of(ranking), f1max_of(ranking).value))
    low, high = np.quantile(values, _tails(level), axis=0)
    names = ("image_auroc", "image_ap", "image_f1max")
    return {name: Interval(float(a), float(b), 0.0) for name, a, b in zip(names, low, high)}


def bootstrap_maps(
    maps: Maps,
    masks: Masks,
    ignore: Masks | None = None,
    strata: Sequence[Any] | None = None,
    *,
    level=0.95,
    replicates=1000,
    seed=0,
    capacity=2**13,
) -> dict[str, Interval]:
    """Percentile intervals of the pixel metrics that `streaming.compute` gives, over images as above.

    Scores are rounded to at most `capacity` ranges, which makes a replicate a weighted sum of counts; the
    largest error of any replicate stands with the interval. Memory: 24 bytes * images * capacity.
    """
    maps, masks, ignore = check_maps(maps, masks, ignore)
    tallies = [tally([m], [g], [o], capacity=capacity) for m, g, o in zip(maps, masks, ignore)]
    whole = reduce(merge, tallies, empty(capacity))
    ranking_of(whole)  # raises what is undefined
    labels = np.array([t.defect.any() for t in tallies])
    counts = np.stack([_spread(t, whole) for t in tallies])
    regions = np.array([t.regions for t in tallies])
    values = []
    for times in np.array_split(_draws(_strata(labels, strata), replicates, seed), replicates // 32 + 1):
        totals = np.tensordot(times.astype(np.float64), counts, axes=1)
        values += [compute(_replicate(whole, *t, int(r))) for t, r in zip(totals, times @ regions)]
    result = {}
    for name in values[0]:
        low, high = np.quantile([v[name].value for v in values], _tails(level))
        result[name] = Interval(float(low), float(high), max(v[name].error for v in values))
    return result


def _replicate(whole: Tally, normal, defect, overlap, regions: int) -> Tally:
    used = np.flatnonzero(normal + defect)
    normal, defect = normal[used].astype(np.int64), defect[used].astype(np.int64)
    return whole._replace(key=whole.key[used], normal=normal, defect=defect, overlap=overlap[used], regions=regions)


def _spread(part: Tally, whole: Tally) -> Float[np.ndarray, "3 n"]:
    """One image's counts at the ranges of the whole set."""
    at = np.searchsorted(whole.key, part.key >> (whole.dropped - part.dropped))
    return np.stack([np.bincount(at, v, whole.key.size) for v in (part.normal, part.defect, part.overlap)])


def _strata(labels: np.ndarray, strata: Sequence[Any] | None) -> list[Int[np.ndarray, "k"]]:
    """The images of each stratum."""
    strata = [""] * len(labels) if strata is None else strata
    if len(strata) != len(labels):
        raise ValueError(f"{len(strata)} strata but {len(labels)} images")
    pairs = [(bool(label), str(stratum)) for label, stratum in zip(labels, strata)]
    return [np.array([i for i, p in enumerate(pairs) if p == pair]) for pair in sorted(set(pairs))]


def _draws(strata: list[Int[np.ndarray, "k"]], replicates: int, seed: int) -> Int[np.ndarray, "r i"]:
    """How often each image is drawn."""
    rng = np.random.default_rng(seed)
    times = np.empty((replicates, sum(s.size for s in strata)), np.int64)
    for members in strata:
        times[:, members] = rng.multinomial(members.size, np.full(members.size, 1 / members.size), replicates)
    return times


def _tails(level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"the level must lie between 0 and 1, not {level}")
    return (1 - level) / 2, (1 + level) / 2
