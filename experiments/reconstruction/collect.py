"""Gathers results.json of all runs into experiments/reconstruction/results.json, writes the README's tables.

python -m experiments.reconstruction.collect --runs=runs/reconstruction
"""

import json
import pathlib

from experiments.reconstruction import recipe
from experiments.tables import collected, replace, row, spread

HERE = pathlib.Path(__file__).parent
METRICS = {"image_auroc": "image AUROC", "pixel_ap": "pixel AP", "aupro": "AUPRO"}


def runs_of(results: dict, method: str, data: str) -> list[dict]:
    return [run for run in results["runs"] if run["name"] == f"{method}@{data}"]


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


def speed() -> list[str]:
    """Calibrated costs: the runs of the table shared their processors with each other."""
    lines = [
        "",
        row(["at 128² grey", "updates", "training, processor s", "images scored per processor s"]),
        "|---" * 4 + "|",
    ]
    costs = json.loads(recipe.CALIBRATED.read_text())
    for method in recipe.SMALL:
        learn, look = (costs[kind].get(method, {}).get("128x128x1") for kind in ("cpu_s_per_step", "cpu_s_per_image"))
        steps = recipe.steps(method, "elpv_mono")
        lines.append(row([method, str(steps), f"{steps * learn:.0f}", f"{1 / look:.3g}" if look else "–"]))
    return lines


def chosen() -> list[str]:
    """Mean of image AP and pixel AP on planted defects, by candidate and score; the winner is bold."""
    found = json.loads((HERE / "choose.json").read_text())
    scores, won = list(found["candidates"][0]["criteria"]), found["winner"]
    lines = [row(["skips", "noise", "loss", *scores]), "|---" * (3 + len(scores)) + "|"]
    for one in found["candidates"]:
        cells = (
            f"**{value:.3f}**" if one["method"] | {"score": score} == won else f"{value:.3f}"
            for score, value in one["criteria"].items()
        )
        lines.append(row([*map(str, one["method"].values()), *cells]))
    return lines


def main() -> None:
    results = collected(__doc__, HERE / "results.json")
    replace(HERE / "README.md", "reconstruction", quality(results) + speed() + [""])
    replace(HERE / "README.md", "choose", chosen())


if __name__ == "__main__":
    main()
