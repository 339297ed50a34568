"""The report: one self-contained HTML page, readable without scripts, network or explanation."""

import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np

from adjax.report import breakdown, figures, panels, wording
from adjax.report.cases import FITTING, Case, Row, outcome, read_rows

HERE = pathlib.Path(__file__).parent
LISTED = 200  # scores listed on the page; all are in scores.csv
CALLED = {True: "defective", False: "good", None: "no decision"}
OUTCOMES = {
    "missed": ("Missed", "defective images that were called good"),
    "false_alarm": ("False alarms", "good images that were called defective"),
    "found": ("Found", "defective images that were called defective"),
    "passed": ("Passed", "good images that were called good"),
    "flagged": ("Flagged", "images without a label that were called defective"),
    "unflagged": ("Not flagged", "images without a label that were called good"),
    "undecided": ("Without a decision", "no threshold was set"),
}


def write_report(
    path: str | pathlib.Path,
    *,
    results: Mapping[str, Any],
    curves: Mapping[str, figures.Curve],
    rows: Sequence[Mapping[str, Any]],
    cases: Sequence[Case],
    history: Mapping[str, Sequence[tuple[int, float]]],
    config: Mapping[str, Any],
) -> None:
    """Writes the page, replacing an older one only when the new one is complete.

    `results` is the content of results.json; any part may be missing or None, as where nothing was labelled.
    Its `threshold` may hold `oracle`: {image, pixel}, each a number or {value}, chosen with test labels.
    `curves`: roc and pr of image scores, pro of maps, each (x, y): false positive rate and recall, recall and
    precision, false positive rate and mean overlap. `rows` are those of scores.csv; those of split validation
    stand in the histogram as the images that set the threshold. `history`: name -> (step, value).
    """
    path = pathlib.Path(path)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("metric", "fine_metric", "amount", "percent")
    environment.filters |= {name: getattr(wording, name) for name in names}
    seen = read_rows(rows)
    threshold = results.get("threshold") or {}
    page = environment.get_template("page.html").render(
        head=_head(results, seen),
        metrics=_metrics(results) if _measured(results, seen) else None,
        parts=[p for p in (_per_category(results), _per_item(results), _per_defect(results, seen)) if p],
        groups_table=breakdown.by_group(results),
        places_table=breakdown.by_place(results),
        notes=results.get("notes") or [],
        figures=_figures(results, curves, seen, history),
        threshold=_threshold(threshold, seen),
        scores=_scores(seen),
        **_cases(cases, threshold),
        run=_run(results, config),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(page, encoding="utf-8")
    os.replace(unfinished, path)


def _measured(results: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    """Whether the metrics say anything: a value, or a reason other than that nothing was labelled."""
    metrics = results.get("metrics") or {}
    labelled = any(r.label >= 0 for r in rows if r.split not in FITTING)
    return any(value is not None for value in metrics.values()) or (bool(metrics) and labelled)


def _head(results: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    tested = [r for r in rows if r.split not in FITTING]
    if _measured(results, rows):
        tone, sentence = wording.verdict(results["metrics"], results.get("baselines") or {})
    else:
        flagged = sum(r.decision is True for r in tested)
        decided = any(r.decision is not None for r in tested)
        called = f"{flagged} called defective" if decided else "without a threshold, so without decisions"
        sentence = f"{_count(len(tested), 'image')} scored, {called}. Without labels nothing can be measured."
        tone = "plain"
    size, map_size = (_sides(results.get(key)) for key in ("image_size", "map_size"))
    facts = [
        size and f"{size} pixels",
        map_size not in (None, size) and f"maps of {map_size}",
        results.get("n_train") is not None and f"learned from {_count(results['n_train'], 'good image')}",
        results.get("n_test") is not None and f"tested on {_count(results['n_test'], 'image')}",
        results.get("score_rule") and f"score of an image: {wording.pooling(results['score_rule'])}",
        results.get("seed") is not None and f"seed {results['seed']}",
    ]
    names = [str(results[key]) for key in ("dataset", "category") if results.get(key)]
    return {
        "title": " · ".join(names) or "Anomaly detection",
        "method": results.get("method"),
        "facts": " · ".join(fact for fact in facts if fact),
        "tone": tone,
        "verdict": sentence,
        "tiles": _tiles(results),
    }


def _sides(size: Any) -> str | None:
    """Height × width; one number stands for both."""
    return " × ".join(map(str, size if isinstance(size, list | tuple) else (size, size))) if size else None


def _tiles(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    metrics = results.get("metrics") or {}
    realised = (results.get("threshold") or {}).get("realised") or {}
    tiles = [(wording.label(name), wording.metric(metrics.get(name))) for name in ("image_auroc", "aupro")]
    tiles += [
        ("Good images called defective", wording.percent(realised.get("false_alarm_rate"))),
        ("Defective images found", wording.percent(realised.get("recall"))),
    ]
    return [tile for tile in tiles if tile[1] != wording.DASH]


def _metrics(results: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics as rows, the method and the baselines as columns, the best of each row marked."""
    own, reasons = results.get("metrics") or {}, results.get("reasons") or {}
    columns = {results.get("method") or "this method": own, **(results.get("baselines") or {})}
    names = [*wording.METRICS, *(name for name in own if name not in wording.METRICS)]
    lines = []
    for name in names:
        if not any(name in values for values in columns.values()):
            continue
        values = [column.get(name) for column in columns.values()]
        known = [value for value in values if value is not None]
        best = [len(known) > 1 and value == max(known) for value in values]
        missing = None if own.get(name) is not None else reasons.get(name) or "no reason was recorded"
        hint = wording.METRICS.get(name, (None, ""))[1]
        line = {"label": wording.label(name), "hint": hint, "missing": missing}
        lines.append(line | {"cells": list(zip(values, best))})
    return {"columns": list(columns), "lines": lines}


def _per_category(results: Mapping[str, Any]) -> dict[str, Any] | None:
    head = {"id": "per-category", "title": "By category", "text": "Each category by itself.", "first": "Category"}
    table = results.get("per_category") or {}
    return head | _lines(table, {}) if table else None


def _per_item(results: Mapping[str, Any]) -> dict[str, Any] | None:
    text = "All images of an item together: the highest of their scores counts."
    head = {"id": "per-item", "title": "By item", "text": text, "first": "Category"}
    table = results.get("per_item") or {}
    return head | _lines({name or "all": values for name, values in table.items()}, {}) if table else None


def _per_defect(results: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any] | None:
    text = "Each type alone, against all good test images."
    head = {"id": "per-defect", "title": "By type of defect", "text": text, "first": "Defect"}
    table = results.get("per_defect") or {}
    return head | _lines(table, wording.found_by_type(rows)) if table else None


def _lines(table: Mapping[str, Mapping[str, Any]], found: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics as columns; `found` says by row what decisions found."""
    present = {name for values in table.values() for name in values} - {"n", "reasons"}
    names = [name for name in wording.METRICS if name in present]
    names += sorted(name for name in present if name not in wording.METRICS)
    lines = [
        {"name": name, "n": values.get("n"), "found": found.get(name), "cells": list(map(values.get, names))}
        for name, values in table.items()
    ]
    return {"columns": [wording.label(name) for name in names], "lines": lines, "found": bool(found)}


def _figures(
    results: Mapping[str, Any],
    curves: Mapping[str, figures.Curve],
    rows: Sequence[Row],
    history: Mapping[str, Sequence[tuple[int, float]]],
) -> dict[str, Any]:
    unknown = set(curves) - set(figures.CURVES)
    if unknown:
        raise ValueError(f"unknown curves {sorted(unknown)}; choose from {', '.join(figures.CURVES)}")
    labels = [r.label for r in rows if r.split not in FITTING and r.label >= 0]
    prevalence = float(np.mean(labels)) if labels else None
    present = [kind for kind in figures.CURVES if kind in curves]
    drawn = [figures.draw_curve(kind, curves[kind], results, prevalence) for kind in present]
    histogram = figures.draw_histogram(rows, _level(results.get("threshold"), "image")) if rows else None
    return {"curves": drawn, "histogram": histogram, "history": figures.draw_history(history)}


def _threshold(threshold: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Sentences, the four outcomes where images are labelled, and the oracle's values."""
    sentences = []
    if threshold.get("image"):
        sentences.append(wording.promise(threshold["image"]))
    if threshold.get("pixel"):
        sentences.append(wording.promise(threshold["pixel"], pixel=True))
    counts = wording.count_outcomes(rows)
    labelled = any(counts.get(name) for name in ("missed", "found", "passed", "false_alarm"))
    oracle = {}
    for unit, value in (threshold.get("oracle") or {}).items():
        value = value.get("value") if isinstance(value, Mapping) else value
        oracle |= {unit: value} if value is not None else {}
    return {"sentences": sentences, "counts": counts if labelled else None, "oracle": oracle}


def _scores(rows: Sequence[Row]) -> dict[str, Any]:
    tested = [r for r in rows if r.split not in FITTING]
    ranked = sorted((r for r in tested if math.isfinite(r.score)), key=lambda r: -r.score)
    lines = [
        {
            "id": r.id,
            "truth": {0: "good", 1: r.defect or "defective"}.get(r.label, wording.DASH),
            "score": r.score,
            "decision": CALLED[r.decision],
            "wrong": outcome(r.label, r.decision) in ("missed", "false_alarm"),
        }
        for r in ranked[:LISTED]
    ]
    return {
        "lines": lines,
        "left_out": len(ranked) - len(lines),
        "without": len(tested) - len(ranked),
        "labelled": any(r.label >= 0 for r in tested),
    }


def _cases(cases: Sequence[Case], threshold: Mapping[str, Any]) -> dict[str, Any]:
    scale = panels.choose_scale(cases, _level(threshold, "pixel"))
    image = _level(threshold, "image")
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in OUTCOMES}
    for number, case in enumerate(cases):
        drawn = panels.draw_case(case, scale)
        kind = outcome(case.label, case.decision)
        truth = {0: "good", 1: case.defect or "defective"}.get(case.label, "no label")
        words = {"truth": truth, "called": CALLED[case.decision], "comparison": _compare(case.score, image)}
        groups[kind].append(drawn | words | {"case": case, "number": number, "kind": kind})
    shown = [(*OUTCOMES[name], members) for name, members in groups.items() if members]
    return {
        "groups": shown,
        "scale": scale,
        "colour_bar": panels.colour_bar() if scale.map else None,
        "masks": any(case.mask is not None and case.mask.any() for case in cases),
    }


def _level(threshold: Mapping[str, Any] | None, unit: str) -> float | None:
    """The value of a threshold; None where there is none, or none that a score could pass."""
    value = ((threshold or {}).get(unit) or {}).get("value")
    return value if value is not None and math.isfinite(value) else None


def _compare(score: float, threshold: float | None) -> str:
    if threshold is None:
        return f"score {wording.amount(score)}"
    side = "above" if score > threshold else "not above"
    return f"score {wording.amount(score)} {side} the threshold {wording.amount(threshold)}"


def _run(results: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    timing = []
    for name, value in (results.get("timing") or {}).items():
        words, unit = wording.TIMING.get(name, (name.replace("_", " "), ""))
        text = str(value) if isinstance(value, str) else wording.amount(value)
        timing.append((words, f"{text} {unit}" if value is not None else wording.DASH))
    return {
        "timing": timing,
        "versions": results.get("versions") or {},
        "command": results.get("command"),
        "config": json.dumps(config, indent=2, default=str, ensure_ascii=False) if config else None,
    }


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
