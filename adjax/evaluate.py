"""From scored images to metrics, per-defect rows and a comparison with the baselines. Labels are read here alone.

Axes: h height, w width.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from adjax import metrics
from adjax.data.mvtec_loco import regions
from adjax.predict import Scored
from adjax.threshold import Threshold
from adjax.views import Known, measure_views

METRICS = ("image_auroc", "image_ap", "image_f1max", "pixel_auroc", "pixel_ap", "pixel_f1max", "aupro", "aupro_05")
CURVES = {"roc": "image_roc", "pr": "image_pr", "pro": "pro"}  # the report's names for them
SPRO_LIMITS = (0.05, 0.3)  # the first is the headline of MVTec LOCO AD
Masks = Sequence[Bool[np.ndarray, "h w"]]


class Measured(NamedTuple):
    metrics: dict[str, float | None]
    reasons: dict[str, str]  # why a metric is None
    oracle: dict[str, float | None]  # thresholds of best F1 on these very images: a metric, never a decision
    curves: dict[str, Any]
    views: dict[str, Any] | None  # by group of defects and by place, where anything is known of them


def measure(scored: Sequence[Scored], masks: Masks | None, no_masks: str = "", known: Sequence[Known] = ()) -> Measured:
    """All metrics of labelled images; pixel metrics at the resolution of the masks, to which maps are resized."""
    labels = np.array([s.record.label for s in scored])
    image = metrics.evaluate_scores(np.array([s.score for s in scored]), labels)
    maps, views = [s.map for s in scored], None
    if masks is None or any(m is None for m in maps):
        why = no_masks or "the method gives no anomaly maps"
        pixel = {"oracle": None, "curves": {}, "reasons": dict.fromkeys(METRICS[3:], why)}
    else:
        maps = [resize(m, g.shape) for m, g in zip(maps, masks)]
        ignored = [_ignored(s, g.shape) for s, g in zip(scored, masks)]
        pixel = metrics.evaluate_maps(maps, masks, ignored)
        if all(i is None for i in ignored):
            views = measure_views(maps, masks, known)
        elif any(k.instances for k in known):
            pixel["reasons"] |= {"views": "groups and places are not measured where pixels are ignored"}
    values = {name: (image | pixel).get(name) for name in METRICS}
    oracle = {"image": image["oracle"], "pixel": pixel["oracle"]}
    found = image["curves"] | pixel["curves"]
    curves = {name: found[long][:2] for name, long in CURVES.items() if long in found}
    return Measured(values, image["reasons"] | pixel["reasons"], oracle, curves, views)


def resize(anomaly_map: Float[np.ndarray, "h w"], shape: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """Bilinear, pixel centres aligned; averages when shrinking."""
    if anomaly_map.shape == tuple(shape):
        return anomaly_map
    picture = Image.fromarray(np.asarray(anomaly_map, np.float32))
    return np.asarray(picture.resize(shape[::-1], Image.Resampling.BILINEAR))


def counted(scored: Scored) -> Float[np.ndarray, "h w"]:
    """The map; with ignored pixels, the others as a single row: what a threshold on pixels is fitted on."""
    return scored.map if scored.ignore is None else scored.map[~scored.ignore][None]


def _ignored(scored: Scored, shape: tuple[int, int]) -> Bool[np.ndarray, "h w"] | None:
    """Resized as the map is: True wherever an ignored pixel has any weight."""
    return None if scored.ignore is None else resize(scored.ignore.astype(np.float32), shape) > 0


def per_defect(scored: Sequence[Scored], masks: Masks | None, no_masks: str = "") -> dict[str, dict]:
    """The same metrics for each type of defect against all good images."""
    table = {}
    for defect in sorted({s.record.defect for s in scored if s.record.label == 1}):
        chosen = [i for i, s in enumerate(scored) if s.record.label == 0 or s.record.defect == defect]
        some = None if masks is None else [masks[i] for i in chosen]
        number = sum(s.record.defect == defect for s in scored)
        table[defect] = {"n": number} | measure([scored[i] for i in chosen], some, no_masks).metrics
    return table


def per_category(scored: Sequence[Scored], masks: Masks | None) -> dict[str, dict]:
    """The same metrics for each category by itself, and their plain mean; {} where there is only one.

    A metric that one category lacks has no mean.
    """
    names = list(dict.fromkeys(s.record.category for s in scored))
    if len(names) < 2:
        return {}
    table = {}
    for name in names:
        chosen = [i for i, s in enumerate(scored) if s.record.category == name]
        some = None if masks is None else [masks[i] for i in chosen]
        table[name] = {"n": len(chosen)} | measure([scored[i] for i in chosen], some, "no masks").metrics
    columns = {metric: [row[metric] for row in table.values()] for metric in METRICS}
    mean = {metric: None if None in values else float(np.mean(values)) for metric, values in columns.items()}
    return table | {"mean": {"n": len(scored)} | mean}


def per_item(scored: Sequence[Scored]) -> dict[str, dict]:
    """Image metrics of items seen in several images (meta["group"]), by category; {} where each image is an item.

    An item's score is the highest of its images', and it is defective where one of them is: the sample-level AUROC of
    Real-IAD (Wang et al. 2024, arXiv 2403.12580).
    """
    items: dict[str, dict[str, list[Scored]]] = {}
    for s in scored:
        items.setdefault(s.record.category, {}).setdefault(s.record.meta.get("group", s.record.id), []).append(s)
    if sum(map(len, items.values())) == len(scored):
        return {}
    table = {}
    for name, found in items.items():
        scores = np.array([max(s.score for s in images) for images in found.values()])
        labels = np.array([max(s.record.label for s in images) for images in found.values()])
        table[name] = {"n": len(found)} | {m: metrics.evaluate_scores(scores, labels)[m] for m in METRICS[:3]}
    return table


def saturated(scored: Sequence[Scored]) -> dict[str, dict[str, float]]:
    """AU-sPRO by type of anomaly at each limit of the false-positive rate, of a data set that knows saturations."""
    if not any("saturation" in s.record.meta for s in scored) or any(s.map is None for s in scored):
        return {}
    maps = [resize(s.map, s.record.shape[:2]) for s in scored]
    found, types = [regions(s.record) for s in scored], [s.record.defect for s in scored]
    return {str(limit): metrics.spro_loco(maps, found, types, limit) for limit in SPRO_LIMITS}


def realised(threshold: Threshold, scored: Sequence[Scored]) -> dict[str, float | None]:
    """What the threshold did on these images: shares of good images called defective, and of defective ones found."""
    called = np.array([s.score > threshold.value for s in scored])
    labels = np.array([s.record.label for s in scored])
    share = lambda label: float(called[labels == label].mean()) if (labels == label).any() else None
    return {"false_alarm_rate": share(0), "recall": share(1)}


def compare(values: Mapping[str, float | None], baselines: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """A note for every baseline that the method does not beat, metric by metric."""
    notes = []
    for name, others in baselines.items():
        lost = [
            f"{metric} {values[metric]:.3f} against {others[metric]:.3f}"
            for metric in ("image_auroc", "pixel_ap", "aupro")
            if values[metric] is not None and others[metric] is not None and values[metric] <= others[metric]
        ]
        if lost:
            notes.append(f"does not beat the baseline '{name}': {', '.join(lost)}")
    return notes
