"""Trains a method once for each data set and seed, on the same crops as every other; states are kept in files.

Axes: b batch, h height, w width, c channels.
"""

import functools
import json
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

from experiments.diffusion import setting

HOW = setting.chosen()
SHAPE = (setting.SIDE, setting.SIDE, 1)
WARM, MEASURED = 2, 6


@functools.cache
def load(folder: pathlib.Path, name: str) -> dict[str, np.ndarray]:
    with np.load(folder / f"{name}.npz") as file:
        arrays = dict(file)
    kept = spread(arrays["label"], HOW.images)
    length = {"train": len(arrays["train"]), "validation": len(arrays["validation"])}
    rows = {n: np.arange(min(k, HOW.images)) for n, k in length.items()} | {"test": kept}
    return {n: v[rows.get(n.removesuffix("_size"), kept)] for n, v in arrays.items()}


def spread(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most so many images, evenly over good and defective ones."""
    order = np.argsort(labels, kind="stable")
    return np.sort(order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))])


@functools.cache
def updates(out: pathlib.Path, method: str) -> int:
    """As many as cost the processor time of the diffusion's with simplex noise; of both noises the same number."""
    if method in setting.NOISES:
        return HOW.updates
    path = out / "cost.json"
    costs = json.loads(path.read_text()) if path.is_file() else {}
    for name in ("simplex", method):
        if name not in costs:
            costs[name] = cost(name)
            path.write_text(json.dumps(costs))
    return max(1, int(HOW.updates * costs["simplex"] / costs[method]))


def cost(name: str) -> float:
    """Least processor seconds of an update, of all threads together: the least disturbed one."""
    update, state, spent = program(name, HOW.updates), start(name, HOW.updates, 0), []
    rows = {"image": jnp.zeros((HOW.batch, *SHAPE)), "_mask": jnp.ones(HOW.batch, bool)}
    for number in range(WARM + MEASURED):
        begin = time.process_time()
        state, _ = jax.block_until_ready(update(state, rows, jax.random.fold_in(jax.random.key(0), number)))
        spent.append(time.process_time() - begin)
    return min(spent[WARM:])


@functools.cache  # one program for all sets and seeds
def program(name: str, number: int):
    return jax.jit(setting.method(HOW, name, number).phases["train"].update, donate_argnums=0)


def start(name: str, number: int, seed: int):
    made = setting.method(HOW, name, number)
    init = jax.jit(lambda key: made.init(key, {"image": jnp.zeros((1, *SHAPE))}, None))
    return init(jax.random.key(seed, impl="rbg"))  # quick to compile


@functools.cache
def trained(data: pathlib.Path, out: pathlib.Path, which: str, name: str, seed: int):
    """State, and about its training."""
    number, path = updates(out, name), out / f"state-{which}-{name}-{seed}.npz"
    if not path.is_file():
        state, about = train(load(data, which), name, number, seed)
        np.savez(path, *map(np.asarray, jax.tree.leaves(state)), about=json.dumps(about))
    with np.load(path) as file:
        leaves = [jnp.asarray(file[f"arr_{i}"]) for i in range(len(file.files) - 1)]
        like = jax.tree.structure(jax.eval_shape(lambda: start(name, number, seed)))
        return jax.tree.unflatten(like, leaves), json.loads(str(file["about"]))


def train(arrays: dict[str, np.ndarray], name: str, number: int, seed: int):
    update, state = program(name, number), start(name, number, seed)
    random, losses = np.random.default_rng(seed), []
    for step in range(number):
        rows = {"image": crops(arrays, random), "_mask": np.ones(HOW.batch, bool)}
        state, scalars = update(state, rows, jax.random.fold_in(jax.random.key(seed), step))
        losses.append(scalars["loss/total"])
        if step % 100 == 0:
            print("update", step, float(losses[-1]), flush=True)
    values = np.asarray(jax.device_get(losses))
    about = {"parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)), "updates": number}
    return state, about | {"loss": [float(values[:10].mean()), float(values[-100:].mean())]}


def crops(arrays: dict[str, np.ndarray], random: np.random.Generator) -> np.ndarray:
    """f32[b h w 1] at random places, flipped at random."""
    found = np.empty((HOW.batch, *SHAPE), np.float32)
    for crop in found:
        row = random.integers(len(arrays["train"]))
        y, x = random.integers(arrays["train_size"][row] - setting.SIDE + 1)
        cut = arrays["train"][row, y : y + setting.SIDE, x : x + setting.SIDE]
        flips = random.choice([1, -1], 2)
        crop[:] = cut[:: flips[0], :: flips[1]].astype(np.float32) / 255
    return found
