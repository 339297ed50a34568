"""What every method's update, and its score of one image, cost in processor seconds, by shape: calibration.json.

python -m experiments.reconstruction.calibrate

The images are random, and no score is looked at. Compilation is not counted. What is there stays: the versions are
those of the last method measured.
"""

import json
import statistics
import time

import jax
import numpy as np

from adjax import outcome
from adjax.config import make_method
from adjax.types import Info
from experiments.reconstruction import recipe

WARM, MEASURED = 2, 6
KINDS = ("cpu_s_per_step", "cpu_s_per_image")


def costs(method: str, shape: tuple[int, int, int]) -> tuple[float, float]:
    """Median processor seconds of an update and of a scored image, of all threads together."""
    config = recipe.base()
    config.method = recipe.SMALL[method]
    info = Info({"train": 64, "calibration": 64}, {"train": 100}, recipe.BATCH)
    made, random = make_method(config, info), np.random.default_rng(0)
    images = random.uniform(size=(recipe.BATCH, *shape)).astype(np.float32)
    rows = {"image": images, "_mask": np.ones(recipe.BATCH, bool)}
    rows |= {"texture": images[::-1].copy()} if "texture" in made.needs else {}
    state = jax.jit(lambda key: made.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    update = jax.jit(made.phases["train"].update, donate_argnums=0)
    score, key = jax.jit(made.score), jax.random.key(1)
    spent: tuple[list[float], list[float]] = ([], [])
    for step in range(WARM + MEASURED):
        begin = time.process_time()
        state = jax.block_until_ready(update(state, rows, jax.random.fold_in(key, step)))[0]
        between = time.process_time()
        jax.block_until_ready(score(state, rows, jax.random.split(key, recipe.BATCH)))
        spent[0].append(between - begin)
        spent[1].append((time.process_time() - between) / recipe.BATCH)
    learn, look = (statistics.median(seconds[WARM:]) for seconds in spent)
    return learn, look


def main() -> None:
    """Goes on where it was stopped; without calibration.json it begins anew."""
    path = recipe.CALIBRATED
    found = {kind: {} for kind in KINDS} | (json.loads(path.read_text()) if path.is_file() else {})
    found |= {"batch_size": recipe.BATCH, "versions": outcome.versions()}
    for method in recipe.SMALL:
        if method in found[KINDS[1]]:
            continue
        by_shape = {"x".join(map(str, s)): costs(method, s) for s in sorted(set(recipe.SHAPES.values()))}
        for number, kind in enumerate(KINDS):
            new = {shape: round(both[number], 5) for shape, both in by_shape.items()}
            found[kind].setdefault(method, new)  # what a table was made with stays
            print(method, kind, found[kind][method], flush=True)
        path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
