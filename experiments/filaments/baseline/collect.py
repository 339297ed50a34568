"""Gathers results.json of all runs into one, and writes the tables of README.md from it.

python -m experiments.filaments.baseline.collect --runs=runs/filaments
"""

import argparse
import json
import pathlib
import shutil
import statistics

from adjax.report.wording import fine_metric, percent
from experiments.tables import KEPT, gather, replace, row, spread

HERE = pathlib.Path(__file__).parent
METRICS = {"image_auroc": "image AUROC", "pixel_ap": "pixel AP", "aupro": "AUPRO"}


def by_method(results: dict, level: str) -> dict[str, list[dict]]:
    """Name -> {metrics, views} of every seed; a filter has one entry."""
    found: dict[str, list[dict]] = {}
    for run in results["runs"]:
        if run["config"]["data"]["options"]["filaments"]["level"] != level:
            continue
        own = {"metrics": run["metrics"], "views": run["views"][run["method"]]}
        found.setdefault(f"{run['method']}, {run['config']['method']['loss']}", []).append(own)
        for name, metrics in run["baselines"].items():
            found.setdefault(name, []).append({"metrics": metrics, "views": run["views"][name]})
    filters = {name: found.pop(name) for name in ("intensity", "local_median") if name in found}
    return found | filters


def levels(results: dict) -> list[str]:
    return sorted({run["config"]["data"]["options"]["filaments"]["level"] for run in results["runs"]})


def main_table(results: dict) -> list[str]:
    lines = [row(["level", "method", "seeds", *METRICS.values()]), row(["---"] * 6)]
    for level in levels(results):
        for name, runs in by_method(results, level).items():
            cells = [spread([r["metrics"][m] for r in runs], 4 if m == "pixel_ap" else 3) for m in METRICS]
            lines.append(row([level, name, str(len(runs)), *cells]))
    return lines


def types_table(results: dict, level: str) -> list[str]:
    """Pixel AP of each type, the mean over seeds, the best in bold."""
    methods = by_method(results, level)
    first = next(iter(methods.values()))[0]["views"]["groups"]["type"]
    lines = [row(["type", "instances", "guessing", *methods]), row(["---"] * (3 + len(methods)))]
    for name, values in first.items():
        means = [mean([r["views"]["groups"]["type"][name]["pixel_ap"] for r in runs]) for runs in methods.values()]
        cells = bold(means, max, fine_metric)
        lines.append(row([name, str(values["instances"]), fine_metric(values["prevalence"]), *cells]))
    return lines


def places_table(results: dict, level: str) -> list[str]:
    """Normal pixels marked in each place at the threshold that finds 80 % of the instances, the fewest in bold."""
    methods = by_method(results, level)
    first = next(iter(methods.values()))[0]["views"]["places"]["false_alarms"]
    lines = [row(["place", "of all normal pixels", *methods]), row(["---"] * (2 + len(methods)))]
    for name, values in first.items():
        rates = [[r["views"]["places"]["false_alarms"][name]["instances"] for r in runs] for runs in methods.values()]
        lines.append(row([name, percent(values["share"]), *bold(list(map(mean, rates)), min, percent)]))
    return lines


def mean(values: list[float]) -> float:
    return statistics.mean(values)


def bold(values: list[float], better, words) -> list[str]:
    return [f"**{words(v)}**" if v == better(values) else words(v) for v in values]


def details(results: dict, table) -> list[str]:
    return [line for level in levels(results) for line in ("", f"**{level}**", "", *table(results, level))][1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=pathlib.Path, help="folder of working directories; without it, tables only")
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="where results.json and README.md go")
    flags = parser.parse_args()
    path, readme = flags.out / "results.json", flags.out / "README.md"
    if flags.out != HERE:
        shutil.copy(HERE / "README.md", readme)
    if flags.runs:
        gather(flags.runs, path, (*KEPT, "views"))
    results = json.loads(path.read_text())
    replace(readme, "main", main_table(results))
    replace(readme, "types", details(results, types_table))
    replace(readme, "places", details(results, places_table))


if __name__ == "__main__":
    main()
