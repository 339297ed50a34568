"""Seconds of scoring one image of 1024² by tiles of 128 px, for ways of sampling and both noises: speed.json.

python -m experiments.diffusion.speed; python -m experiments.diffusion.collect

For a quiet machine. The network is that of the tables, untrained: what it has learned costs nothing. "Before" is the
published chain, a call of the network for each step. What takes more than ten calls is timed on a quarter of the image,
and that is said.
"""

import json
import os
import pathlib
import statistics
import time

import jax
import jax.numpy as jnp

from adjax import outcome
from experiments.diffusion import setting, training
from experiments.diffusion.measure import folded_keys, program
from experiments.diffusion.setting import TOP, Way

HERE = pathlib.Path(__file__).parent
TEST = os.environ.get("MODE") == "test"
WAYS = (Way("ddpm", TOP, TOP), *(Way("ddim", calls, TOP) for calls in (1, 5, 10)), Way("dpm_solver", 5, TOP))
REPEATS = 1 if TEST else 3


def seconds(name: str, way: Way, side: int) -> float:
    """Median of one image, after one that compiles."""
    state = training.start(setting.network(name), training.HOW.updates, 0)
    image = jax.random.uniform(jax.random.key(1), (1, side, side, 1))
    rows = {"image": image, "_mask": jnp.ones(1, bool), "_size": jnp.full((1, 2), side)}
    spent = []
    for _ in range(1 + REPEATS):
        began = time.monotonic()
        jax.block_until_ready(program(name, way)(state, rows, folded_keys(1)))
        spent.append(time.monotonic() - began)
    return statistics.median(spent[1:])


def main() -> None:
    """Goes on where it was stopped; without speed.json it begins anew."""
    path = HERE / "speed.json"
    found = json.loads(path.read_text())["rows"] if path.is_file() and not TEST else []
    runs = [(name, way) for name in setting.NOISES for way in (WAYS[1:2] if TEST else WAYS)]
    for name, way in [*runs, (setting.HOLED, setting.HIDDEN)]:
        many = way.calls > 10 or name == setting.HOLED
        side = setting.SIDE if TEST else 512 if many else 1024
        about = {"method": name, "way": list(way[:3]), "side": side}
        if any(about.items() <= row.items() for row in found):
            continue
        found.append(about | {"s": seconds(name, way, side), "commit": outcome.versions()["commit"]})
        print(found[-1], flush=True)
        if not TEST:
            text = json.dumps({"versions": outcome.versions(), "cores": os.cpu_count(), "rows": found}, indent=1)
            path.write_text(text + "\n")


if __name__ == "__main__":
    main()
