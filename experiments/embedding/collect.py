"""Gathers results.json of all runs into experiments/embedding/results.json and writes the READMEs' tables from it.

python -m experiments.embedding.collect --runs=runs/embedding
"""

import itertools
import json
import pathlib
import statistics

from experiments.tables import ROOT, collected, replace, row, spread
from experiments.turns import KEPT

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


def planted(found: dict) -> list[str]:
    """Candidates, the best first: the mean over the sets that they were chosen by, and image AP / pixel AP of each."""
    names = list(found["layers"][0]["sets"])
    lines = [row(["layers", "side ×", "changed", "mean", *names]), "|---" * (4 + len(names)) + "|"]
    rows = [(one, "") for one in found["layers"]] + [(one, changes(one, found)) for one in found["changes"]]
    for one, changed in sorted(rows, key=lambda pair: -pair[0]["criterion"]):
        candidate = one["candidate"]
        sets = [f"{one['sets'][n]['image_ap']:.3f} / {one['sets'][n]['pixel_ap']:.3f}" for n in names]
        mean = f"**{one['criterion']:.4f}**" if candidate == found["winner"] else f"{one['criterion']:.4f}"
        lines.append(row([", ".join(candidate["layers"]), str(candidate["zoom"]), changed, mean, *sets]))
    return lines


def changes(one: dict, found: dict) -> str:
    """What differs from the defaults, besides layers and side."""
    usual = found["layers"][0]["candidate"]
    return ", ".join(f"{k}={v}" for k, v in one["candidate"].items() if v != usual[k] and k not in ("layers", "zoom"))


def halved(results: dict) -> list[str]:
    """Image AUROC of PatchCore by what its network computes in, and the mean of the differences seed by seed."""
    lines = ["| data | float32 | bfloat16 | bfloat16 − float32 |", "|---|---|---|---|"]
    aurocs = {(r["name"], r["seed"]): r["metrics"]["image_auroc"] for r in results["runs"]}
    for data in SETS[:3]:
        pairs = [
            (v, aurocs[f"{data}-patchcore", s]) for (n, s), v in aurocs.items() if n == f"{data}-patchcore_bfloat16"
        ]
        difference = f"{statistics.mean(b - f for b, f in pairs):+.4f}" if pairs else "not run"
        names = (f"{data}-patchcore", f"{data}-patchcore_bfloat16")
        values = [[aurocs[key] for key in aurocs if key[0] == name] for name in names]
        lines.append(row([data, *(spread(v, 3) if v else "not run" for v in values), difference]))
    return lines


def parity(found: dict) -> list[str]:
    """Each network's layers with the largest difference as a share of the layer's largest value."""
    lines = ["| network | largest | by layer, in units of 1e-6 |", "|---|---|---|"]
    for name, layers in found["networks"].items():
        each = ", ".join(f"{layer} {1e6 * value:.1f}" for layer, value in layers.items())
        lines.append(row([name, f"{max(layers.values()):.1e}", each]))
    return lines


def speed(found: dict) -> list[str]:
    """Seconds of adjax and of the faster of the others, their ratio, and megabytes beyond what was imported.

    In brackets the ratio to the fastest of those for which malloc is set as for adjax.
    """
    lines = ["| what | adjax | other | ratio |", "|---|---|---|---|"]
    for kind, unit in (("features", "images at once"), ("neighbours", "neighbours")):
        for number, one in found[kind].items():
            mine, other = (f"{1000 * one['s'][name]:.0f} ms" for name in ("adjax", one["rival"]))
            what = f"{kind}, {number} {unit}" if kind == "features" else f"{number} {unit}"
            kept = min(s for name, s in one["s"].items() if name.endswith(KEPT)) / one["s"]["adjax"]
            lines.append(row([what, mine, f"{other} ({one['rival']})", f"{one['speedup']:.2f}× ({kept:.2f}×)"]))
    peak = {name: one["peak_mb"] for name, one in found["memory"].items()}
    beyond = {name: one["peak_mb"] - one["imported_mb"] for name, one in found["memory"].items()}
    for what, used in {"whole": peak, "beyond what is imported": beyond}.items():
        cells = [f"{used['adjax']:.0f} MB", f"{used['anomalib']:.0f} MB (anomalib)"]
        what = f"memory to fit and score {found['images']} images, {what}"
        lines.append(row([what, *cells, f"{used['anomalib'] / used['adjax']:.2f}×"]))
    return lines


# What has a file of its own, by the mark of its table.
PIECES = {"coreset": coresets, "choose": planted, "parity": parity, "speed": speed}


def main() -> None:
    results = collected(__doc__, HERE / "results.json")
    for readme in (ROOT / "README.md", HERE / "README.md"):
        replace(readme, "embedding", images(results))
    replace(HERE / "README.md", "pixels", pixels(results))
    replace(HERE / "README.md", "bfloat16", halved(results))
    for mark, lines in PIECES.items():
        file = HERE / f"{mark}.json"
        replace(
            HERE / "README.md", mark, lines(json.loads(file.read_text())) if file.is_file() else ["not measured yet"]
        )


if __name__ == "__main__":
    main()
