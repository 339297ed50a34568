"""Gathers results.json of all runs into experiments/student_teacher/results.json and writes the README's tables.

python -m experiments.student_teacher.collect --runs=runs/student_teacher
"""

import json
import pathlib

from experiments.student_teacher import recipe
from experiments.tables import ROOT, collected, replace, row, spread

HERE = pathlib.Path(__file__).parent
METRICS = {"image_auroc": "image AUROC", "pixel_auroc": "pixel AUROC", "aupro": "AUPRO"}
# anomalib 2.x's image AUROC with the same backbone, images and number of updates, one seed.
ANOMALIB = {"elpv_mono-stfpm": 0.799}


def quality(results: dict, features: dict) -> list[str]:
    """A line for each data set and method, those not run as well if they could be: mean ± sd over seeds."""
    lines = [row(["data", "method", "seeds", *METRICS.values()]), "|---" * 6 + "|"]
    for data in recipe.DATA:
        for method in recipe.METHODS:
            known = results["runs"] + (features["runs"] if method == "patchcore" else [])
            runs = [run for run in known if run["name"] == f"{data}-{method}"]
            if not runs and (method in recipe.ONCE or recipe.too_long(method, data)):
                continue
            cells = [spread([run["metrics"][m] for run in runs], 3) if runs else "not run" for m in METRICS]
            theirs = ANOMALIB.get(f"{data}-{method}")
            cells[0] += f" ({theirs:.3f})" if theirs else ""
            lines.append(row([data, method, str(len(runs)), *cells]))
    return lines


def speed(path: pathlib.Path) -> list[str]:
    """Seconds of a call, and of every rival how many times as many it takes."""
    if not path.is_file():
        return ["Not measured yet."]
    found = json.loads(path.read_text())
    lines = [f"{found['device']}, {found['processors']} processors, jax {found['versions']['jax']}.", ""]
    lines += [row(["what", "ours s", "others: times ours"]), "|---" * 3 + "|"]
    for part, cases in found["parts"].items():
        for name, case in cases.items():
            ours = next(s for label, s in case["seconds"].items() if label not in case["times_slower"])
            others = ", ".join(f"{label} {ratio:.2f}×" for label, ratio in case["times_slower"].items())
            lines.append(row([f"{part}: {name}", f"{ours:.4f}", others or "–"]))
    return lines


def main() -> None:
    results = collected(__doc__, HERE / "results.json")
    features = json.loads((ROOT / "experiments/embedding/results.json").read_text())
    replace(HERE / "README.md", "quality", quality(results, features))
    for device in ("cpu", "cuda"):
        replace(HERE / "README.md", f"speed {device}", speed(HERE / f"speed_{device}.json"))


if __name__ == "__main__":
    main()
