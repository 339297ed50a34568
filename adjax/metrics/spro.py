"""Saturated per-region overlap, the metric of MVTec LOCO AD (Bergmann et al., IJCV 2022).

A region is one annotated defect, whatever its number of connected parts, and regions may overlap. It counts
as found once its saturation area is marked: where either of two places would be wrong, half of the mask is
enough.

Axes: h w.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from adjax.metrics.curves import Curve, area, pro_of
from adjax.metrics.ranking import Maps, Masks, Undefined, as_mask, as_scores, check_maps, rank, sort_normal


class Region(NamedTuple):
    mask: Any  # [h w], bool or integer, as `as_mask` reads it
    threshold: float = 1.0  # `saturation_threshold` of the set's defects_config.json
    relative: bool = True  # `relative_saturation`: the threshold is a share of the area; else full-size pixels

    def saturation(self, pixels: int) -> int:
        """The saturation area of a region of so many pixels: truncated, and 1 at least."""
        wanted = int(self.threshold * pixels) if self.relative else int(min(self.threshold, pixels))
        return max(wanted, 1)


def spro_curve(maps: Maps, regions: Sequence[Sequence[Region]], ignore: Masks | None = None) -> Curve:
    """Mean saturated overlap over the false-positive rate; `regions` of a good image are ().

    A false positive is a marked pixel outside every region of its image.
    """
    maps = [as_scores(m) for m in maps]
    if len(maps) != len(regions):
        raise ValueError(f"{len(maps)} maps but regions of {len(regions)} images")
    unions = [_union(m, of_image) for m, of_image in zip(maps, regions)]
    maps, unions, ignore = check_maps(maps, unions, ignore)
    values, weights = [np.empty(0, np.float32)], [np.empty(0)]
    for anomaly_map, of_image, ignored in zip(maps, regions, ignore):
        for region in of_image:
            mask = as_mask(region.mask, "region")
            value = np.sort(anomaly_map[mask if ignored is None else mask & ~ignored])[::-1]
            if value.size:
                values.append(value)
                weights.append(_gains(value.size, region.saturation(value.size)))
    hidden = [u if o is None else u | o for u, o in zip(unions, ignore)]
    normal = sort_normal(maps, hidden)
    return pro_of(rank(normal, np.concatenate(values), np.concatenate(weights), len(values) - 1, what="pixel"))


def spro(
    maps: Maps, regions: Sequence[Sequence[Region]], fpr_limit: float = 0.05, ignore: Masks | None = None
) -> float:
    """Area under the sPRO curve up to `fpr_limit`, divided by it. Exact, over every distinct score.

    The official script takes thresholds by random sampling and bisection: it agrees up to its step width.
    With every saturation at 1 and connected, separate regions it is AUPRO. Saturations given in pixels hold
    at the size of the published masks: don't resize them.
    """
    return area(spro_curve(maps, regions, ignore), fpr_limit)


def spro_loco(
    maps: Maps,
    regions: Sequence[Sequence[Region]],
    types: Sequence[str],
    fpr_limit: float = 0.05,
    ignore: Masks | None = None,
) -> dict[str, float]:
    """sPRO of each anomaly type ("logical_anomalies", "structural_anomalies"), each with all images of type
    "good", and under "mean" their mean, which is the headline number.
    """
    kinds = sorted({*types} - {"good"})
    if not kinds:
        raise Undefined("there is no defective image")
    result = {}
    for kind in kinds:
        chosen = [i for i, t in enumerate(types) if t in ("good", kind)]
        columns = [None if c is None else [c[i] for i in chosen] for c in (maps, regions, ignore)]
        result[kind] = spro(*columns[:2], fpr_limit, columns[2])
    return {**result, "mean": float(np.mean([*result.values()]))}


def _union(anomaly_map, of_image):
    union = np.zeros(anomaly_map.shape, bool)
    for region in of_image:
        mask = as_mask(region.mask, "region")
        if mask.shape != union.shape:
            raise ValueError(f"a region has shape {mask.shape}, its map {union.shape}")
        union |= mask
    return union


def _gains(pixels: int, saturation: int) -> Float[np.ndarray, "p"]:
    """What each next pixel adds to min(found / saturation, 1)."""
    return np.diff(np.minimum(np.arange(pixels + 1) / saturation, 1.0))
