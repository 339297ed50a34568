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

SETS = ("elpv_mono", "elpv_poly", "kolektor_sdd", "mvtec_hazelnut_reduced", "crackforest_patches")
WITH_MASKS = SETS[2:]
MAPS = ("patchcore", "patchcore_chosen", "padim", "spade", "anomaly_dino_lite0", "self_similarity", "reconpatch")
PLAIN = ("mahalanobis", "similarity", *(f"one_class{model}" for model in ("", "_knn", "_lof", "_kde", "_forest")))
METHODS = (*MAPS, *PLAIN, "colour_forest", "ae_kde")
GREY = frozenset(SETS[:3])  # a histogram of colours has nothing to see there


def cell(results: dict, data: str, method: str, metric: str) -> str:
    """Mean ± sd over the seeds that were run, their number where it is not 3, and anomalib's figure in parentheses."""
    values = [run["metrics"][metric] for run in results["runs"] if run["name"] == f"{data}-{method}"]
    if not values:
        return "grey" if method == "colour_forest" and data in GREY else "not run"
    theirs = dict(zip(METRICS, ANOMALIB.get(f"{data}-{method}", ()))).get(metric)
    found = spread(values, 3) + (f", {len(values)} seeds" if len(values) == 2 else "")
    return found + (f" ({theirs:.3f})" if theirs else "")


def images(results: dict) -> list[str]:
    """Image AUROC: a line for each method, a column for each set."""
    lines = [row(["method", *SETS]), "|---" * (1 + len(SETS)) + "|"]
    return lines + [row([m, *(cell(results, data, m, "image_auroc") for data in SETS)]) for m in METHODS]


def pixels(results: dict) -> list[str]:
    """What the methods that have maps find of the sets that have masks."""
    lines = ["| data | method | pixel AUROC | pixel AP | AUPRO |", "|---|---|---|---|---|"]
    metrics = ("pixel_auroc", "pixel_ap", "aupro")
    return lines + [
        row([data, method, *(cell(results, data, method, metric) for metric in metrics)])
        for data, method in itertools.product(WITH_MASKS, MAPS)
    ]


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
        replace(readme, "embedding", images(results))
    replace(HERE / "README.md", "pixels", pixels(results))
    replace(HERE / "README.md", "coreset", coresets(json.loads((HERE / "coreset.json").read_text())))


if __name__ == "__main__":
    main()
