"""The views of results.json (adjax.views) as two tables: metrics by group of defects, false alarms by place."""

from collections.abc import Mapping
from typing import Any

from adjax.report import wording

GROUPINGS = {
    "family": "Family",
    "type": "Type",
    "severity": "Severity, from 0 to 1",
    "size": "Area of the mask",
    "crossing_distance": "Distance to the nearest crossing",
}
METRICS = {"pixel_ap": "Pixel AP", "aupro": "AUPRO 0.3", "auroc_crossings": "AUROC against crossings"}
RECALLS = {"pixels": "defect pixels", "instances": "instances"}


def by_group(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """One part for each grouping, one line for each group; cells hold every metric of every method, best marked."""
    views = results.get("views") or {}
    if not views:
        return None
    groups = {name: view["groups"] for name, view in views.items()}
    first = next(iter(groups.values()))
    present = [m for m in METRICS if any(m in values for table in first.values() for values in table.values())]
    parts = []
    for by, table in first.items():
        lines = []
        for group, values in table.items():
            cells = [_best([groups[n][by][group].get(m) for n in groups], max) for m in present]
            line = {"group": group, "instances": values["instances"], "guessing": values["prevalence"]}
            lines.append(line | {"cells": [cell for metric in cells for cell in metric]})
        parts.append((GROUPINGS.get(by, wording.label(by)), lines))
    return {"methods": list(views), "metrics": [METRICS[m] for m in present], "parts": parts}


def by_place(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """One line for each place; cells hold the marked share of its normal pixels for every method, least marked."""
    views = results.get("views") or {}
    places = {name: view["places"] for name, view in views.items() if view["places"]}
    if not places:
        return None
    first = next(iter(places.values()))
    lines = []
    for place, values in first["false_alarms"].items():
        cells = [_best([p["false_alarms"][place][unit] for p in places.values()], min) for unit in RECALLS]
        lines.append({"place": place, "share": values["share"], "cells": [c for unit in cells for c in unit]})
    found = [f"{wording.percent(first['recall'])} of the {words} found" for words in RECALLS.values()]
    return {"methods": list(places), "recalls": found, "lines": lines}


def _best(values: list, better) -> list[tuple[float | None, bool]]:
    known = [value for value in values if value is not None]
    return [(value, len(known) > 1 and value == better(known)) for value in values]
