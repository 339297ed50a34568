"""Trains, plants, scores and measures, a file of results for each piece; what exists is not done again.

python -m experiments.diffusion.measure --data=runs/diffusion/data --out=runs/diffusion --seconds=600

Needs neither TensorFlow nor the data sets, only the arrays of prepare.py. Before `--seconds` are over the last piece
begins; what is left is named. Axes: b batch, h height, w width, c channels.
"""

import argparse
import functools
import json
import pathlib
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from adjax import metrics, tiling
from adjax.diffusion import noises, schedules
from adjax.methods.partial_diffusion import drawn, folded
from adjax.synthesis import batched, one_of, redrawn, synthesis
from adjax.transforms import tiled
from experiments.diffusion import setting

GRID = tiling.Grid(setting.SIDE, setting.STRIDE)
HOW = setting.chosen()
BEGAN = time.monotonic()
SHOWN = 3  # images of each set on the contact sheet


@functools.cache
def load(folder: pathlib.Path, name: str) -> dict[str, np.ndarray]:
    with np.load(folder / f"{name}.npz") as file:
        arrays = dict(file)
    kept = spread(arrays["label"], HOW.images)
    length = {"train": len(arrays["train"]), "validation": len(arrays["validation"])}
    rows = {n: np.arange(min(k, HOW.images)) for n, k in length.items()} | {"test": kept}
    return {n: v[rows.get(n.removesuffix("_size"), kept)] for n, v in arrays.items()}


@functools.cache
def trained(folder: pathlib.Path, name: str, noise: str, seed: int):
    """State, and what training took and ended at; kept beside the arrays, for pieces of a later start."""
    method, path = setting.method(HOW, noise), folder / f"state-{name}-{noise}-{seed}-{HOW.steps}.npz"
    example = {"image": jnp.zeros((1, setting.SIDE, setting.SIDE, load(folder, name)["train"].shape[-1]))}
    init = jax.jit(lambda key: method.init(key, example, None))
    key = jax.random.key(seed, impl="rbg")  # quick to compile
    if not path.is_file():
        state, about = train(method, init(key), load(folder, name), seed)
        np.savez(path, *map(np.asarray, jax.tree.leaves(state)), about=json.dumps(about))
    with np.load(path) as file:
        leaves = [jnp.asarray(file[f"arr_{i}"]) for i in range(len(file.files) - 1)]
        return jax.tree.unflatten(jax.tree.structure(jax.eval_shape(init, key)), leaves), json.loads(str(file["about"]))


def train(method, state, arrays: dict[str, np.ndarray], seed: int):
    images, sizes = jnp.asarray(arrays["train"]), jnp.asarray(arrays["train_size"])
    update = jax.jit(functools.partial(step, method, HOW.batch), donate_argnums=0)
    losses, clocks = [], []
    for number in range(HOW.steps):
        state, loss = update(state, images, sizes, jax.random.fold_in(jax.random.key(seed), number))
        losses.append(loss)
        if number % 100 == 0:
            print(f"{time.monotonic() - BEGAN:.0f} s", "update", number, float(loss), flush=True)
        if number in (0, HOW.steps - 1):
            jax.block_until_ready(state)
            clocks.append(time.monotonic())
    values = np.asarray(jax.device_get(losses))
    return (
        state,
        {
            "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.params)),
            "train_s": clocks[-1] - clocks[0],  # without the first update, which compiles
            "loss": [float(values[:10].mean()), float(values[-100:].mean())],
        },
    )


def step(method, batch: int, state, images, sizes, key):
    """An update on random crops, flipped at random."""
    k_row, k_place, k_flip, k_update = jax.random.split(key, 4)
    rows = jax.random.randint(k_row, (batch,), 0, len(images))
    room = (sizes[rows] - setting.SIDE + 1).astype(jnp.float32)
    places = jnp.floor(jax.random.uniform(k_place, (batch, 2)) * room).astype(jnp.int32)
    crop = jax.vmap(lambda row, at: tiling.cut(images[row], (at[0], at[1]), setting.SIDE))(rows, places)
    crop = crop.astype(jnp.float32) / 255
    for axis, flip in zip((1, 2), jax.random.bernoulli(k_flip, shape=(2, batch, 1, 1, 1))):
        crop = jnp.where(flip, jnp.flip(crop, axis), crop)
    rows = {"image": crop, "_mask": jnp.ones(batch, bool)}
    state, scalars = method.phases["train"].update(state, rows, k_update)
    return state, scalars["loss/total"]


def spread(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most so many images, evenly over good and defective ones."""
    order = np.argsort(labels, kind="stable")
    return np.sort(order[np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))])


def scored(method, state, images: np.ndarray, sizes: np.ndarray, batch: int = 32):
    """Scores, maps f32[h w] at their true sizes, and seconds without compiling."""
    score = jax.jit(tiled(method, GRID, setting.RULE, HOW.chunk).score)
    keys = folded_keys(len(images))
    scores, maps, spent = [], [], 0.0
    for first in range(-batch, len(images), batch):  # the first batch twice: it compiles
        begin, start = max(first, 0), time.monotonic()
        rows = np.arange(begin, begin + batch)
        real = rows < len(images)
        rows = np.where(real, rows, 0)
        whole = {"image": as_float(images[rows]), "_mask": jnp.asarray(real), "_size": jnp.asarray(sizes[rows])}
        found = jax.device_get(score(state, whole, keys[rows]))
        if first >= 0:
            spent += time.monotonic() - start
            scores += list(found.score[real])
            maps += [m[: s[0], : s[1]] for m, s in zip(found.map[real], sizes[rows[real]])]
    return np.array(scores), maps, spent


def as_float(images: np.ndarray):
    return jnp.asarray(images, jnp.float32) / (255 if images.dtype == np.uint8 else 1)


def folded_keys(number: int):
    return jax.vmap(lambda i: jax.random.fold_in(jax.random.key(5), i))(jnp.arange(number))


def tested(folder: pathlib.Path, name: str, noise: str, seed: int) -> dict:
    """Labels measure; nothing is chosen by them."""
    state, about = trained(folder, name, noise, seed)
    arrays, method = load(folder, name), setting.method(HOW, noise)
    scores, maps, spent = scored(method, state, arrays["test"], arrays["test_size"])
    found = {"image_auroc": metrics.auroc(scores, arrays["label"]), "images_per_s": len(scores) / spent}
    if "mask" in arrays:
        masks = [m[: s[0], : s[1]] for m, s in zip(arrays["mask"], arrays["test_size"])]
        found |= pixel_metrics(maps, masks)
    return {"set": name, "noise": noise, "seed": seed} | about | found


def pixel_metrics(maps, masks) -> dict:
    found = metrics.evaluate_maps(maps, masks)
    return {what: found[what] for what in ("pixel_ap", "aupro")}


def planted(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Validation images with a scratch, blobs or a stain in each; their sizes and masks."""
    arrays = load(folder, setting.PLANTED)
    plant = batched(redrawn(one_of([synthesis(n) for n in ("scratch", "blob", "stain")])))
    found = jax.device_get(jax.jit(plant)(jax.random.key(0), as_float(arrays["validation"])))
    return np.asarray(found.image), arrays["validation_size"], found.mask


def economy(folder: pathlib.Path, noise: str, way: tuple[str, int, int]) -> dict:
    """One way of sampling, on planted defects."""
    sampler, calls, top = way
    state, _ = trained(folder, setting.PLANTED, noise, 0)
    images, sizes, masks = planted(folder)
    method = setting.method(HOW, noise, sampler, calls, top)
    _, maps, spent = scored(method, state, images, sizes)
    about = {"noise": noise, "sampler": sampler, "calls": calls, "top": top, "images": len(images)}
    return about | pixel_metrics(maps, list(masks)) | {"ms_per_image": 1000 * spent / len(images)}


def sheet(folder: pathlib.Path, name: str, noise: str) -> dict[str, np.ndarray]:
    """Image, x_t, reconstruction, map and truth of some defective test tiles."""
    state, _ = trained(folder, name, noise, 0)
    arrays, method = load(folder, name), setting.method(HOW, noise)
    bad = np.flatnonzero(arrays["label"])
    rows = bad[np.linspace(0, len(bad) - 1, min(SHOWN, len(bad))).astype(int)]
    images, truths = [], []
    for row in rows:
        mask = arrays["mask"][row] if "mask" in arrays else np.zeros(arrays["test"].shape[1:3], bool)
        where = np.argwhere(mask) if mask.any() else np.array([[setting.SIDE // 2] * 2])
        y, x = np.clip(np.median(where, 0).astype(int) - setting.SIDE // 2, 0, arrays["test_size"][row] - setting.SIDE)
        part = (slice(y, y + setting.SIDE), slice(x, x + setting.SIDE))
        images.append(arrays["test"][row][part])
        truths.append(mask[part])
    image, keys = as_float(np.stack(images)), folded_keys(len(rows))
    found = jax.jit(method.score)(state, {"image": image, "_mask": jnp.ones(len(rows), bool)}, keys)
    schedule = schedules.respaced(schedules.linear(), setting.CALLS, setting.TOP)
    last = jnp.full(len(rows), schedule.steps, jnp.int32)
    noisy, _ = drawn(schedule, noises.named(noise), 2 * image - 1, last, folded(folded(keys, 0), 0))
    pictures = {"image": image, "noisy": (noisy + 1) / 2, "rebuilt": found.aux["reconstruction"], "map": found.map}
    return jax.device_get(pictures) | {"truth": np.stack(truths)}


def memory() -> dict:
    """What the compiled program that scores one image of 1024² by tiles allocates, by the number of tiles at once."""
    example = {"image": jnp.zeros((1, 1024, 1024, 1)), "_mask": jnp.ones(1, bool), "_size": jnp.full((1, 2), 1024)}
    tile = {"image": jnp.zeros((1, setting.SIDE, setting.SIDE, 1))}
    method = setting.method(HOW, "simplex")
    state = jax.eval_shape(lambda key: method.init(key, tile, None), jax.random.key(0))
    found = {}
    for chunk in (4, 16, 64):
        run = jax.jit(tiled(method, GRID, setting.RULE, chunk).score)
        used = run.lower(state, example, folded_keys(1)).compile().memory_analysis()
        found[str(chunk)] = {
            "working_mb": used.temp_size_in_bytes / 1e6,
            "in_and_out_mb": (used.argument_size_in_bytes + used.output_size_in_bytes) / 1e6,
        }
    return {"side": 1024, "chunks": found}


def about() -> dict:
    return {
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "setting": setting.chosen()._asdict(),
        "top": setting.TOP,
        "calls": setting.CALLS,
    }


def pieces(folder: pathlib.Path) -> dict[str, Callable]:
    """By file name, the most wanted first."""
    ways = lambda noise: {
        f"economy-{noise}-{'-'.join(map(str, way))}.json": functools.partial(economy, folder, noise, way)
        for way in HOW.ways
    }
    found = {"memory.json": memory} | ways("simplex")
    for seed in setting.SEEDS:
        for name in setting.SETS:
            for noise in setting.NOISES:
                found[f"test-{name}-{noise}-{seed}.json"] = functools.partial(tested, folder, name, noise, seed)
                if seed == 0:
                    found[f"sheet-{name}-{noise}.npz"] = functools.partial(sheet, folder, name, noise)
        found |= ways("gaussian")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("runs/diffusion/data"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/diffusion"))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / "about.json").write_text(json.dumps(about()))
    for name, make in pieces(a.data).items():
        path = a.out / name
        if path.is_file():
            continue
        if time.monotonic() - BEGAN > a.seconds:
            print("not run:", name, flush=True)
            continue
        found = make()
        if path.suffix == ".npz":
            np.savez_compressed(path, **found)
        else:
            path.write_text(json.dumps(found))
        print(f"{time.monotonic() - BEGAN:.0f} s", name, found if path.suffix == ".json" else "", flush=True)


if __name__ == "__main__":
    main()
