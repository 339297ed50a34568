"""Speed of the noises beside their usual sources, in one process and in turns. Writes results.json.

python experiments/noise/run.py      (run.sh prepares what it needs)
"""

import argparse
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import peers
from unet import UNet

from adjax.noise import draem_mask, fractal, power_law

SIZE, BATCH, SEED = 256, 16, 0


def clock(call, times=1):
    """Wall and processor seconds of one call, the mean of some."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        jax.block_until_ready(call())
    return (time.perf_counter() - wall) / times, (time.process_time() - cpu) / times


def turns(rivals: dict, rounds: int, repeats: int = 1) -> dict:
    """Every rival once per round, in an order drawn anew; the first call, which compiles, is timed apart.

    The first of the rivals is called `repeats` times a turn.
    """
    rng = np.random.default_rng(SEED)
    first = {name: clock(call)[0] for name, call in rivals.items()}
    found = {name: [] for name in rivals}
    for _ in range(rounds):
        for name in rng.permutation(list(rivals)):
            found[name].append(clock(rivals[name], repeats if name == next(iter(rivals)) else 1))
    return {
        name: {"first_call_s": first[name], "wall_s": [w for w, _ in t], "cpu_s": [c for _, c in t]}
        for name, t in found.items()
    }


def compared(rivals: dict, images: dict, rounds: int) -> dict:
    """Images per second, and medians over rounds of the ratio within a round. Our own comes first."""
    found = turns(rivals, rounds, repeats=10)
    ours, theirs = found
    for name, times in found.items():
        times |= {f"images_per_{unit}": images[name] / float(np.median(times[unit])) for unit in ("wall_s", "cpu_s")}
    for unit in ("wall_s", "cpu_s"):
        ratio = np.array(found[theirs][unit]) / images[theirs] / np.array(found[ours][unit]) * images[ours]
        found[f"ratio_{unit}"] = float(np.median(ratio))
    return found


def simplex(rounds: int) -> dict:
    keys, when = jax.random.split(jax.random.key(SEED), BATCH), jnp.arange(BATCH) * 50.0
    ours = jax.jit(lambda keys, when: fractal(keys, (SIZE, SIZE, 1), when))
    plane = jax.jit(lambda keys: fractal(keys, (SIZE, SIZE, 1), dims=2))
    peer = lambda: np.stack([peers.octaves(i, 50 * i, SIZE) for i in range(BATCH)])
    found = compared(
        {"adjax": lambda: ours(keys, when), "opensimplex (numba)": peer},
        {"adjax": BATCH, "opensimplex (numba)": BATCH},
        rounds,
    )
    found["adjax, dims=2"] = turns({"it": lambda: plane(keys)}, rounds, repeats=5)["it"]
    found["adjax, dims=2"]["images_per_wall_s"] = BATCH / float(np.median(found["adjax, dims=2"]["wall_s"]))
    found["deviation"] = {"adjax": float(np.std(ours(keys, when))), "opensimplex (numba)": float(np.std(peer()))}
    memory = ours.lower(keys, when).compile().memory_analysis()
    found["working_memory_in_outputs"] = memory.temp_size_in_bytes / memory.output_size_in_bytes
    return found


def masks(rounds: int, draws: int) -> dict:
    keys, rng = jax.random.split(jax.random.key(SEED), BATCH), np.random.default_rng(SEED)
    ours = jax.jit(lambda keys: draem_mask(keys, (SIZE, SIZE)))
    peer = lambda: np.stack([peers.mask(rng, SIZE) for _ in range(BATCH)])
    found = compared(
        {"adjax": lambda: ours(keys), "NumPy recipe": peer}, {"adjax": BATCH, "NumPy recipe": BATCH}, rounds
    )
    share = jax.jit(lambda keys: draem_mask(keys, (SIZE, SIZE)).mean((1, 2)))
    area = np.concatenate([share(jax.random.split(jax.random.key(i + 1), 100)) for i in range(draws // 100)])
    recipe = np.array([peers.mask(rng, SIZE).mean() for _ in range(draws)])
    for name, value in (("adjax", area), ("NumPy recipe", recipe)):
        found[f"area, {name}"] = {"draws": len(value), "mean": float(value.mean()), "empty": float((value == 0).mean())}
    return found


def step_share(size: int, rounds: int) -> dict:
    """A diffusion-like step (fresh noise, predict it), its noise inside the compiled step, and the noise alone."""
    network, tx, batch = UNet(), optax.adamw(1e-4), 8
    image = jnp.zeros((batch, size, size, 1))
    params = jax.jit(network.init)(jax.random.key(SEED, impl="rbg"), image)
    noise = jax.jit(lambda key: fractal(jax.random.split(key, batch), (size, size, 1)))

    def loss(params, key):
        n = noise(key)
        return jnp.mean((network.apply(params, 0.7 * image + 0.7 * n) - n) ** 2)

    @jax.jit
    def step(params, state, key):
        updates, state = tx.update(jax.grad(loss)(params, key), state, params)
        return optax.apply_updates(params, updates), state

    state, key = tx.init(params), jax.random.key(1)
    found = turns({"step": lambda: step(params, state, key), "noise": lambda: noise(key)}, rounds)
    share = np.array(found["noise"]["wall_s"]) / np.array(found["step"]["wall_s"])
    count = sum(p.size for p in jax.tree.leaves(params))
    return {"size": size, "batch": batch, "parameters": count, "share": float(np.median(share)), **found}


def others(rounds: int) -> dict:
    keys = jax.random.split(jax.random.key(SEED), BATCH)
    coloured = jax.jit(functools.partial(power_law, shape=(SIZE, SIZE, 1)))
    seconds = turns({"it": lambda: coloured(keys)}, rounds, repeats=5)["it"]
    return {"power_law_images_per_wall_s": BATCH / float(np.median(seconds["wall_s"]))}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--draws", type=int, default=4000)
    options = parser.parse_args()
    found = {
        "config": {"size": SIZE, "batch": BATCH, "octaves": 6, "seed": SEED, **vars(options)},
        "device": {
            "backend": jax.default_backend(),
            "kind": jax.devices()[0].device_kind,
            "cores": os.cpu_count(),
            "machine": platform.machine(),
        },
        "versions": {n: importlib.metadata.version(n) for n in ("jax", "jaxlib", "numpy", "numba", "opensimplex")},
        "simplex": simplex(options.rounds),
        "draem_masks": masks(options.rounds, options.draws),
        "training_step": step_share(64, 5),
        "others": others(options.rounds),
    }
    pathlib.Path(__file__).with_name("results.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
