"""Gathers results.json of all runs into experiments/spine/results.json and writes the tables of the READMEs from it.

python -m experiments.spine.collect --runs=runs/spine
"""

import pathlib

from experiments.tables import ROOT, collected, replace, row, spread

HERE = pathlib.Path(__file__).parent
METRICS = ("image_auroc", "pixel_auroc", "pixel_ap", "aupro")


def table(results: dict) -> list[str]:
    """One line for each data set and method: mean ± sd over seeds; a baseline has none of its own but the split's."""
    lines = ["| data | method | seeds | image AUROC | pixel AUROC | pixel AP | AUPRO |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name in dict.fromkeys(run["name"] for run in results["runs"]):
        runs = [run for run in results["runs"] if run["name"] == name]
        for method in (runs[0]["method"], *runs[0]["baselines"]):
            own = method == runs[0]["method"]
            columns = [run["metrics"] if own else run["baselines"][method] for run in runs]
            cells = [spread([c[m] for c in columns], 3) for m in METRICS]
            lines.append(row([name if own else "", method, str(len(runs)), *cells]))
    return lines


def main() -> None:
    results = collected(__doc__, HERE / "results.json")
    for readme in (ROOT / "README.md", HERE / "README.md"):
        replace(readme, "spine", table(results))


if __name__ == "__main__":
    main()
