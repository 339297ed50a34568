"""What a run says at its end: results.json, the rows of scores.csv, the report, and a few lines for the log."""

import functools
import importlib.metadata
import pathlib
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from adjax import config as cfg
from adjax import evaluate, parallel
from adjax.data.decode import read_image
from adjax.evaluate import METRICS, Measured
from adjax.predict import Scored
from adjax.report import cases as reporting
from adjax.report.cases import Case
from adjax.report.page import write_report
from adjax.types import Dataset, Record

PACKAGES = (
    "adjax-vision",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "tensorflow-cpu",
    "tensorflow",
)
CASES = 12


def commit(package: pathlib.Path = pathlib.Path(__file__).parent) -> str:
    """The commit of the code as its files are, with "-dirty" where they differ; "unknown" outside a git checkout."""
    if not (package.parent / ".git").exists() or not shutil.which("git"):
        return "unknown"
    command = ["git", "-C", package, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


@functools.cache
def loaded() -> str:
    """The commit when this was first called: main does so at once, for a run may last, and its code be worked on."""
    return commit()


def results(
    trained, dataset: Dataset, scored: Sequence[Scored], measured: Measured, baselines, clock, command: str
) -> dict:
    """The content of results.json; a metric that cannot be computed is None, its reason beside it."""
    threshold = trained.thresholds["image"]
    found = {name: base.metrics for name, base in baselines.items()}
    views = {n: m.views for n, m in ({trained.meta["method"]: measured} | baselines).items() if m.views}
    return {
        "dataset": dataset.name,
        "category": dataset.category,
        "method": trained.meta["method"],
        "seed": trained.config.seed,
        "image_size": _sizes(s.record.shape[:2] for s in scored),
        "map_size": _sizes(s.map.shape for s in scored if s.map is not None),
        "n_train": trained.meta["counts"]["train"],
        "n_validation": len(trained.meta["validation_scores"]),
        "n_test": len(scored),
        "score_rule": trained.config.score.rule,
        "metrics": measured.metrics,
        "reasons": measured.reasons,
        "baselines": found,
        **({"views": views} if views else {}),
        "notes": evaluate.compare(measured.metrics, found),
        "threshold": _thresholds(trained)
        | {"realised": threshold and evaluate.realised(threshold, scored), "oracle": measured.oracle},
        "timing": _timing(trained, clock),
        "versions": versions(),
        "command": command,
    }


def unlabelled_results(trained, number: int, clock, skipped: list[str], command: str) -> dict:
    """What stands in the report of images without labels: no metrics."""
    return {
        "dataset": "unlabelled images",
        "category": "",
        "method": trained.meta["method"],
        "seed": trained.config.seed,
        "n_train": trained.meta["counts"]["train"],
        "n_test": number,
        "metrics": dict.fromkeys(METRICS),
        "reasons": dict.fromkeys(METRICS, "the images have no labels"),
        "notes": [f"skipped {line}" for line in skipped],
        "threshold": _thresholds(trained),
        "timing": _timing(trained, clock),
        "versions": versions(),
        "command": command,
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "device": jax.devices()[0].device_kind, "commit": loaded()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one of tensorflow-cpu and tensorflow is there, not both
    return found


def rows(scores: Sequence[tuple[Record, float]], split: str, trained) -> list[dict]:
    """Rows of scores.csv. A decision is 1 (defective), 0 (good), or empty without a threshold."""
    threshold = trained.thresholds["image"]
    value = threshold.value if threshold else None
    return [
        {
            "id": record.id,
            "path": record.path,
            "split": split,
            "label": record.label,
            "defect": record.defect,
            "score": score,
            "threshold": "" if value is None else value,
            "decision": "" if value is None else int(score > value),
        }
        for record, score in scores
    ]


def shortlist(scored: Sequence[Scored], trained) -> list[Scored]:
    """The unlabelled images that a report may show, however many more will be scored."""
    chosen = set(reporting.shortlist(rows([(s.record, s.score) for s in scored], "predict", trained), CASES))
    return [s for s in scored if s.record.id in chosen]


def report(
    folder: pathlib.Path, results: Mapping, curves, table: list[dict], scored: Sequence[Scored], masks, trained
) -> None:
    by_id = {s.record.id: (s, None if masks is None else masks[i]) for i, s in enumerate(scored)}
    threshold = trained.thresholds["image"]
    cases = []
    for name in reporting.choose_cases(table, CASES):
        s, mask = by_id[name]
        image = read_image(s.record, cfg.make_view(trained.config))
        decision = None if threshold is None else s.score > threshold.value
        anomaly_map = None if s.map is None else evaluate.resize(s.map, image.shape[:2])
        cases.append(Case(name, s.record.label, s.record.defect, s.score, decision, image, mask, anomaly_map))
    write_report(
        folder / "index.html",
        results=results,
        curves=curves,
        rows=table,
        cases=cases,
        history=trained.meta["history"],
        config=trained.config.to_dict(),
    )


def summary(results: Mapping) -> list[str]:
    """The lines that end the log: the metrics beside the baselines, and what the notes say."""
    columns = {results["method"]: results["metrics"]} | results["baselines"]
    lines = [" " * 14 + "".join(f"{name:>14}" for name in columns)]
    for metric in METRICS:
        cells = ("-" if c[metric] is None else f"{c[metric]:.4f}" for c in columns.values())
        lines.append(f"{metric:14}" + "".join(f"{cell:>14}" for cell in cells))
    return lines + list(results["notes"])


def _thresholds(trained) -> dict[str, Any]:
    return {applies: t and t._asdict() for applies, t in trained.thresholds.items()}


def _timing(trained, clock: Mapping[str, float]) -> dict[str, float]:
    seconds = trained.meta["seconds"]
    return {
        "fit_s": seconds["fit_s"],
        "input_wait_s": seconds["input_wait_s"],
        "score_images_per_s": clock["images"] / clock["score_s"],
        "compile_s": seconds["compile_s"] + clock["compile_s"],
        "peak_memory_mb": parallel.peak_memory_mb(),
    }


def _sizes(shapes) -> list[int | str] | None:
    """[h, w], each an integer where all images share it, else "lowest–highest"."""
    found = np.array(list(shapes))
    if not found.size:
        return None
    return [int(a) if a == b else f"{a}–{b}" for a, b in zip(found.min(axis=0), found.max(axis=0))]
