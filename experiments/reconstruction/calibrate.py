"""What an update of every method costs in processor seconds, by the shape that it learns from: calibration.json.

python -m experiments.reconstruction.calibrate

Only training time is measured, on random images: no score is looked at. Compilation is not counted.
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
    """Goes on where it was stopped; without calibration.json it begins anew."""
    path = recipe.CALIBRATED
    found = json.loads(path.read_text()) if path.is_file() else {"cpu_s_per_step": {}}
    found |= {"batch_size": recipe.BATCH, "versions": outcome.versions()}
    for method in recipe.SMALL:
        if method not in found["cpu_s_per_step"]:
            costs = {"x".join(map(str, s)): round(cost(method, s), 5) for s in sorted(set(recipe.SHAPES.values()))}
            found["cpu_s_per_step"][method] = costs
            path.write_text(json.dumps(found, indent=1) + "\n")
            print(method, costs, flush=True)


if __name__ == "__main__":
    main()
