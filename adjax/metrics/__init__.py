"""Metrics on raw scores: exact, on the host. A decision is `score > threshold`, everywhere.

An undefined metric raises Undefined; evaluate_scores and evaluate_maps give None and say why.
"""

from adjax.metrics.aupimo import Aupimo, aupimo
from adjax.metrics.bootstrap import Interval, bootstrap_maps, bootstrap_scores
from adjax.metrics.classification import Best, auroc, average_precision, f1max
from adjax.metrics.curves import Curve, area, pr_curve, pro_curve, roc_curve, thin
from adjax.metrics.decisions import MeanIoU, dice, iou, miou, segmentation_f1
from adjax.metrics.overlap import aupro, iou_max
from adjax.metrics.ranking import Undefined
from adjax.metrics.spro import Region, spro, spro_curve, spro_loco
from adjax.metrics.summary import evaluate_maps, evaluate_scores, mad, per_defect

__all__ = [
    "Aupimo",
    "Best",
    "Curve",
    "Interval",
    "MeanIoU",
    "Region",
    "Undefined",
    "area",
    "aupimo",
    "aupro",
    "auroc",
    "average_precision",
    "bootstrap_maps",
    "bootstrap_scores",
    "dice",
    "evaluate_maps",
    "evaluate_scores",
    "f1max",
    "iou",
    "iou_max",
    "mad",
    "miou",
    "per_defect",
    "pr_curve",
    "pro_curve",
    "roc_curve",
    "segmentation_f1",
    "spro",
    "spro_curve",
    "spro_loco",
    "thin",
]
