"""Gathers results.json of all runs into experiments/spine/results.json and writes the tables of the READMEs from it.

python -m experiments.spine.collect --runs=runs/spine
"""

import argparse
import json
import pathlib

from experiments.tables import ROOT, gather, replace, row, spread

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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=pathlib.Path, help="folder of working directories; without it, tables only")
    flags = parser.parse_args()
    path = HERE / "results.json"
    if flags.runs:
        path.write_text(json.dumps(gather(flags.runs), indent=1) + "\n")
    for readme in (ROOT / "README.md", HERE / "README.md"):
        replace(readme, "spine", table(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
