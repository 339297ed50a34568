"""Area under the per-image overlap (Bertoldo et al., BMVC 2024, arXiv 2401.01984).

Axes: k defective images, t thresholds (falling).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from adjax.metrics.ranking import Maps, Masks, Undefined, check_maps


class Aupimo(NamedTuple):
    mean: float
    per_image: Float[np.ndarray, "k"]
    images: Int[np.ndarray, "k"]  # which images these are


def aupimo(maps: Maps, masks: Masks, bounds: tuple[float, float] = (1e-5, 1e-4), ignore: Masks | None = None) -> Aupimo:
    """Each defective image's found share of defect pixels, averaged over the logarithm of the shared
    false-positive rate between `bounds`.

    The shared rate is the mean over GOOD images of the share of their pixels that is marked; normal pixels of
    defective images count nowhere. Exact: over every distinct score of the good images (the authors' code
    takes 300,000 evenly spaced thresholds). Raises Undefined without good images, without defective ones, and
    where the highest score alone is a higher rate than the lower bound.
    """
    low, high = bounds
    if not 0 < low < high <= 1:
        raise ValueError(f"bounds must rise within (0, 1], not {bounds}")
    maps, masks, ignore = check_maps(maps, masks, ignore)
    good, defective = [], {}
    for i, (anomaly_map, mask, ignored) in enumerate(zip(maps, masks, ignore)):
        seen = slice(None) if ignored is None else ~ignored.ravel()
        scores, inside = anomaly_map.ravel()[seen], mask.ravel()[seen]
        if np.isnan(scores).any():
            raise ValueError(f"a score of image {i} is NaN")
        if inside.any():
            defective[i] = np.sort(scores[inside])
        elif scores.size:
            good.append(scores)
    if not good or not defective:
        raise Undefined(f"there is no {'defective' if good else 'good'} image")
    score, fpr = _shared_rate(good, high)
    if fpr[0] > low:
        raise Undefined(
            f"the highest score of the good images is a false-positive rate of {fpr[0]:.1e}, above {low:.1e}: "
            f"too few good pixels, or too many that tie"
        )
    values = np.array([_area(score, fpr, scores, low, high) for scores in defective.values()])
    return Aupimo(float(values.mean()), values, np.array([*defective]))


def _shared_rate(good, high: float) -> tuple[Float[np.ndarray, "t"], Float[np.ndarray, "t"]]:
    """Distinct scores of good images and the mean share of pixels at or above, until it reaches `high`.

    The mean cannot reach it before one image alone exceeds high * images, so each gives only its highest
    scores.
    """
    kept = []
    for scores in good:
        count = min(int(high * len(good) * scores.size) + 1, scores.size)
        lowest = np.partition(scores, scores.size - count)[scores.size - count]
        kept.append(scores[scores >= lowest])  # with all ties of the last one
    weight = np.concatenate([np.full(k.size, 1 / (s.size * len(good))) for k, s in zip(kept, good)])
    scores = np.concatenate(kept)
    order = np.argsort(scores)[::-1]
    falling = scores[order]
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), falling.size - 1)
    fpr = np.minimum(np.cumsum(weight[order])[last], 1.0)
    stop = np.searchsorted(fpr, high * (1 - 1e-12)) + 1  # up to rounding of the sum
    return falling[last][:stop], fpr[:stop]


def _area(score, fpr, defect, low: float, high: float) -> float:
    """Trapezoids over log FPR. Between two scores of good images the rate stands still and the overlap jumps,
    so each segment has its own two ends.
    """
    start = 1 - np.searchsorted(defect, score[1:], side="right") / defect.size
    end = 1 - np.searchsorted(defect, score[1:], side="left") / defect.size
    left, right = np.log(fpr[:-1]), np.log(fpr[1:])
    a, b = np.clip(left, np.log(low), np.log(high)), np.clip(right, np.log(low), np.log(high))
    slope = (end - start) / (right - left)
    middle = start + slope * ((a + b) / 2 - left)
    return float(np.clip(np.sum((b - a) * middle) / np.log(high / low), 0.0, 1.0))
