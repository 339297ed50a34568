"""Normal and defective scores ranked against each other: what every threshold-free metric is computed from.

Only the normal scores are sorted (without their places, which a sort in vector instructions can do); the few
defective ones are placed among them by binary search. A curve over all thresholds turns only at defective
scores, so their ranks hold it exactly, ties included.

Axes: n normal scores, m distinct defective scores (falling), h w.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from adjax.metrics.regions import label_regions

Maps = Sequence[Any]  # 2-D arrays [h w], each of its own size; NumPy or JAX
Masks = Sequence[Any]  # 2-D arrays [h w], bool or integer (0 is normal, everything above is defect)


class Undefined(ValueError):
    """The metric has no value on these data (one class only, no masks): never 0, 1 or NaN in its place."""


class Ranking(NamedTuple):
    """What lies at and above each distinct defective score; these fall from first to last."""

    score: Float[np.ndarray, "m"]
    threshold: Float[np.ndarray, "m"]  # `> threshold` marks what `>= score` marks
    before: Float[np.ndarray, "m"]  # the lowest score of either class that is above `score`, or inf
    above: Int[np.ndarray, "m"]  # normal scores > score
    reached: Int[np.ndarray, "m"]  # normal scores >= score
    found: Int[np.ndarray, "m"]  # defective scores >= score
    overlap: Float[np.ndarray, "m"] | None  # the mean over regions of their share with scores >= score
    n_normal: int
    lowest: float  # of all scores

    @property
    def n_defect(self) -> int:
        return int(self.found[-1])


def as_scores(values: Any) -> np.ndarray:
    """Float scores; two-byte floats and integers are lifted to float32, wider integers to float64.

    Raises ValueError for anything that is no real number. NaN is refused later, where sorting finds it.
    """
    values = np.asarray(values)
    if values.dtype in (np.float32, np.float64):
        return values
    if values.dtype.kind in "iu":
        return values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    if values.dtype == np.float16 or values.dtype.name == "bfloat16":
        return values.astype(np.float32)
    raise ValueError(f"scores must be real numbers, not {values.dtype}")


def as_mask(mask: Any, what: str = "mask") -> Bool[np.ndarray, "h w"]:
    """A boolean mask: integers count as defect above 0. A float mask is refused, because its threshold is a
    choice.
    """
    mask = np.asarray(mask)
    if mask.dtype == bool:
        return mask
    if mask.dtype.kind in "iu":
        return mask > 0
    raise ValueError(f"{what} has dtype {mask.dtype}: make it boolean first, for example by `mask > 0.5`")


def rank_scores(scores: Any, labels: Any) -> Ranking:
    """Ranks one score per image (or any flat list of scores) with labels 0 good and 1 defective."""
    scores, labels = as_scores(scores).ravel(), np.asarray(labels).ravel()
    if scores.shape != labels.shape:
        raise ValueError(f"{scores.size} scores but {labels.size} labels")
    wrong = np.setdiff1d(labels, (0, 1))
    if wrong.size:
        raise ValueError(
            f"labels must be 0 (good) or 1 (defective), not {wrong[:5].tolist()}; leave unknown images out"
        )
    defective = labels == 1
    return rank(np.sort(scores[~defective]), scores[defective], what="image")


def rank_maps(maps: Maps, masks: Masks | None, ignore: Masks | None = None) -> Ranking:
    """Ranks all pixels of all images together, with the regions that AUPRO weighs.

    A good image has an empty mask. A region is an 8-connected component of the mask; what `ignore` marks
    counts neither as normal nor in its region's area, and a region that is ignored wholly is no region.
    """
    maps, masks, ignore = check_maps(maps, masks, ignore)
    values, weights, hidden, regions = [], [], [], 0
    for anomaly_map, mask, ignored in zip(maps, masks, ignore):
        region, value = label_regions(mask), anomaly_map[mask]
        if ignored is not None:
            seen = ~ignored[mask]
            region, value = region[seen], value[seen]
        area = np.bincount(region)
        values.append(value)
        weights.append(1.0 / area[region])
        hidden.append(mask if ignored is None else mask | ignored)
        regions += np.count_nonzero(area)
    return rank(sort_normal(maps, hidden), np.concatenate(values), np.concatenate(weights), regions, what="pixel")


def sort_normal(maps: list[np.ndarray], hidden: list[Bool[np.ndarray, "h w"]]) -> Float[np.ndarray, "n"]:
    """All scores that are not hidden, rising: the only array as large as the data.

    Hidden scores become -inf and are cut off after sorting, which costs less than picking the others out.
    """
    scores = np.empty(sum(m.size for m in maps), np.result_type(*maps))
    filled = cut = 0
    for anomaly_map, mask in zip(maps, hidden):
        part = scores[filled : filled + mask.size].reshape(mask.shape)
        np.copyto(part, anomaly_map)
        part[mask] = -np.inf
        filled += mask.size
        cut += np.count_nonzero(mask)
    scores.sort()
    return scores[cut:]


def check_maps(maps: Maps, masks: Masks | None, ignore: Masks | None):
    """The three sequences as NumPy arrays, image by image of one shape. Raises Undefined without masks or images."""
    if masks is None:
        raise Undefined("there are no masks")
    if len(maps) == 0:
        raise Undefined("there are no images")
    ignore = [None] * len(maps) if ignore is None else ignore
    if not len(maps) == len(masks) == len(ignore):
        raise ValueError(f"{len(maps)} maps, {len(masks)} masks and {len(ignore)} ignore masks")
    maps = [as_scores(m) for m in maps]
    masks = [as_mask(m) for m in masks]
    ignore = [m if m is None else as_mask(m, "ignore mask") for m in ignore]
    check_shapes(maps, masks, ignore)
    return maps, masks, ignore


def check_shapes(*columns: Sequence[np.ndarray | None]) -> None:
    """Raises ValueError unless all of an image's arrays have one shape [h w]."""
    for i, arrays in enumerate(zip(*columns)):
        shapes = sorted({a.shape for a in arrays if a is not None})
        if len(shapes) > 1 or len(shapes[0]) != 2:
            raise ValueError(f"image {i}: maps and masks must have one shape [h w], not {shapes}")


def rank(normal, defect, weight=None, regions: int = 0, *, what: str = "score") -> Ranking:
    """Ranks defective scores in any order among rising normal ones. `weight` is the overlap that each adds.

    Raises Undefined where a class is missing and ValueError where a score is NaN.
    """
    order = np.argsort(defect)[::-1]  # ties fall together below, so their order doesn't matter
    falling = defect[order]
    for name, highest in (("normal", normal[-1:]), ("defective", falling[:1])):
        if np.isnan(highest).any():  # a sort puts NaN last
            raise ValueError(f"the score of a {name} {what} is NaN")
    for name, values in (("normal", normal), ("defective", defect)):
        if values.size == 0:
            raise Undefined(f"there is no {name} {what}")
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), falling.size - 1)  # of each run of ties
    score = falling[last]
    below = np.searchsorted(normal, score[::-1])[::-1]
    not_above = below.copy()
    tied = np.flatnonzero(normal[np.minimum(below, normal.size - 1)] == score)
    not_above[tied] = np.searchsorted(normal, score[tied], side="right")
    overlap = None if weight is None else mean_overlap(np.cumsum(weight[order])[last], regions)
    threshold, before = _neighbours(normal, score, below, not_above)
    above, reached = normal.size - not_above, normal.size - below
    lowest = float(min(normal[0], score[-1]))
    return Ranking(score, threshold, before, above, reached, last + 1, overlap, normal.size, lowest)


def mean_overlap(total: Float[np.ndarray, "m"], regions: int) -> Float[np.ndarray, "m"]:
    """The sum of the regions' shares as their mean, without the rounding that would leave [0, 1]."""
    overlap = np.minimum(total / regions, 1.0)
    overlap[-1] = 1.0
    return overlap


def _neighbours(normal, score, below, not_above):
    """The next lower and the next higher score of either class; below the lowest, the next float."""
    infinity = score.dtype.type(np.inf)
    lower = np.where(below > 0, normal[below - 1], -infinity)
    lower[:-1] = np.maximum(lower[:-1], score[1:])
    if below[-1] == 0:
        lower[-1] = np.nextafter(score[-1], -infinity)
    upper = np.where(not_above < normal.size, normal[np.minimum(not_above, normal.size - 1)], infinity)
    upper[1:] = np.minimum(upper[1:], score[:-1])
    return lower, upper
