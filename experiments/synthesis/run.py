"""DRAEM's planted anomalies per second at 256²: ours, batched and compiled, against the published recipe.

Axes: b batch, h height, w width, c channels.

First that both make the same: mask areas, opacity and change of `CHECKED` draws each, on the same images and
textures. Then, in one process, rounds in which each way plants as many images, in an order drawn anew; a ratio is the
median over rounds of ratios within the round. Textures lie in memory, decoded and resized, for all.
"""

import argparse
import functools
import json
import multiprocessing
import os
import pathlib
import time
from importlib.metadata import version
from statistics import median

import numpy as np

HERE = pathlib.Path(__file__).parent
SIDE, BATCH = 256, 32
CHECKED, ROUNDS, IMAGES = 1024, 7, 64


@functools.cache
def data() -> tuple[np.ndarray, np.ndarray]:
    """Images f32 and textures u8: smooth colour fields, so that every change of a texture does something."""
    random = np.random.default_rng(0)
    grid = np.linspace(0, 6, SIDE)
    fields = []
    for _ in range(2 * BATCH):
        fy, fx, phase = random.uniform(0.5, 6, (3, 3))
        field = np.sin(fy * grid[:, None, None] + phase) * np.sin(fx * grid[None, :, None] + 2 * phase)
        fields.append(0.5 + 0.35 * field + random.normal(0, 0.05, (SIDE, SIDE, 3)))
    fields = np.clip(fields, 0, 1).astype(np.float32)
    return fields[:BATCH], np.round(fields[BATCH:] * 255).astype(np.uint8)


def published(first: int, number: int, augmented: bool) -> list[tuple[float, float]]:
    """Plants `number` images one by one; (mask share, mean |change| in the mask) of each."""
    import recipe

    recipe.seed(1000 + first)
    images, textures = data()
    found = []
    for i in range(number):
        image = images[i % BATCH]
        planted, mask = recipe.plant(image, textures[i % BATCH], augmented)
        found.append((float(mask.mean()), float(np.abs(planted - image).mean() / max(mask.mean(), 1e-9))))
    return found


def timed(first: int, number: int, augmented: bool) -> None:
    import recipe

    recipe.seed(first)
    images, textures = data()
    for i in range(number):
        recipe.plant(images[i % BATCH], textures[i % BATCH], augmented)


def ours(augmented: bool):
    """(key) -> Planted of one batch, compiled, with its inputs on the device."""
    import jax
    import jax.numpy as jnp

    from adjax.synthesis import batched, sometimes, synthesis

    images, textures = (jnp.asarray(a) for a in data())
    textures = textures.astype(jnp.float32) / 255
    plant = jax.jit(batched(sometimes(synthesis("draem", augmented=augmented), 0.5)))
    plant = plant.lower(jax.random.key(0), images, textures).compile()
    return lambda number: plant(jax.random.key(number), images, textures)


def describe(found: list[tuple[float, float]]) -> dict[str, list[float]]:
    """Each figure with its standard error. Half of the images are planted on purpose."""
    area, change = np.array(found).T
    hit = area > 0
    mean = lambda v: [float(v.mean()), float(v.std(ddof=1) / np.sqrt(len(v)))]
    result = {"planted share": mean(hit.astype(float)), "mask area, where planted": mean(area[hit])}
    for q in (0.25, 0.5, 0.75):
        draws = np.random.default_rng(0).choice(area[hit], (400, hit.sum()))
        result[f"its {q:.2f} quantile"] = [float(np.quantile(area[hit], q)), float(np.quantile(draws, q, axis=1).std())]
    return result | {"mean change in the mask": mean(change[hit])}


def check(augmented: bool, plant) -> dict:
    import jax

    mine = []
    for number in range(CHECKED // BATCH):
        made = jax.device_get(plant(10_000 + number))
        mine += list(zip(made.mask.mean((1, 2)).tolist(), made.severity.tolist()))
    return {"adjax": describe(mine), "published recipe": describe(published(0, CHECKED, augmented))}


def measure(augmented: bool, plant, pool) -> dict:
    import jax

    def batches(number):
        for i in range(IMAGES // BATCH):
            made = plant(number * 100 + i)
        jax.block_until_ready(made)

    def processes(number):
        pool.starmap(timed, [(number, IMAGES // 2, augmented), (number + 1, IMAGES // 2, augmented)])

    ways = {
        "adjax, compiled, batches of 32": batches,
        "published recipe, 1 process": lambda number: timed(number, IMAGES, augmented),
        "published recipe, 2 processes": processes,
    }
    seconds = {name: [] for name in ways}
    for way in ways.values():
        way(0)  # compiles, imports, fills caches
    for number in range(1, ROUNDS + 1):
        for name in np.random.default_rng(number).permutation(list(ways)):
            began = time.perf_counter()
            ways[name](number)
            seconds[name].append(time.perf_counter() - began)
    base = seconds[next(iter(ways))]
    return {
        name: {
            "images_per_s": IMAGES / median(times),
            "slower": median(t / b for t, b in zip(times, base)),
            "range": [min(t / b for t, b in zip(times, base)), max(t / b for t, b in zip(times, base))],
        }
        for name, times in seconds.items()
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--device", default=f"CPU, {os.cpu_count()} cores")
    arguments = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        result = {}
        for name, augmented in (("mask, texture changed, blend", True), ("mask and blend", False)):
            plant = ours(augmented)
            result[name] = {"same": check(augmented, plant), "speed": measure(augmented, plant, pool)}
    packages = ("jax", "numpy", "imgaug", "opencv-python-headless", "pillow")
    facts = {
        "config": {"side": SIDE, "batch": BATCH, "images": IMAGES, "rounds": ROUNDS, "checked": CHECKED, "seed": 0},
        "versions": {p: version(p) for p in packages},
        "commit": arguments.commit,
        "device": arguments.device,
    }
    (HERE / "results.json").write_text(json.dumps(facts | {"settings": result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
