"""Tiles per second of the pipeline against a pool of two threads with Pillow and NumPy, interleaved, after a proof that
both give the same tiles.

    python experiments/pipeline/run.py [--images=24] [--rounds=5]

The pool decodes each image once an epoch, like the pipeline, cuts all its tiles from it and writes float32 batches;
two images are always under way. `pool, images kept` also keeps what it has decoded.
"""

import argparse
import collections
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from adjax import tiling
from adjax.data import headers, pipeline
from adjax.data.view import View
from adjax.outcome import versions

HERE = pathlib.Path(__file__).parent
SIDE, GRID, BATCH, THREADS = 1024, tiling.Grid(256, 128), 49, 2
CROPS = 49
KINDS = ("grey 8", "colour 8")


def write_images(folder: pathlib.Path, number: int) -> None:
    """Filaments on noise, as an electron microscope sees them, in grey; the same with three noises in colour."""
    from scipy import ndimage

    for i in range(number):
        random = np.random.default_rng(i)
        lines = np.abs(ndimage.gaussian_filter(random.normal(size=(SIDE, SIDE)), 6))
        grey = 60 + 150 * np.exp(-((lines / lines.max() * 12) ** 2))
        for kind, shape in zip(KINDS, ((SIDE, SIDE), (SIDE, SIDE, 3))):
            image = (grey if len(shape) == 2 else grey[..., None]) + random.normal(0, 8, shape)
            (folder / kind).mkdir(exist_ok=True)
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / kind / f"{i:03d}.png")


def records(folder: pathlib.Path):
    fields = {"label": 0, "defect": "good", "category": ""}
    return [headers.record(path, folder, **fields) for path in headers.image_files(folder)]


class Pool:
    """One batch per image: all tiles of the grid, or as many random ones."""

    def __init__(self, records, keep: bool = False):
        self.records, self.keep, self.kept = records, keep, {}

    def image(self, index: int) -> np.ndarray:
        if index in self.kept:
            return self.kept[index]
        with Image.open(self.records[index].path) as file:
            image = np.asarray(file)
        image = image if image.ndim == 3 else image[..., None]
        if self.keep:
            self.kept[index] = image
        return image

    def batch(self, index: int, epoch: int, grid: bool) -> np.ndarray:
        image = self.image(index)
        places = [(y, x) for y in range(0, 769, 128) for x in range(0, 769, 128)]
        if not grid:
            places = np.random.default_rng([epoch, index]).integers(0, SIDE - 256 + 1, (CROPS, 2))
        out = np.empty((len(places), 256, 256, image.shape[2]), np.float32)
        for row, (y, x) in zip(out, places):
            np.divide(image[y : y + 256, x : x + 256], np.float32(255), out=row, dtype=np.float32)
        return out

    def epoch(self, number: int, grid: bool):
        order = range(len(self.records)) if grid else np.random.default_rng(number).permutation(len(self.records))
        with ThreadPoolExecutor(THREADS) as pool:
            waiting = collections.deque()
            for index in order:
                waiting.append(pool.submit(self.batch, index, number, grid))
                if len(waiting) > 2 * THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def prove(some) -> None:
    """Grid tiles are equal bit for bit; random tiles are found in the image where they claim to be cut."""
    ours = np.concatenate([b["image"][b["_mask"]] for b in pipeline.sweep(some, View(), batch_size=BATCH, grid=GRID)])
    np.testing.assert_array_equal(ours, np.concatenate(list(Pool(some).epoch(0, True))))
    view = View(tile=256, crops=CROPS)
    images = [Pool(some).image(i).astype(np.float32) / np.float32(255) for i in range(len(some))]
    for batch in itertools.islice(pipeline.stream(some, view, batch_size=BATCH, seed=0, workers=THREADS), 2):
        for tile in batch["image"][:5]:
            row = tile[0, :, 0]
            found = False
            for image in images:
                for y, x in np.argwhere(image[: SIDE - 255, : SIDE - 255, 0] == row[0]):
                    if np.array_equal(image[y, x : x + 256, 0], row):
                        found |= np.array_equal(image[y : y + 256, x : x + 256], tile)
            assert found


def rate(batches, number: int) -> float:
    """Tiles per second of `number` batches."""
    began, tiles = time.perf_counter(), 0
    for batch in itertools.islice(batches, number):
        tiles += len(batch["image"] if isinstance(batch, dict) else batch)
    return tiles / (time.perf_counter() - began)


def ways(some, cache: str, number: int):
    """{(tiles, way): tiles per second of one epoch}; a stream runs on from its first epoch to its second."""
    view, shared = View(tile=256, crops=CROPS), {"batch_size": BATCH, "workers": THREADS}
    sweep = lambda **options: rate(pipeline.sweep(some, View(), grid=GRID, **shared, **options), number)
    found = {}
    kept = Pool(some, keep=True)
    list(kept.epoch(0, True))
    for tiles, grid in (("grid", True), ("random", False)):
        found[tiles, "pool"] = rate(Pool(some).epoch(1, grid), number)
        if grid:
            found[tiles, "pipeline, first epoch"] = sweep(cache_mb=0)
            found[tiles, "pipeline, kept on disk"] = sweep(cache_dir=cache)
        else:
            stream = pipeline.stream(some, view, seed=0, **shared, cache_mb=0)
            found[tiles, "pipeline, first epoch"] = rate(stream, number)
            stream.close()
            stream = pipeline.stream(some, view, seed=0, **shared)
            rate(stream, number)
            found[tiles, "pipeline, kept in memory"] = rate(stream, number)
            stream.close()
            stream = pipeline.stream(some, view, seed=0, **shared, cache_dir=cache)
            found[tiles, "pipeline, kept on disk"] = rate(stream, number)
            stream.close()
            # Five epochs from a cold start, as a short training has them.
            stream = pipeline.stream(some, view, seed=0, **shared)
            found[tiles, "pipeline, five epochs from cold"] = rate(stream, 5 * number)
            stream.close()
        found[tiles, "pool, images kept"] = rate(kept.epoch(2, grid), number)
    return found


def measure(folder: pathlib.Path, rounds: int) -> dict:
    table = {}
    for kind in KINDS:
        some = records(folder / kind)
        prove(some[:3])
        with tempfile.TemporaryDirectory() as cache:
            list(pipeline.sweep(some, View(), batch_size=BATCH, grid=GRID, cache_dir=cache))
            runs = [ways(some, cache, len(some)) for _ in range(rounds)]
        for tiles, way in runs[0]:
            rates = [run[tiles, way] for run in runs]
            ratios = [run[tiles, way] / run[tiles, "pool"] for run in runs]
            table[f"{kind}|{tiles}|{way}"] = {
                "tiles_per_s": statistics.median(rates),
                "ratio": statistics.median(ratios),
                "ratios": ratios,
            }
    return table


def peak_mb(folder: pathlib.Path, cache_mb: float) -> dict:
    """In a process of its own: memory of this process before the first batch and at its highest."""
    some = records(folder / KINDS[0])
    view, options = View(tile=256, crops=CROPS), {"batch_size": BATCH, "seed": 0, "workers": THREADS}
    next(pipeline.stream(some[:1], view, cache_mb=0, **options))  # the libraries
    before = high_water_mb()
    stream = pipeline.stream(some, view, cache_mb=cache_mb, **options)
    rate(stream, 3 * len(some))
    return {"cache_mb": cache_mb, "before": before, "peak": high_water_mb()}


def high_water_mb() -> float:
    """Of this process alone: getrusage would count what its parent had reached."""
    line = next(x for x in pathlib.Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", nargs=2)
    flags = parser.parse_args()
    if flags.peak:
        print(json.dumps(peak_mb(pathlib.Path(flags.peak[0]), float(flags.peak[1]))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_images(folder, flags.images)
        result = {"images": flags.images, "rounds": flags.rounds, "threads": THREADS, "batch": BATCH}
        result["rates"] = measure(folder, flags.rounds)
        result["memory"] = [
            json.loads(subprocess.check_output([sys.executable, __file__, "--peak", name, str(mb)]).splitlines()[-1])
            for mb in (0, 8, 1024)
        ]
    result["load"] = os.getloadavg()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    result |= {"pillow": Image.__version__, "versions": versions(), "commit": commit}
    (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
