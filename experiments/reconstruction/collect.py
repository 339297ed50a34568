"""Gathers results.json of all runs into experiments/reconstruction/results.json and writes the README's tables.

python -m experiments.reconstruction.collect --runs=runs/reconstruction
"""

import pathlib
import statistics

from experiments.reconstruction import recipe
from experiments.tables import collected, replace, row, spread

HERE = pathlib.Path(__file__).parent
METRICS = {"image_auroc": "image AUROC", "pixel_ap": "pixel AP", "aupro": "AUPRO"}


def runs_of(results: dict, method: str, data: str | None = None) -> list[dict]:
    wanted = [f"{method}@{name}" for name in ([data] if data else recipe.DATA)]
    return [run for run in results["runs"] if run["name"] in wanted]


def quality(results: dict) -> list[str]:
    """For every metric a line for each method and a column for each data set; "–" where nothing was run or measured."""
    lines = []
    for metric, title in METRICS.items():
        sets = [name for name in recipe.DATA if metric == "image_auroc" or not name.startswith("elpv")]
        lines += ["", row([title, *sets]), "|---" * (1 + len(sets)) + "|"]
        for method in recipe.SMALL:
            found = [[run["metrics"][metric] for run in runs_of(results, method, name)] for name in sets]
            lines.append(row([method, *(f"{spread(v, 3)} ({len(v)})" if v else "–" for v in found)]))
    return lines


def speed(results: dict) -> list[str]:
    """Calibrated costs and, of what was run, medians by the wall clock."""
    lines = ["", row(["method", "updates at 128² grey", "training s", "images per s"]), "|---|---|---|---|"]
    for method in recipe.SMALL:
        timing = [run["timing"] for run in runs_of(results, method)]
        steps = recipe.steps(method, "elpv_mono") if recipe.CALIBRATED.is_file() else "–"
        lines.append(row([method, str(steps), *(median(timing, name) for name in ("fit_s", "score_images_per_s"))]))
    return lines


def median(timing: list[dict], name: str) -> str:
    return f"{statistics.median(t[name] for t in timing):.3g}" if timing else "–"


def main() -> None:
    results = collected(__doc__, HERE / "results.json")
    replace(HERE / "README.md", "reconstruction", quality(results) + speed(results) + [""])


if __name__ == "__main__":
    main()
