"""Gathers results.json of all runs into experiments/embedding/results.json and writes the READMEs' tables from it.

python -m experiments.embedding.collect --runs=runs/embedding
"""

import itertools
import json
import pathlib

from experiments.tables import ROOT, collected, replace, row, spread

HERE = pathlib.Path(__file__).parent
METRICS = ("image_auroc", "pixel_auroc", "aupro")
# anomalib 2.x with the same backbone and images, one seed.
ANOMALIB = {
    "elpv_mono-patchcore": (0.766, None, None),
    "elpv_mono-padim": (0.660, None, None),
    "elpv_poly-patchcore": (0.738, None, None),
    "elpv_poly-padim": (0.809, None, None),
    "kolektor_sdd-patchcore": (0.843, 0.834, 0.677),
    "kolektor_sdd-padim": (0.855, 0.885, 0.728),
    "mvtec_hazelnut_reduced-patchcore": (1.000, 0.988, 0.941),
    "mvtec_hazelnut_reduced-padim": (0.875, 0.992, 0.969),
}


SETS = ("elpv_mono", "elpv_poly", "kolektor_sdd", "mvtec_hazelnut_reduced")
METHODS = ("patchcore", "padim", "mahalanobis", "one_class", "similarity", "spade", "self_similarity", "reconpatch")


def table(results: dict) -> list[str]:
    """One line for each data set and method that was run: mean ± sd over seeds, anomalib's figure in parentheses."""
    lines = ["| data | method | seeds | image AUROC | pixel AUROC | AUPRO |", "|---|---|---|---|---|---|"]
    for data, method in itertools.product(SETS, METHODS):
        runs = [run["metrics"] for run in results["runs"] if run["name"] == f"{data}-{method}"]
        if runs:
            theirs = ANOMALIB.get(f"{data}-{method}", (None,) * len(METRICS))
            cells = [
                spread([run[metric] for run in runs], 3) + (f" ({other:.3f})" if other else "")
                for metric, other in zip(METRICS, theirs)
            ]
            lines.append(row([data, method, str(len(runs)), *cells]))
    return lines


# anomalib 2.x, milliseconds for each pick of its exact greedy selection on two cores, by number of points.
THEIRS_MS = {90112: 76.0, 360448: 260.0}


def coresets(found: dict) -> list[str]:
    """Seconds of exact greedy selections, and anomalib's time for one pick times the number of picks."""
    lines = [
        "| points | dimensions | chosen | s | processor s | anomalib s (times slower) |",
        "|---|---|---|---|---|---|",
    ]
    for run in found["runs"]:
        theirs = THEIRS_MS[run["points"]] * run["chosen"] / 1000
        seconds = [f"{run['wall_s']:.1f}", f"{run['cpu_s']:.1f}", f"{theirs:.0f} ({theirs / run['wall_s']:.0f}×)"]
        lines.append(row([str(run[k]) for k in ("points", "dimensions", "chosen")] + seconds))
    return lines


def main() -> None:
    results = collected(__doc__, HERE / "results.json")
    for readme in (ROOT / "README.md", HERE / "README.md"):
        replace(readme, "embedding", table(results))
    replace(HERE / "README.md", "coreset", coresets(json.loads((HERE / "coreset.json").read_text())))


if __name__ == "__main__":
    main()
