"""What an update of every method costs in processor seconds, by the shape that it learns from: calibration.json.

python -m experiments.reconstruction.calibrate

Only training time is measured, on random images: no score is looked at. Compilation is not counted.
"""

import json
import pathlib
import statistics
import time

import jax
import numpy as np

from adjax import outcome
from adjax.config import make_method
from adjax.types import Info
from experiments.reconstruction import recipe

WARM, MEASURED = 2, 6


def cost(method: str, shape: tuple[int, int, int]) -> float:
    """Median processor seconds of an update, of all threads together."""
    config = recipe.base()
    config.method = recipe.SMALL[method]
    info = Info({"train": 64, "calibration": 64}, {"train": 100}, recipe.BATCH)
    made, random = make_method(config, info), np.random.default_rng(0)
    images = random.uniform(size=(recipe.BATCH, *shape)).astype(np.float32)
    rows = {"image": images, "_mask": np.ones(recipe.BATCH, bool)}
    rows |= {"texture": images[::-1].copy()} if "texture" in made.needs else {}
    state = jax.jit(lambda key: made.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    update = jax.jit(made.phases["train"].update, donate_argnums=0)
    spent = []
    for step in range(WARM + MEASURED):
        begin = time.process_time()
        state, scalars = update(state, rows, jax.random.fold_in(jax.random.key(1), step))
        jax.block_until_ready((state, scalars))
        spent.append(time.process_time() - begin)
    return statistics.median(spent[WARM:])


def main() -> None:
    costs = {}
    for method in recipe.SMALL:
        costs[method] = {"x".join(map(str, s)): round(cost(method, s), 5) for s in set(recipe.SHAPES.values())}
        print(method, costs[method], flush=True)
    found = {"batch_size": recipe.BATCH, "cpu_s_per_step": costs, "versions": outcome.versions()}
    pathlib.Path(recipe.CALIBRATED).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
