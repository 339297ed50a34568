"""AUPRO and IoU of anomaly maps against masks.

Axes: h w.
"""

from adjax.metrics.classification import Best, iou_max_of
from adjax.metrics.curves import area, pro_curve
from adjax.metrics.ranking import Maps, Masks, rank_maps


def aupro(maps: Maps, masks: Masks, fpr_limit: float = 0.3, ignore: Masks | None = None) -> float:
    """Area under the per-region overlap up to `fpr_limit`, divided by it (Bergmann et al., IJCV 2021).

    Exact: over every distinct score. Every 8-connected region weighs the same, whatever its size or image;
    good images count in the false-positive rate. A random map gives fpr_limit / 2, a perfect one 1.
    Official numbers need maps at the masks' own resolution. Raises Undefined without a region or a normal
    pixel.
    """
    return area(pro_curve(maps, masks, ignore), fpr_limit)


def iou_max(maps: Maps, masks: Masks, ignore: Masks | None = None) -> Best:
    """The largest TP / (TP + FP + FN) over all thresholds, all pixels together; it shares F1-max's threshold."""
    return iou_max_of(rank_maps(maps, masks, ignore))
