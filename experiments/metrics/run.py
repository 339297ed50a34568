"""Measures adjax.metrics and adjax.threshold: time against other libraries, agreement, memory, coverage.

Every rival runs once per round, in an order drawn anew, in one process and on one thread (run.sh sees to it);
times are CPU seconds and ratios are medians over rounds of (rival / adjax) within a round.

Axes: n h w.
"""

import argparse
import importlib.metadata
import json
import pathlib
import platform
import time
import tracemalloc

import numpy as np
import rivals
import torch
from alarms import coverage
from kolektor import intervals
from scipy import ndimage
from sklearn import metrics as sklearn

from adjax import metrics
from adjax.metrics import streaming

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
SEED = 0
PACKAGES = ("numpy", "scipy", "torch", "torchmetrics", "anomalib", "adeval", "scikit-learn", "scikit-image")


def make(n, side, seed):
    """Smooth noise with brighter rectangles, three on each of 70 % of the images; about 2 % of the pixels."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(n, side, side)).astype(np.float32)
    maps = ndimage.gaussian_filter(maps, (0, 3, 3)) * 10
    masks = np.zeros(maps.shape, bool)
    for i in range(round(0.7 * n)):
        for _ in range(3):
            height, width = rng.integers(side // 40, side // 7, size=2)
            top, left = rng.integers(0, side - side // 7, size=2)
            masks[i, top : top + height, left : left + width] = True
    return maps + masks * rng.uniform(0, 3, size=(n, 1, 1)).astype(np.float32), masks


def clock(calls, rounds, seed=SEED):
    """CPU seconds of each call in each round, and each one's value."""
    rng, seconds, values = np.random.default_rng(seed), {name: [] for name in calls}, {}
    for _ in range(rounds):
        for name in rng.permutation([*calls]):
            start = time.process_time()
            values[name] = calls[name]()
            seconds[name].append(time.process_time() - start)
    return seconds, values


def compare(seconds, base):
    def row(name):
        ratios = np.array(seconds[name]) / np.array(seconds[base])
        return {
            "cpu_s": round(float(np.median(seconds[name])), 4),
            "ratio": round(float(np.median(ratios)), 2),
            "ratio_range": [round(float(ratios.min()), 2), round(float(ratios.max()), 2)],
        }

    return {name: row(name) for name in seconds}


def peak(call, maps):
    """Peak of what NumPy allocates during the call, in bytes of the maps."""
    tracemalloc.start()
    call()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(highest / maps.nbytes, 3)


def measure(n, side, rounds):
    maps, masks = make(n, side, SEED)
    scores, labels = maps.max(axis=(1, 2)), masks.any(axis=(1, 2))
    flat, truth = maps.ravel(), masks.ravel()

    def everything():
        return metrics.evaluate_scores(scores, labels) | metrics.evaluate_maps(maps, masks)

    seconds, values = clock(
        {
            "adjax aupro (exact)": lambda: metrics.aupro(maps, masks),
            "adjax all metrics (exact)": everything,
            "anomalib 2.7.0 aupro (exact)": lambda: rivals.anomalib_aupro(maps, masks),
            "adeval 1.1.0 auroc, aupr, aupro (1000 steps)": lambda: rivals.adeval_all(maps, masks),
            "plain NumPy + scikit-image aupro (exact)": lambda: rivals.plain_aupro(maps, masks),
            "100 thresholds aupro": lambda: rivals.mvtec_steps(maps, masks),
        },
        rounds,
    )
    base = "adjax aupro (exact)"
    ours = values["adjax all metrics (exact)"]
    pair = {"adjax all metrics (exact)": everything}
    pair["scikit-learn auroc, ap, f1max"] = lambda: (
        rivals.sklearn_three(flat, truth),
        rivals.sklearn_three(scores, labels),
    )
    pair["torchmetrics auroc, ap"] = lambda: (
        rivals.torchmetrics_two(flat, truth),
        rivals.torchmetrics_two(scores, labels),
    )
    more, other = clock(pair, max(rounds - 2, 3))
    theirs = np.array(other["scikit-learn auroc, ap, f1max"]).ravel()
    names = ("pixel_auroc", "pixel_ap", "pixel_f1max", "image_auroc", "image_ap", "image_f1max")
    state = streaming.tally(maps, masks)
    stream = streaming.compute(state)
    return {
        "maps": [n, side, side],
        "defect_share": round(float(masks.mean()), 4),
        "values": {k: v for k, v in ours.items() if isinstance(v, float)},
        "aupro": compare(seconds, base),
        "auroc_ap_f1": compare(more, "adjax all metrics (exact)"),
        "aupro_disagreement": {k: abs(np.ravel(v)[-1] - values[base]) for k, v in values.items() if "all" not in k},
        "scikit_learn_disagreement": max(abs(theirs[i] - ours[name]) for i, name in enumerate(names)),
        "peak_memory_in_maps": {
            "aupro": peak(lambda: metrics.aupro(maps, masks), maps),
            "all metrics": peak(everything, maps),
        },
        "streaming": {k: {"error": abs(v.value - ours[k]), "bound": v.error} for k, v in stream.items()},
        "streaming_bytes": int(sum(a.nbytes for a in state[:4])),
    }


def agreement():
    """With 50 % ties against scikit-learn, and AUPIMO against the authors' code in anomalib."""
    rng, worst = np.random.default_rng(SEED), 0.0
    for n in (10, 100, 1000, 10_000, 100_000):
        for _ in range(10):
            scores, labels = rng.normal(size=n), rng.uniform(size=n) < 0.3
            scores[: n // 2] = np.round(scores[: n // 2], 1)
            labels[:2] = 0, 1
            ours = metrics.auroc(scores, labels), metrics.average_precision(scores, labels)
            ours += (metrics.f1max(scores, labels).value,)
            worst = max(worst, np.abs(np.subtract(ours, rivals.sklearn_three(scores, labels))).max())
    maps, masks = make(30, 512, SEED + 1)
    ours = metrics.aupimo(maps, masks)
    start = time.process_time()
    *_, theirs, points = rivals.ANOMALIB_AUPIMO(torch.from_numpy(maps), torch.from_numpy(masks), 30_000)
    theirs, theirs_s = theirs.numpy()[masks.any(axis=(1, 2))], time.process_time() - start
    start = time.process_time()
    metrics.aupimo(maps, masks)
    return {
        "ties_scikit_learn": worst,
        "aupimo_mean": ours.mean,
        "aupimo_anomalib_mean": float(theirs.mean()),
        "aupimo_largest_per_image": float(np.abs(ours.per_image - theirs).max()),
        "aupimo_anomalib_points": int(points),
        "aupimo_cpu_s": {"adjax": time.process_time() - start, "anomalib, 30,000 thresholds": theirs_s},
        "jaccard": abs(metrics.iou(maps > 1, masks) - sklearn.jaccard_score(masks.ravel(), maps.ravel() > 1)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--data", help="KolektorSDD in the folder layout of MVTec AD, for the bootstrap intervals")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=10_000)
    flags = parser.parse_args()
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    cpu = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    result = {
        "commit": flags.commit,
        "device": f"CPU {cpu[0]}, {len(cpu)} cores; one thread",
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "seed": SEED,
        "rounds": flags.rounds,
        "sets": [measure(100, 256, flags.rounds), measure(20, 1024, flags.rounds)],
        "agreement": agreement(),
        "coverage": coverage(flags.trials, SEED),
        "kolektor": intervals(flags.data, SEED) if flags.data else None,
    }
    (HERE / "results.json").write_text(json.dumps(result, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
