"""All metrics of a set in one call, sharing one sort. What is undefined is None, and `reasons` says why.

Axes: h w.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adjax.metrics.classification import auroc_of, average_precision_of, f1max_of, iou_max_of
from adjax.metrics.curves import area, pr_of, pro_of, roc_of, thin
from adjax.metrics.ranking import Maps, Masks, Undefined, rank_maps, rank_scores

IMAGE = ("image_auroc", "image_ap", "image_f1max")
PIXEL = ("pixel_auroc", "pixel_ap", "pixel_f1max", "aupro", "aupro_05", "iou_max")


def evaluate_scores(scores: Any, labels: Any) -> dict[str, Any]:
    """Image metrics, their oracle threshold, and the curves `image_roc` and `image_pr`.

    Raises ValueError on NaN, on labels other than 0 and 1, and on lengths that differ.
    """
    try:
        ranking = rank_scores(scores, labels)
    except Undefined as reason:
        return _nothing(IMAGE, reason)
    f1, threshold = f1max_of(ranking)
    values = (auroc_of(ranking), average_precision_of(ranking), f1)
    curves = {"image_roc": thin(roc_of(ranking)), "image_pr": thin(pr_of(ranking))}
    return {**dict(zip(IMAGE, values)), "oracle": threshold, "curves": curves, "reasons": {}}


def evaluate_maps(maps: Maps, masks: Masks | None, ignore: Masks | None = None) -> dict[str, Any]:
    """Pixel metrics over all pixels of all images, AUPRO to a false-positive rate of 0.3 and 0.05, their
    oracle threshold (best F1 and best IoU are at the same one) and the curves `pixel_roc`, `pixel_pr` and
    `pro`, thinned for drawing.

    Raises ValueError on NaN, on float masks, and on shapes that differ. Extra memory: one copy of the maps and
    about 100 bytes for each defect pixel.
    """
    try:
        ranking = rank_maps(maps, masks, ignore)
    except Undefined as reason:
        return _nothing(PIXEL, reason)
    f1, threshold = f1max_of(ranking)
    pro = pro_of(ranking)
    values = (auroc_of(ranking), average_precision_of(ranking), f1, area(pro, 0.3), area(pro, 0.05))
    curves = {"pixel_roc": thin(roc_of(ranking)), "pixel_pr": thin(pr_of(ranking)), "pro": thin(pro)}
    values += (iou_max_of(ranking).value,)
    return {**dict(zip(PIXEL, values)), "oracle": threshold, "curves": curves, "reasons": {}}


def per_defect(metric: Callable[..., Any], defects: Sequence[str], *columns: Sequence[Any]) -> dict[str, Any]:
    """`metric(*columns)` for each type of defect, on its images and all of type "good".

    `columns` hold one entry per image: `per_defect(evaluate_maps, defects, maps, masks)`.
    """
    chosen = {d: [i for i, e in enumerate(defects) if e in ("good", d)] for d in sorted({*defects} - {"good"})}
    return {d: metric(*[[c[i] for i in where] for c in columns]) for d, where in chosen.items()}


def mad(image: Mapping[str, Any], pixel: Mapping[str, Any]) -> float:
    """The mean of the seven metrics that ADer averages (arXiv 2406.03262), all of them exact here.

    Its own code takes the map min-max normalised over the test set and few thresholds: its numbers differ.
    Takes what evaluate_scores and evaluate_maps return. Raises Undefined where one of the seven is None.
    """
    for result in (image, pixel):
        for name, reason in result["reasons"].items():
            raise Undefined(f"{name} is undefined: {reason}")
    return (sum(image[name] for name in IMAGE) + sum(pixel[name] for name in PIXEL[:4])) / 7


def _nothing(names: tuple[str, ...], reason: Undefined) -> dict[str, Any]:
    return {
        **dict.fromkeys(names),
        "oracle": None,
        "curves": {},
        "reasons": dict.fromkeys(names, str(reason)),
    }
