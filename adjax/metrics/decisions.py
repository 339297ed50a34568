"""Metrics of decisions, where a threshold has already been applied. Everything is counted over all pixels of
all images before any ratio is taken; a mean of per-image ratios is another number.

Axes: h w.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from adjax.metrics.ranking import Maps, Masks, Undefined, as_mask, as_scores, check_shapes


class MeanIoU(NamedTuple):
    mean: float
    per_class: Float[np.ndarray, "classes"]


def iou(marked: Masks, masks: Masks, ignore: Masks | None = None) -> float:
    """TP / (TP + FP + FN). Raises Undefined where nothing is marked and nothing defective."""
    hit, marked_all, defect = _counts(marked, masks, ignore)
    return hit / (marked_all + defect - hit)


def dice(marked: Masks, masks: Masks, ignore: Masks | None = None) -> float:
    """2 TP / (2 TP + FP + FN), which is F1. Raises Undefined where nothing is marked and nothing defective."""
    hit, marked_all, defect = _counts(marked, masks, ignore)
    return 2 * hit / (marked_all + defect)


def segmentation_f1(maps: Maps, masks: Masks, threshold: float, ignore: Masks | None = None) -> float:
    """Pixel F1 of `map > threshold`, the SegF1 of MVTec AD 2. The threshold must come from good images:
    `threshold.fit("gaussian_tail", maps, p=0.00135)` is that benchmark's mean + 3 std.
    """
    maps = [as_scores(m) for m in maps]
    for i, anomaly_map in enumerate(maps):
        if np.isnan(anomaly_map).any():
            raise ValueError(f"a score of image {i} is NaN")
    return dice([m > threshold for m in maps], masks, ignore)


def miou(predicted: Sequence[Any], truth: Sequence[Any], classes: int = 2, ignore: Masks | None = None) -> MeanIoU:
    """Mean over classes of each one's intersection over union; class maps hold integers from 0 or booleans.

    Raises Undefined where a class occurs in neither.
    """
    confusion = np.zeros((classes, classes), np.int64)
    ignore = [None] * len(truth) if ignore is None else _ignored(ignore)
    predicted, truth = [np.asarray(p) for p in predicted], [np.asarray(t) for t in truth]
    check_shapes(predicted, truth, ignore)
    for p, t, o in zip(predicted, truth, ignore, strict=True):
        for class_map in (p, t):
            if class_map.dtype.kind not in "biu" or class_map.min() < 0 or class_map.max() >= classes:
                raise ValueError(f"a class map must hold integers in 0 … {classes - 1}")
        p, t = (p, t) if o is None else (p[~o], t[~o])
        pair = t.astype(np.int64).ravel() * classes + p.ravel()
        confusion += np.bincount(pair, minlength=classes**2).reshape(classes, classes)
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    if not union.all():
        raise Undefined(f"class {int(np.argmin(union))} occurs neither in the truth nor in the predictions")
    per_class = np.diag(confusion) / union
    return MeanIoU(float(per_class.mean()), per_class)


def _ignored(ignore: Masks) -> list[np.ndarray | None]:
    return [o if o is None else as_mask(o, "ignore mask") for o in ignore]


def _counts(marked: Masks, masks: Masks | None, ignore: Masks | None) -> tuple[int, int, int]:
    """Pixels marked rightly, marked, and defective."""
    if masks is None:
        raise Undefined("there are no masks")
    marked, masks = [as_mask(m, "decision") for m in marked], [as_mask(m) for m in masks]
    ignore = [None] * len(masks) if ignore is None else _ignored(ignore)
    check_shapes(marked, masks, ignore)
    hit = marked_all = defect = 0
    for m, g, o in zip(marked, masks, ignore, strict=True):
        m, g = (m, g) if o is None else (m & ~o, g & ~o)
        hit += np.count_nonzero(m & g)
        marked_all += np.count_nonzero(m)
        defect += np.count_nonzero(g)
    if marked_all + defect == 0:
        raise Undefined("nothing is marked and nothing is defective")
    return hit, marked_all, defect
