"""What experiments share: gathering finished runs, mean ± standard deviation over seeds, tables between marks."""

import argparse
import json
import pathlib
import statistics
import subprocess
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).parent.parent
KEPT = ("dataset", "category", "method", "seed", "n_train", "n_validation", "n_test", "score_rule", "metrics")
KEPT += ("baselines", "threshold", "timing", "versions")


def gather(runs: pathlib.Path, path: pathlib.Path, kept: Sequence[str] = KEPT) -> None:
    """Writes the results of runs in folders NAME-SEED to `path`, each with its configuration and the commit here.

    What `path` holds of other names and seeds stays: a table may be run piece by piece.
    """
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {(run["name"], run["seed"]): run for run in json.loads(path.read_text())["runs"]} if path.is_file() else {}
    for file in sorted(runs.glob("*/results.json")):
        result = json.loads(file.read_text())
        config = json.loads((file.parent / "config.json").read_text())
        config["data"]["root"] = None  # a path of one machine
        if weights := config["method"].get("weights"):
            config["method"]["weights"] = pathlib.Path(weights).name
        name = file.parent.name.rsplit("-", 1)[0]
        about = {"name": name, "collected_at_commit": commit.strip()}
        found[name, result["seed"]] = about | {k: result[k] for k in kept} | {"config": config}
    path.write_text(json.dumps({"runs": [found[key] for key in sorted(found)]}, indent=1) + "\n")


def collected(description: str, path: pathlib.Path) -> dict:
    """What `path` holds, gathered anew first where the command line names a folder of runs."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=pathlib.Path, help="folder of working directories; without it, tables only")
    flags = parser.parse_args()
    if flags.runs:
        gather(flags.runs, path)
    return json.loads(path.read_text())


def spread(values: list, digits: int) -> str:
    if any(v is None for v in values):
        return "–"
    mean = f"{statistics.mean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def replace(path: pathlib.Path, mark: str, lines: list[str]) -> None:
    """Puts a table between the marks of a README."""
    start, end = f"<!-- {mark}: start -->\n", f"<!-- {mark}: end -->"
    text = path.read_text()
    before, rest = text.split(start)
    path.write_text(before + start + "\n".join(lines) + "\n" + end + rest.split(end)[1])
