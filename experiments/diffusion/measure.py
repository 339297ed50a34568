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
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adjax import metrics, outcome, tiling
from adjax.diffusion import noises, schedules
from adjax.methods.holes import grid
from adjax.methods.partial_diffusion import drawn, folded
from adjax.synthesis import batched, one_of, redrawn, synthesis
from adjax.transforms import smoothed, tiled
from experiments.diffusion import setting
from experiments.diffusion.setting import Way
from experiments.diffusion.training import HOW, SHAPE, load, trained

GRID = tiling.Grid(setting.SIDE, setting.STRIDE)
BEGAN = time.monotonic()
SHOWN = 3  # images of each set on the contact sheet
BATCH_PIXELS = 1 << 22  # of whole images at once


class Place(NamedTuple):
    data: pathlib.Path
    out: pathlib.Path


@functools.cache  # one program for all seeds
def program(name: str, way: Way):
    method = tiled(setting.method(HOW, name, HOW.updates, way), GRID, setting.RULE, HOW.chunk)
    return jax.jit((smoothed(method, way.sigma, setting.RULE) if way.sigma else method).score)


def scored(score, state, images: np.ndarray, sizes: np.ndarray):
    """Scores, and maps f32[h w] at their true sizes."""
    batch = min(len(images), max(1, BATCH_PIXELS // (images.shape[1] * images.shape[2])))
    keys, scores, maps = folded_keys(len(images)), [], []
    for begin in range(0, len(images), batch):
        rows = np.arange(begin, begin + batch)
        real = rows < len(images)
        rows = np.where(real, rows, 0)
        whole = {"image": as_float(images[rows]), "_mask": jnp.asarray(real), "_size": jnp.asarray(sizes[rows])}
        found = jax.device_get(score(state, whole, keys[rows]))
        scores += list(found.score[real])
        maps += [m[: s[0], : s[1]] for m, s in zip(found.map[real], sizes[rows[real]])]
    return np.array(scores), maps


def as_float(images: np.ndarray):
    return jnp.asarray(images, jnp.float32) / (255 if images.dtype == np.uint8 else 1)


def folded_keys(number: int):
    return jax.vmap(lambda i: jax.random.fold_in(jax.random.key(5), i))(jnp.arange(number))


def tested(place: Place, which: str, name: str, way: Way, seed: int) -> dict:
    """Labels measure; nothing is chosen by them."""
    state, about = trained(*place, which, setting.network(name), seed)
    arrays = load(place.data, which)
    scores, maps = scored(program(name, way), state, arrays["test"], arrays["test_size"])
    found = {"image_auroc": metrics.auroc(scores, arrays["label"])}
    if "mask" in arrays:
        masks = [m[: s[0], : s[1]] for m, s in zip(arrays["mask"], arrays["test_size"])]
        found |= pixel_metrics(maps, masks)
    return (
        {"set": which, "method": name, "seed": seed, "images": len(scores), "way": list(way), "top": way.top}
        | about
        | found
    )


def pixel_metrics(maps, masks) -> dict:
    found = metrics.evaluate_maps(maps, masks)
    return {what: found[what] for what in ("pixel_ap", "aupro")}


@functools.cache
def planted(data: pathlib.Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Validation images with a scratch, blobs or a stain in each; their sizes and masks."""
    arrays = load(data, setting.PLANTED)
    plant = batched(redrawn(one_of([synthesis(n) for n in ("scratch", "blob", "stain")])))
    found = jax.device_get(jax.jit(plant)(jax.random.key(0), as_float(arrays["validation"])))
    return np.asarray(found.image), arrays["validation_size"], found.mask


def economy(place: Place, name: str, way: Way, seed: int) -> dict:
    """One way of sampling, on planted defects."""
    state, _ = trained(*place, setting.PLANTED, setting.network(name), seed)
    images, sizes, masks = (part[: way.images] for part in planted(place.data))
    _, maps = scored(program(name, way), state, images, sizes)
    about = {"method": name, "way": list(way), "seed": seed, "images": len(images)}
    return about | pixel_metrics(maps, list(masks))


def sheet(place: Place, which: str, name: str) -> dict[str, np.ndarray]:
    """Image, x_t (repaint: the first holes), reconstruction, map and truth of some tiles with defects."""
    state, _ = trained(*place, which, setting.network(name), 0)
    way = setting.HIDDEN if name == setting.HOLED else setting.PLAIN
    image, truth = shown(place.data, which)
    keys = folded_keys(len(image))
    method = setting.method(HOW, name, HOW.updates, way)
    found = jax.jit(method.score)(state, {"image": image, "_mask": jnp.ones(len(image), bool)}, keys)
    schedule = schedules.respaced(schedules.linear(), way.calls, way.top)
    last = jnp.full(len(image), schedule.steps, jnp.int32)
    if name == setting.HOLED:
        noisy = image * grid(jnp.zeros((1, 2), jnp.int32), way.hole, *image.shape[1:3])[..., None]
    else:
        noisy = (drawn(schedule, noises.named(name), 2 * image - 1, last, folded(folded(keys, 0), 0))[0] + 1) / 2
    pictures = {"image": image, "noisy": noisy, "rebuilt": found.aux["reconstruction"], "map": found.map}
    return jax.device_get(pictures) | {"truth": truth}


def shown(data: pathlib.Path, which: str):
    """Tiles about defects, and their masks."""
    if which == setting.PLANTED:
        images, _, masks = planted(data)
        return as_float(images[:SHOWN]), masks[:SHOWN]
    arrays = load(data, which)
    bad = np.flatnonzero(arrays["label"])
    images, masks = [], []
    for row in bad[np.linspace(0, len(bad) - 1, min(SHOWN, len(bad))).astype(int)]:
        middle = np.median(np.argwhere(arrays["mask"][row]), 0).astype(int)
        y, x = np.clip(middle - setting.SIDE // 2, 0, arrays["test_size"][row] - setting.SIDE)
        part = (slice(y, y + setting.SIDE), slice(x, x + setting.SIDE))
        images.append(arrays["test"][row][part])
        masks.append(arrays["mask"][row][part])
    return as_float(np.stack(images)), np.stack(masks)


def memory() -> dict:
    """What the compiled program that scores one image of 1024² by tiles allocates, by the number of tiles at once."""
    example = {"image": jnp.zeros((1, 1024, 1024, 1)), "_mask": jnp.ones(1, bool), "_size": jnp.full((1, 2), 1024)}
    method = setting.method(HOW, "simplex", HOW.updates)
    state = jax.eval_shape(lambda key: method.init(key, {"image": jnp.zeros((1, *SHAPE))}, None), jax.random.key(0))
    found = {}
    for chunk in (4, 16, 64):
        run = jax.jit(tiled(method, GRID, setting.RULE, chunk).score)
        used = run.lower(state, example, folded_keys(1)).compile().memory_analysis()
        found[str(chunk)] = {
            "working_mb": used.temp_size_in_bytes / 1e6,
            "in_and_out_mb": (used.argument_size_in_bytes + used.output_size_in_bytes) / 1e6,
        }
    return {"side": 1024, "chunks": found}


def best(out: pathlib.Path, name: str) -> Way:
    """By AP on the planted defects of the first seed, maps as they are; noises with one call of the network."""
    found = [json.loads(path.read_text()) for path in out.glob(f"economy-{name}-*-{setting.SEEDS[0]}.json")]
    known = {Way(*e["way"]): e["pixel_ap"] for e in found}
    one_call = name in setting.NOISES
    ways = [w for w in known if (w.calls == 1 or not one_call) and w.images > setting.FEW and not w.sigma]
    return max(ways, key=known.get, default=setting.PLAIN)


def pieces(place: Place) -> dict[str, Callable]:
    """By file name, in the order in which they are made."""
    found = {"memory.json": memory}
    for seed in setting.SEEDS:
        found |= planting(place, setting.NOISES, HOW.ways, seed) | planting(place, (setting.GUIDED,), HOW.guided, seed)
        for which in setting.SETS:
            found |= tests(place, which, seed)
    for which in setting.SETS:
        found |= sheets(place, which)
    found |= planting(place, (setting.HOLED,), HOW.holed, setting.SEEDS[0])
    return found | planting(place, setting.NOISES, HOW.costly, setting.SEEDS[0])


def planting(place: Place, names: Sequence[str], ways: Sequence[Way], seed: int) -> dict[str, Callable]:
    return {
        f"economy-{name}-{tag(way)}-{seed}.json": functools.partial(economy, place, name, way, seed)
        for way in ways
        for name in names
    }


def tag(way: Way) -> str:
    parts = [*way[:4], *([way.sigma] if way.sigma else []), *([f"w{way.guidance:g}"] if way.guidance else [])]
    parts += [f"hole{way.hole}x{way.rounds}"] if way.hole else []
    return "-".join(map(str, parts))


def sheets(place: Place, which: str) -> dict[str, Callable]:
    names = (*setting.NOISES, setting.HOLED)
    return {f"sheet-{which}-{name}.npz": functools.partial(sheet, place, which, name) for name in names}


def tests(place: Place, which: str, seed: int) -> dict[str, Callable]:
    """Of the noises at the step that both share, and each at the best one of its own; of ddad at its best one."""

    def test(name: str, own: bool) -> dict:
        return tested(place, which, name, best(place.out, name) if own else setting.PLAIN, seed) | {"own": own}

    runs = [(name, own) for name in setting.NOISES for own in (False, True)]
    runs += [(setting.GUIDED, True), *((name, False) for name in setting.OTHERS)]
    return {
        f"test-{which}-{name}-{'best' if own else 'plain'}-{seed}.json": functools.partial(test, name, own)
        for name, own in runs
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("runs/diffusion/data"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/diffusion"))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(a.out.absolute() / "compiled"))
    versions = outcome.versions()
    (a.out / "about.json").write_text(json.dumps({"setting": HOW._asdict(), "versions": versions}))
    for name, make in pieces(Place(a.data, a.out)).items():
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
            path.write_text(json.dumps(found | {"commit": versions["commit"]}))
        print(f"{time.monotonic() - BEGAN:.0f} s", name, found if path.suffix == ".json" else "", flush=True)


if __name__ == "__main__":
    main()
