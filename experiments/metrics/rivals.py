"""The same metrics by other libraries, each as a call `(maps, masks) -> value`.

Axes: n h w.
"""

import importlib.util
import pathlib
import sys
import types

import numpy as np
import torch
from scipy import ndimage
from skimage import measure
from sklearn import metrics as sklearn
from torchmetrics import classification

if not hasattr(np, "trapz"):
    np.trapz = np.trapezoid  # adeval 1.1.0 was written for NumPy 1
import adeval


def load_anomalib():
    """anomalib's own metric files, without its package: that imports torchvision and every model.

    The one thing put in their way is an empty `anomalib.data.Batch`, which they name in type annotations.
    """
    root = pathlib.Path(importlib.util.find_spec("anomalib").submodule_search_locations[0])
    for name in ("anomalib", "anomalib.metrics"):
        module = types.ModuleType(name)
        module.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module
    sys.modules["anomalib.data"] = types.SimpleNamespace(Batch=object)
    from anomalib.metrics.aupro import _AUPRO
    from anomalib.metrics.pimo.functional import aupimo_scores

    return _AUPRO, aupimo_scores


ANOMALIB_AUPRO, ANOMALIB_AUPIMO = load_anomalib()


def anomalib_aupro(maps, masks, limit=0.3):
    metric = ANOMALIB_AUPRO(fpr_limit=limit)
    metric.update(torch.from_numpy(maps), torch.from_numpy(masks).int())
    return float(metric.compute())


def adeval_all(maps, masks):
    """Pixel AUROC, area under PR by trapezoids, and AUPRO to 0.3, from 1,000 equal steps of the score."""
    return tuple(float(v) for v in adeval.auroc_aupr_aupro(maps, masks.astype(np.uint8)))


def plain_aupro(maps, masks, limit=0.3):
    """Every pixel sorted once, in plain NumPy with scikit-image's regions: exact."""
    gain, regions = np.zeros(maps.shape), 0
    for i, mask in enumerate(masks):
        labels, count = measure.label(mask, return_num=True, connectivity=2)
        if count:
            area = np.bincount(labels.ravel())
            gain[i] = np.where(labels > 0, 1 / area[labels], 0)
        regions += count
    order = np.argsort(-maps, axis=None, kind="stable")
    score = maps.ravel()[order]
    fpr = np.cumsum(~masks.ravel()[order])
    pro = np.cumsum(gain.ravel()[order]) / regions
    last = np.append(score[1:] != score[:-1], True)
    fpr, pro = np.append(0.0, fpr[last] / fpr[-1]), np.append(0.0, pro[last])
    keep = fpr <= limit
    x = np.append(fpr[keep], limit)
    y = np.append(pro[keep], np.interp(limit, fpr, pro))
    return float(np.trapezoid(y, x) / limit)


def mvtec_steps(maps, masks, limit=0.3, steps=100):
    """The overlap at `steps` thresholds, equally spaced in rank of the normal scores, each region sorted alone."""
    normal = np.sort(maps[~masks])
    at = np.unique(normal[np.linspace(0, normal.size - 1, steps).astype(int)])[::-1]
    pro, regions = np.zeros(at.size), 0
    for anomaly_map, mask in zip(maps, masks):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        for k in range(1, count + 1):
            region = np.sort(anomaly_map[labels == k])
            pro += 1 - np.searchsorted(region, at) / region.size
        regions += count
    fpr = np.append(0.0, 1 - np.searchsorted(normal, at) / normal.size)
    pro = np.append(0.0, pro / regions)
    keep = fpr < limit
    x, y = np.append(fpr[keep], limit), np.append(pro[keep], np.interp(limit, fpr, pro))
    return float(np.trapezoid(y, x) / limit)


def sklearn_three(scores, labels):
    """AUROC, AP and F1-max."""
    precision, recall, _ = sklearn.precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    return sklearn.roc_auc_score(labels, scores), sklearn.average_precision_score(labels, scores), f1.max()


def torchmetrics_two(scores, labels):
    """AUROC and AP as anomalib wraps them, without binning."""
    scores, labels = torch.from_numpy(scores), torch.from_numpy(labels).int()
    values = []
    for metric in (classification.BinaryAUROC(), classification.BinaryAveragePrecision()):
        metric.update(scores, labels)
        values.append(float(metric.compute()))
    return tuple(values)
