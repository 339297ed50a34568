"""Decision thresholds, fitted on held-out good images only (validation images that no training step and no
statistic has seen).

The decision is `score > value`, everywhere: a score that equals the threshold is no alarm. The guarantees
below hold for exactly this rule, ties included.

Scores are either one number per image (threshold on images) or one map [h w] per image (threshold on pixels).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from adjax.types import UserError


class Threshold(NamedTuple):
    """JSON-able by `_asdict()`. A threshold chosen on the test set may only stand with the kind `oracle`."""

    kind: str
    value: float
    parameter: float | None  # alpha of conformal, q of quantile, p of gaussian_tail
    n: int  # good images it was fitted on
    applies: str  # "image" | "pixel"


class Rule(NamedTuple):
    fit: Callable[..., float]  # (one flat float array per image, *parameter) -> value
    parameter: str | None  # its name; a share, strictly between 0 and 1


def fit(kind: str, scores: Sequence[Any], **parameters: float) -> Threshold:
    """Fits a threshold on the scores, or on the maps, of good images.

    conformal(alpha)  images: a new good image raises an alarm with probability <= alpha. Pixels: the expected
                      share of falsely marked pixels of a new good image is <= alpha. For any scores, at any
                      number of images, as long as the new image is exchangeable with these; the probability
                      is over both draws.
    max               the largest score seen; for images the same as conformal with alpha = 1 / (n + 1)
    quantile(q)       the smallest score that at least a share q of all scores (for pixels: of all pixels)
                      doesn't exceed
    gaussian_tail(p)  mean + z std, where a normal variable exceeds its mean by z std with probability p; p =
                      0.00135 is the mean + 3 std of MVTec AD 2

    Raises UserError for an unknown kind or parameter, a score that is not finite, and too few images.
    """
    if kind not in THRESHOLDS:
        raise UserError(f"unknown threshold {kind!r}; choose from {', '.join(THRESHOLDS)}")
    rule = THRESHOLDS[kind]
    wanted = [rule.parameter] if rule.parameter else []
    if sorted(parameters) != wanted:
        raise UserError(f"threshold {kind!r} takes {wanted or 'no parameter'}, not {sorted(parameters)}")
    for name, value in parameters.items():
        if not 0 < value < 1:
            raise UserError(f"{name} of threshold {kind!r} must lie between 0 and 1, not {value}")
    images = [np.asarray(s) for s in scores]
    if not images:
        raise UserError(f"threshold {kind!r} needs held-out good images, but there are none")
    ranks = {image.ndim for image in images}
    if ranks not in ({0}, {2}):
        raise ValueError(f"scores are one number or one map [h w] per image, not arrays of rank {sorted(ranks)}")
    flat = [image.astype(np.promote_types(image.dtype, np.float32), copy=False).ravel() for image in images]
    for i, image in enumerate(flat):
        if not np.isfinite(image).all():
            raise UserError(f"the score of held-out good image {i} is not finite: no threshold can be fitted")
    value = rule.fit(flat, *parameters.values())
    return Threshold(
        kind, float(value), *(parameters.values() or (None,)), len(flat), "pixel" if 2 in ranks else "image"
    )


def decide(threshold: Threshold, scores: Any) -> Any:
    """True where there is an alarm; for arrays of any shape, NumPy or JAX."""
    return scores > threshold.value


def _max(images: list[np.ndarray]) -> float:
    return max(image.max() for image in images)


def _quantile(images: list[np.ndarray], q: float) -> float:
    return np.quantile(np.concatenate(images), q, method="inverted_cdf")


def _gaussian_tail(images: list[np.ndarray], p: float) -> float:
    scores = np.concatenate(images)
    if scores.size < 2:
        raise UserError("threshold 'gaussian_tail' needs at least 2 held-out good images, there is 1")
    return scores.mean(dtype=np.float64) + NormalDist().inv_cdf(1 - p) * scores.std(dtype=np.float64, ddof=1)


def _conformal(images: list[np.ndarray], alpha: float) -> float:
    """Conformal risk control (Angelopoulos et al., arXiv 2208.02814, equation 4) with the image's marked
    share as its loss.

    The smallest threshold t with Σ_i share_i(> t) + 1 <= alpha (n + 1). With one number per image the share
    is 0 or 1, and this is the split-conformal quantile, the ⌈(n + 1)(1 - alpha)⌉-th smallest score.
    """
    exact = Fraction(str(alpha))  # the decimal that was written: 20 * 0.05 is 1
    allowed = exact * (len(images) + 1) - 1
    if allowed < 0:
        raise UserError(
            f"alpha {alpha} needs at least {math.ceil(1 / exact) - 1} held-out good images, "
            f"there are {len(images)}: give more, "
            f"or an alpha of at least {math.ceil(1e4 / (len(images) + 1)) / 1e4:g}"
        )
    size = images[0].size
    if all(image.size == size for image in images):  # and always with one number per image
        scores = np.sort(np.concatenate(images))
        return scores[scores.size - 1 - math.floor(allowed * size)]
    return _smallest([np.sort(image) for image in images], float(allowed))


def _smallest(images: list[np.ndarray], allowed: float) -> float:
    """The smallest t whose shares above it sum to at most `allowed`: by bisection down to neighbouring
    floats.

    The shares change only at scores, so t is one of them. No array larger than the maps is needed.
    """

    def marked(t):
        return sum(1.0 - np.searchsorted(image, t, side="right") / image.size for image in images)

    low, high = min(image[0] for image in images), max(image[-1] for image in images)
    if marked(low) <= allowed:
        return low
    while True:
        middle = low / 2 + high / 2
        if not low < middle < high:
            return high
        low, high = (low, middle) if marked(middle) <= allowed else (middle, high)


THRESHOLDS: Mapping[str, Rule] = {
    "max": Rule(_max, None),
    "quantile": Rule(_quantile, "q"),
    "gaussian_tail": Rule(_gaussian_tail, "p"),
    "conformal": Rule(_conformal, "alpha"),
}
