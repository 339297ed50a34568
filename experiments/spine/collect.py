"""Gathers results.json of all runs into experiments/spine/results.json and writes the tables of the READMEs from it."""

import argparse
import json
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
METRICS = ("image_auroc", "pixel_auroc", "pixel_ap", "aupro")
KEPT = ("dataset", "category", "method", "seed", "n_train", "n_validation", "n_test", "score_rule", "metrics")


def gather(runs: pathlib.Path) -> dict:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for path in sorted(runs.glob("*/results.json")):
        result = json.loads(path.read_text())
        config = json.loads((path.parent / "config.json").read_text())
        config["data"]["root"] = None  # a path of one machine
        name = path.parent.name.rsplit("-", 1)[0]
        kept = {k: result[k] for k in (*KEPT, "baselines", "threshold", "timing", "versions")}
        found.append({"name": name, **kept, "config": config})
    return {"collected_at_commit": commit.strip(), "runs": found}


def table(results: dict) -> list[str]:
    """One line for each data set and method: mean ± sd over seeds; a baseline has none of its own but the split's."""
    lines = ["| data | method | seeds | image AUROC | pixel AUROC | pixel AP | AUPRO | training | scoring |"]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for name in dict.fromkeys(run["name"] for run in results["runs"]):
        runs = [run for run in results["runs"] if run["name"] == name]
        for method in (runs[0]["method"], *runs[0]["baselines"]):
            own = method == runs[0]["method"]
            columns = [run["metrics"] if own else run["baselines"][method] for run in runs]
            cells = [spread([c[m] for c in columns], 3) for m in METRICS]
            times = ["", ""]
            if own:
                times = [f"{spread([r['timing']['fit_s'] for r in runs], 0)} s"]
                times += [f"{spread([r['timing']['score_images_per_s'] for r in runs], 1)} images/s"]
            lines.append("| " + " | ".join([name if own else "", method, str(len(runs)), *cells, *times]) + " |")
    return lines


def spread(values: list, digits: int) -> str:
    if any(v is None for v in values):
        return "–"
    mean = f"{statistics.mean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def replace(path: pathlib.Path, lines: list[str]) -> None:
    """Puts the table between the marks of a README."""
    start, end = "<!-- spine: start -->\n", "<!-- spine: end -->"
    text = path.read_text()
    before, rest = text.split(start)
    path.write_text(before + start + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=pathlib.Path, help="folder of working directories; without it, tables only")
    flags = parser.parse_args()
    path = HERE / "results.json"
    if flags.runs:
        path.write_text(json.dumps(gather(flags.runs), indent=1) + "\n")
    for readme in (ROOT / "README.md", HERE / "README.md"):
        replace(readme, table(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
