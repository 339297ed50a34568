"""Chooses filtering_ae's options without a test image, by defects planted in validation images.

python -m experiments.reconstruction.choose --root=DIR --out=runs/reconstruction_choose

DIR holds kolektor_sdd/ and crackforest_patches/; the ELPV cells come from their package. Every candidate is trained as
for the table; further arguments go to every training. Held-out images, or tiles of them, are scored as they are and in
two copies with a planted defect, of other contents than those that are learned to be removed. Candidates are judged by
the mean over the sets of image AP and pixel AP, halved: first FIRST, each with every one of SCORES, then the LOSSES in
turn, each of which is kept if it improves the mean. Writes choose.json, whose rows are not measured again.
Axes: b batch, h height, w width, c channels.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from adjax import config as cfg
from adjax import metrics, outcome
from adjax.data import pipeline
from adjax.losses import weighted_map
from adjax.losses.names import parse
from adjax.pooling import pool
from adjax.trained import Trained, restore
from adjax.types import Info
from experiments.planting import planted

HERE = pathlib.Path(__file__).parent
SETS = ("elpv_mono", "kolektor_sdd", "crackforest_patches")
FIRST = (
    {"skips": False, "noise": 0.05, "loss": "l2"},
    {"skips": True, "noise": 0.05, "loss": "l2"},
    {"skips": True, "noise": 0.0, "loss": "l2"},
    {"skips": False, "noise": 0.15, "loss": "l2"},
)
LOSSES = ("ssim + l1",)
SCORES = ("l1", "l2", "ssim", "gms", "msgms", "msgms + l1")
HELD_OUT = 64  # images or tiles at most
BATCH = 16


def learned(method: dict, name: str, a: argparse.Namespace) -> Trained:
    """The state that training for the table comes to, with these options of the method."""
    workdir = a.out / ("_".join(str(value).replace(" ", "") for value in method.values()) + "@" + name)
    where = [] if name.startswith("elpv") else [f"--config.data.root={a.root / name}"]
    command = ["-m", "adjax.main", "--mode=train", f"--config=experiments/reconstruction/recipe.py:filtering_ae@{name}"]
    options = [f"--config.method.{key}={value}" for key, value in method.items()]
    subprocess.run([sys.executable, *command, *where, *options, f"--workdir={workdir}", *a.further], check=True)
    return restore(workdir, None, {})


def shown(config) -> tuple[Float[np.ndarray, "b h w c"], Bool[np.ndarray, "b h w"]]:
    """Validation images, then their copies with defects, and all masks."""
    records = cfg.make_dataset(config).splits["validation"]
    number = HELD_OUT if config.data.tile else min(HELD_OUT, len(records))
    batches = pipeline.stream(records, cfg.make_view(config), batch_size=number, seed=0, augment=False)
    held = np.asarray(next(batches)["image"])
    return planted(held)


def measured(trained: Trained) -> dict[str, dict[str, float]]:
    """Of every one of SCORES."""
    images, masks = shown(trained.config)
    method = cfg.make_method(trained.config, Info(trained.meta["counts"], trained.config.fit.steps.to_dict(), BATCH))
    rebuild = jax.jit(lambda image: method.reconstruct(trained.state, {"image": image}, None))
    rebuilt = np.concatenate([np.asarray(rebuild(images[i : i + BATCH])) for i in range(0, len(images), BATCH)])
    found = {}
    for score in SCORES:
        maps = np.asarray(jax.jit(weighted_map(parse(score)))(rebuilt, images))
        scores = pooled(jnp.asarray(maps), trained.config.score.rule)
        found[score] = {
            "image_ap": metrics.average_precision(scores, masks.any((1, 2))),
            "pixel_ap": metrics.evaluate_maps(list(maps), list(masks))["pixel_ap"],
        }
    return found


def pooled(maps: Array, rule: str) -> np.ndarray:
    return np.asarray(pool(maps, rule, jnp.ones(maps.shape, bool)))


def criteria(sets: dict[str, dict]) -> dict[str, float]:
    """Of one candidate, by score, over the sets."""
    half = lambda one: (one["image_ap"] + one["pixel_ap"]) / 2
    return {score: statistics.mean(half(found[score]) for found in sets.values()) for score in SCORES}


def judge(method: dict, result: dict, a: argparse.Namespace) -> dict:
    """The candidate's row, measured where it has not been."""
    row = next((r for r in result["candidates"] if r["method"] == method), None)
    if row is None:
        sets = {name: measured(learned(method, name, a)) for name in SETS}
        row = {"method": method, "sets": sets, "criteria": criteria(sets)}
        result["candidates"].append(row)
        a.json.write_text(json.dumps(result, indent=1) + "\n")
    print(method, row["criteria"], flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--json", type=pathlib.Path, default=HERE / "choose.json")
    a, further = parser.parse_known_args()
    a.further = further
    result = json.loads(a.json.read_text()) if a.json.is_file() else {"versions": outcome.versions(), "candidates": []}
    best = max((judge(method, result, a) for method in FIRST), key=lambda row: max(row["criteria"].values()))
    for loss in LOSSES:
        row = judge(best["method"] | {"loss": loss}, result, a)
        best = max(best, row, key=lambda row: max(row["criteria"].values()))
    result["winner"] = best["method"] | {"score": max(best["criteria"], key=best["criteria"].get)}
    a.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
