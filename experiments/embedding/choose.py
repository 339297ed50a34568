"""Chooses PatchCore's layers, resolution and rules without a test image, by defects planted in good learning images.

python -m experiments.embedding.choose --root=DIR

DIR holds kolektor_sdd/, mvtec_hazelnut_reduced/ and crackforest_patches/; the ELPV cells come from their package. Of
the good learning images of each set some are learned from and others held out; every held-out image is taken as it is,
and in two copies with a planted defect. Candidates are judged by the mean, over the sets, of image AP and pixel AP,
halved: first all LAYERS at all ZOOMS, then the CHANGES one after another, each of which is kept if it improves the
mean. Writes choose.json, of which `collect` makes a table.
Axes: b batch, h height, w width, c channels, i grid height, j grid width, d features.
"""

import argparse
import functools
import itertools
import json
import pathlib
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adjax import data, metrics, outcome
from adjax.backbones import backbone
from adjax.data import pipeline
from adjax.data.view import View
from adjax.fitted.coreset import coreset
from adjax.methods.patchcore import judged
from adjax.nets.patches import aligned, neighbourhood_mean
from experiments.planting import planted

HERE = pathlib.Path(__file__).parent
ELPV = {"dataset": "elpv", "root": None}
# Of each set: where it is, the side of the table's runs, and the side at which defects are planted: at most the stored.
SETS = {
    "elpv_mono": (ELPV | {"category": "mono"}, 128, 256),
    "elpv_poly": (ELPV | {"category": "poly"}, 128, 256),
    "kolektor_sdd": ({"dataset": "folder"}, 256, 512),
    "mvtec_hazelnut_reduced": ({"dataset": "folder"}, 256, 512),
    "crackforest_patches": ({"dataset": "folder"}, 96, 96),
}
NETWORK = "efficientnet_lite0"
EVERY = ("stage2", "stage3", "stage4", "stage5", "stage6")
LAYERS = (
    ("stage3", "stage5"),
    ("stage2", "stage3", "stage5"),
    ("stage2", "stage4"),
    ("stage3", "stage4", "stage5"),
    ("stage3", "stage6"),
    ("stage5",),
)
ZOOMS = (1, 2)  # times the side of the table's runs
CHANGES = ({"neighbours": 3}, {"reweight": 9}, {"rule": "top:0.01"}, {"sigma": 8.0})
LEARNED, HELD_OUT = 60, 24  # images at most
PATCHES = 150_000  # at most, drawn at random, to choose the coreset from
BATCH = 8


class Candidate(NamedTuple):
    layers: tuple[str, ...] = LAYERS[0]
    zoom: int = 1
    ratio: float = 0.01
    neighbours: int = 1
    reweight: int = 1
    sigma: float = 4.0
    rule: str = "max"


class Seen(NamedTuple):
    """Features of the images to learn from and of those to score, by layer."""

    learned: dict[str, np.ndarray]
    scored: dict[str, np.ndarray]


class Task(NamedTuple):
    """Images in [0, 1], in the planting's size: those to learn from, and those to score with their masks."""

    learned: np.ndarray
    scored: np.ndarray
    masks: np.ndarray
    side: int  # of the table's runs


def task(name: str, root: pathlib.Path) -> Task:
    where, side, planting = SETS[name]
    where = {"root": str(root / name), "category": ""} | where
    splits = data.load(**where, seed=0, calibration=0.0, validation=0.2, channels=None).splits
    learned, held = (load(splits[s], n, planting) for s, n in (("train", LEARNED), ("validation", HELD_OUT)))
    return Task(learned, *planted(held), side)


def load(records, most: int, side: int) -> Float[np.ndarray, "b h w c"]:
    rows = np.unique(np.linspace(0, len(records) - 1, min(most, len(records))).round().astype(int))
    kept = [records[i] for i in rows]
    ((_, batch),) = pipeline.images(kept, View(size=(side, side)), batch_size=len(kept))
    return np.asarray(batch["image"])


@functools.partial(jax.jit, static_argnames="side")
def embedded(variables, images: Float[Array, "b h w c"], side: int) -> dict[str, Array]:
    b, c = images.shape[0], images.shape[-1]
    return {
        name: neighbourhood_mean(x)
        for name, x in network().apply(variables, jax.image.resize(images, (b, side, side, c), "bilinear")).items()
    }


@functools.cache
def network():
    return backbone(NETWORK, EVERY)


def features(images: np.ndarray, side: int, layers: tuple[str, ...]) -> dict[str, np.ndarray]:
    wide = np.concatenate([images, np.repeat(images[-1:], -len(images) % BATCH, 0)])  # one shape to compile
    parts = [embedded(network().variables, wide[i : i + BATCH], side) for i in range(0, len(wide), BATCH)]
    return {n: np.concatenate([np.asarray(p[n]) for p in parts])[: len(images)] for n in layers}


def prepared(task: Task, zoom: int, layers: tuple[str, ...] = EVERY) -> Seen:
    return Seen(*(features(images, zoom * task.side, layers) for images in (task.learned, task.scored)))


def bank(learned: dict[str, np.ndarray], candidate: Candidate) -> Float[np.ndarray, "n d"]:
    """The coreset of the learned images' patches."""
    generator, number = np.random.default_rng(0), len(learned[candidate.layers[0]])
    parts = [np.asarray(aligned(cut(learned, candidate, slice(i, i + 1)), "bilinear")) for i in range(number)]
    patches = np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])
    size = max(1, int(candidate.ratio * len(patches)))
    patches = patches[np.sort(generator.permutation(len(patches))[:PATCHES])]
    return patches[np.asarray(coreset(patches, min(size, len(patches)), jax.random.key(0), progress=False))]


def cut(found: dict[str, np.ndarray], candidate: Candidate, rows: slice) -> dict[str, np.ndarray]:
    return {name: found[name][rows] for name in candidate.layers}


@functools.partial(jax.jit, static_argnames=("side", "rules"))
def scores(layers: dict[str, Array], bank: Float[Array, "n d"], side: int, rules: tuple[tuple[str, Any], ...]):
    patches = aligned(layers, "bilinear")
    shape = {"image": jnp.zeros((len(patches), side, side, 1))}
    found = judged(patches, bank, shape, score="distance", **dict(rules))
    return found.score, found.map


def measured(task: Task, seen: Seen, candidate: Candidate) -> dict[str, float]:
    side, rows = candidate.zoom * task.side, bank(seen.learned, candidate)
    rules = tuple((name, getattr(candidate, name)) for name in ("neighbours", "reweight", "sigma", "rule"))
    images, maps = [], []
    for first in range(0, len(task.scored), BATCH):
        score, found = scores(cut(seen.scored, candidate, slice(first, first + BATCH)), rows, side, rules)
        images.append(np.asarray(score))
        maps.extend(np.asarray(jax.image.resize(found, (len(found), *task.masks.shape[1:]), "bilinear")))
    labels, images = task.masks.any((1, 2)), np.concatenate(images)
    return {
        "image_auroc": metrics.auroc(images, labels),
        "image_ap": metrics.average_precision(images, labels),
        "pixel_ap": metrics.evaluate_maps(maps, list(task.masks))["pixel_ap"],
    }


def criterion(found: Sequence[dict[str, float]]) -> float:
    """Of one candidate, over the sets."""
    return statistics.mean((one["image_ap"] + one["pixel_ap"]) / 2 for one in found)


def first_stage(tasks: dict[str, Task]) -> tuple[list[dict], Candidate]:
    """All layers at all resolutions, and the best of them."""
    found: dict[Candidate, dict[str, dict]] = {}
    for (name, task), zoom in itertools.product(tasks.items(), ZOOMS):
        seen = prepared(task, zoom)
        for layers in LAYERS:
            candidate = Candidate(layers, zoom)
            found.setdefault(candidate, {})[name] = measured(task, seen, candidate)
            print(name, candidate, found[candidate][name], flush=True)
    rows = [described(candidate, sets) for candidate, sets in found.items()]
    return rows, max(found, key=lambda candidate: criterion(list(found[candidate].values())))


def second_stage(tasks: dict[str, Task], best: Candidate, reached: float) -> tuple[list[dict], Candidate]:
    """The changes in turn, each on top of those that improved the mean."""
    seen = {name: prepared(task, best.zoom, best.layers) for name, task in tasks.items()}
    rows = []
    for change in CHANGES:
        candidate = best._replace(**change)
        rows.append(described(candidate, {name: measured(tasks[name], seen[name], candidate) for name in tasks}))
        print(rows[-1], flush=True)
        if rows[-1]["criterion"] > reached:
            best, reached = candidate, rows[-1]["criterion"]
    return rows, best


def described(candidate: Candidate, sets: dict[str, dict]) -> dict:
    return {"candidate": candidate._asdict(), "sets": sets, "criterion": criterion(list(sets.values()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "choose.json")
    a = parser.parse_args()
    tasks = {name: task(name, a.root) for name in a.sets}
    first, best = first_stage(tasks)
    second, best = second_stage(tasks, best, max(row["criterion"] for row in first))
    result = {"versions": outcome.versions(), "winner": best._asdict(), "layers": first, "changes": second}
    a.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
