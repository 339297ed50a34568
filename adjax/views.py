"""The pixel metrics seen by kind of defect and by kind of place, where the data set says what is where.

Groups: the defect pixels of one group of instances against the normal pixels of all images; the pixels of all other
defects count nowhere. Places: how often normal pixels are marked at crossings, on filaments and in between, at equal
recall.

Axes: h height, w width, p defect pixels of an image in reading order, n normal scores.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage
from scipy.spatial import cKDTree

from adjax.data.details import Details, Instance, read_counts
from adjax.metrics.classification import auroc_of, average_precision_of
from adjax.metrics.curves import area, pro_of
from adjax.metrics.ranking import check_maps, rank, sort_normal
from adjax.metrics.regions import label_regions
from adjax.types import Record

SEVERITIES = (1 / 3, 2 / 3)
SIZES = (100, 1000)  # px of the mask
DISTANCES = (5, 15, 40)  # px to the nearest crossing; on it means below 15
ANGLES = (15, 30, 60)  # degrees
REACH = 2  # px by which filaments and crossings are dilated
NEAREST = 20.0  # px: a crossing pixel farther from every listed crossing has no angle
RECALL = 0.8
FILAMENT, CROSSING, MOST = 1, 2, 4  # zones: how many filaments lie over a pixel or near it, MOST standing for more
PLACES = {"pores": (0, 1), "filaments": (1, 2), "crossings": (2, 5)}  # zones, the last one excluded
PLACES |= {"crossings of 2": (2, 3), "crossings of 3": (3, 4), "crossings of 4 or more": (4, 5)}


class Known(NamedTuple):
    """Of one image, ready for any number of maps."""

    instances: tuple[Instance, ...]
    number: UInt8[np.ndarray, "p"] | None  # instance at each defect pixel; None where nothing says
    zone: UInt8[np.ndarray, "h w"] | None  # filaments over a pixel + 5 * (1 + range of the crossing's angle)


def prepare(record: Record, mask: Bool[np.ndarray, "h w"], details: Details | None) -> Known:
    if details is None:
        return Known((), None, None)
    number = None
    if details.label:
        number = read_counts(details.label, record)[mask]
    elif len(details.instances) == 1:
        number = np.full(np.count_nonzero(mask), details.instances[0].number, np.uint8)
    zone = zones(read_counts(details.count, record), details.crossings) if details.count else None
    return Known(details.instances, number, zone)


def zones(count: UInt8[np.ndarray, "h w"], crossings: Float[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "h w"]:
    zone = np.minimum(ndimage.maximum_filter(count, 2 * REACH + 1), MOST)
    y, x = np.nonzero(zone >= CROSSING)
    if len(x) and len(crossings):
        away, nearest = cKDTree(crossings[:, :2]).query(np.stack([x, y], axis=1), distance_upper_bound=NEAREST)
        near = away <= NEAREST
        ranges = np.searchsorted(ANGLES, crossings[nearest[near], 2], side="right")
        zone[y[near], x[near]] += (5 * (1 + ranges)).astype(np.uint8)
    return zone


def measure_views(maps, masks, known: Sequence[Known]) -> dict[str, Any] | None:
    """{"groups": {grouping: {group: values}}, "places": ...}, or None where no instance is known.

    `maps` at the masks' resolution. One sort of the normal pixels serves all groups, and one each of those on filaments
    and at crossings: the only copies as large as the data.
    """
    maps, masks, _ = check_maps(maps, masks, None)
    groups = {name: _collect(by, maps, masks, known) for name, by in GROUPINGS.items()}
    groups = {name: found for name, found in groups.items() if found}
    if not groups or all(m.all() for m in masks):
        return None
    normal = sort_normal(maps, masks)
    hard = {
        f"auroc_{name}": np.sort(np.concatenate(scores))
        for name, lowest in (("filaments", FILAMENT), ("crossings", CROSSING))
        if (scores := [m[~g & (k.zone % 5 >= lowest)] for m, g, k in _placed(maps, masks, known)])
        and any(s.size for s in scores)
    }
    table = {
        by: {name: _values(pieces, normal, hard) for (_, name), pieces in sorted(found.items())}
        for by, found in groups.items()
    }
    return {"groups": table, "places": _places(maps, masks, known)}


class Piece(NamedTuple):
    """The pixels of one group in one image."""

    values: Float[np.ndarray, "p"]
    weights: Float[np.ndarray, "p"]  # 1 / pixels of the region
    regions: int
    instances: int


def _collect(by: Callable, maps, masks, known: Sequence[Known]) -> dict[tuple[int, str], list[Piece]]:
    """The pieces of every group under its (rank, name)."""
    groups: dict[tuple[int, str], list[Piece]] = {}
    for anomaly_map, mask, image in zip(maps, masks, known):
        members: dict[tuple[int, str], list[int]] = {}
        for instance in image.instances:
            group = by(instance)
            if group is not None:
                members.setdefault(group, []).append(instance.number)
        for group, numbers in members.items():
            if image.number is not None:
                chosen = np.isin(image.number, numbers)
                there = np.unique(image.number[chosen]).size
            elif len(numbers) == len(image.instances):  # without a label map, only a group that has the whole mask
                chosen, there = np.ones(np.count_nonzero(mask), bool), len(numbers)
            else:
                continue
            if chosen.any():
                groups.setdefault(group, []).append(_piece(anomaly_map, mask, chosen, there))
    return groups


def _piece(anomaly_map, mask, chosen: Bool[np.ndarray, "p"], instances: int) -> Piece:
    own = np.zeros_like(mask)
    own[mask] = chosen
    region = label_regions(own)
    size = np.bincount(region)
    return Piece(anomaly_map[own], 1.0 / size[region], size.size, instances)


def _values(pieces: list[Piece], normal: Float[np.ndarray, "n"], hard: dict[str, np.ndarray]) -> dict[str, Any]:
    values, weights = (np.concatenate([p[i] for p in pieces]) for i in range(2))
    ranking = rank(normal, values, weights, sum(p.regions for p in pieces), what="pixel")
    return {
        "images": len(pieces),
        "instances": sum(p.instances for p in pieces),
        "pixels": len(values),
        "prevalence": len(values) / (len(values) + normal.size),  # the average precision of guessing
        "pixel_ap": average_precision_of(ranking),
        "aupro": area(pro_of(ranking), 0.3),
        "pixel_auroc": auroc_of(ranking),
    } | {name: auroc_of(rank(scores, values, what="pixel")) for name, scores in hard.items()}


def _range(value: float | None, edges: Sequence[float], unit: str = "") -> tuple[int, str] | None:
    """(rank, name) of the range that holds the value, lower ends included."""
    if value is None:
        return None
    place = int(np.searchsorted(edges, value, side="right"))
    low, high = (f"{round(edges[i], 2):,g}" if 0 <= i < len(edges) else "" for i in (place - 1, place))
    return place, f"below {high}{unit}" if not low else f"{low} to {high}{unit}" if high else f"{low}{unit} and above"


def _named(name: str | None) -> tuple[int, str] | None:
    return None if name is None else (0, name)


GROUPINGS: dict[str, Callable[[Instance], tuple[int, str] | None]] = {
    "family": lambda i: _named(i.family),
    "type": lambda i: _named(i.type),
    "severity": lambda i: _range(i.severity, SEVERITIES),
    "size": lambda i: _range(i.area, SIZES, " px"),
    "crossing_distance": lambda i: _range(i.crossing_distance, DISTANCES, " px"),
}


def _placed(maps, masks, known: Sequence[Known]):
    """Map, mask and known of the images whose zones are known."""
    return [(m, g, k) for m, g, k in zip(maps, masks, known) if k.zone is not None]


def _places(maps, masks, known: Sequence[Known]) -> dict[str, Any] | None:
    """The share of normal pixels marked in each zone, at the highest thresholds that find RECALL of the defect pixels
    and RECALL of the instances; an instance is found when its highest score is marked.
    """
    placed = _placed(maps, masks, known)
    if not placed:
        return None
    thresholds = {
        "pixels": _level(np.concatenate([m[g] for m, g in zip(maps, masks)])),
        "instances": _level(np.array(_peaks(maps, masks, known))),
    }
    codes = 5 * (len(ANGLES) + 2)
    total, marked = np.zeros(codes, np.int64), {name: np.zeros(codes, np.int64) for name in thresholds}
    for anomaly_map, mask, image in placed:
        zone, scores = image.zone[~mask], anomaly_map[~mask]
        total += np.bincount(zone, minlength=codes)
        for name, level in thresholds.items():
            marked[name] += np.bincount(zone[scores >= level], minlength=codes)
    places = {}
    for name, chosen in _chosen(codes):
        if there := int(total[chosen].sum()):
            rates = {name: float(m[chosen].sum() / there) for name, m in marked.items()}
            places[name] = {"share": float(there / total.sum()), **rates}
    return {"recall": RECALL, "thresholds": thresholds, "false_alarms": places}


def _chosen(codes: int) -> list[tuple[str, np.ndarray]]:
    """(name of a place, its codes)."""
    code = np.arange(codes)
    found = [(name, (code % 5 >= low) & (code % 5 < high)) for name, (low, high) in PLACES.items()]
    angles = [_range(low, ANGLES, "°")[1] for low in (0, *ANGLES)]
    return found + [(f"crossings {angle}", code // 5 == 1 + k) for k, angle in enumerate(angles)]


def _level(scores: np.ndarray) -> float:
    """The highest threshold t so that at least RECALL of the scores are >= t."""
    number = math.ceil(RECALL * len(scores) - 1e-9)
    return float(np.partition(scores, len(scores) - number)[len(scores) - number])


def _peaks(maps, masks, known: Sequence[Known]) -> list[float]:
    """The highest score of every instance; of the whole mask where instances cannot be told apart."""
    peaks = []
    for anomaly_map, mask, image in zip(maps, masks, known):
        values = anomaly_map[mask]
        number = np.zeros(len(values), np.uint8) if image.number is None else image.number
        peaks += [values[number == k].max() for k in np.unique(number)]
    return peaks
