"""The filament benchmark on disk: MVTec AD's layout, written once from a seed.

    python -m adjax.data.filaments --out=DIR --level=L2 --n_train=200 --n_test_good=100 --n_test_defect=570 --details

    <root>/train/good/train_0000.png ...             8-bit grey; calibration and validation are cut from these
    <root>/test/good/good_0000.png ...  <root>/test/<type>/<type>_0000.png ...
    <root>/ground_truth/<type>/<type>_0000_mask.png  0 and 255: what is visible of the defect
    <root>/meta/<stem>.json                          every image; written last, so that an image with one is whole
    <root>/meta/<stem>_{twin,extent,label,crossings}.png, <stem>_lines.npy     with `details`; of good test images
                                                     the crossings alone
    <root>/manifest.json                             version and parameters; a folder holds one set only

A run that was interrupted goes on where it stopped, and ends with the same files.
"""

import argparse
import hashlib
import inspect
import io
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from adjax import parallel
from adjax.synthesis.filaments import (
    FAMILY,
    KINDS,
    LEVELS,
    OPTICS,
    TAU,
    VERSION,
    Pair,
    crossings,
    defective,
    image_key,
    normal,
)
from adjax.types import UserError

SPLITS = {"train": 0, "test_good": 1, "test_defect": 2}  # numbers that enter the keys
ATTEMPTS = 50  # draws of a defect
PATIENCE = 10  # draws in one scene: some have no place for some defect
SMALLEST = 12  # px of an instance that can be seen; textures 500 on a full-size image
SHOWN = 0.25  # least share of an instance's extent in its mask
CHANGED = 0.05  # least share of an instance's extent that differs from the twin
FULL = 1024
ON_CROSSING = 15.0  # px
COMPACT = ("blob", "speck", "flake", "beaded")  # without holes in their masks
# The order in which few images are spread over types: every family in turn.
FIRST = ("broken", "blur", "blob", "beaded", "curvature", "film", "bent", "density", "speck", "thickened", "width")


class Item(NamedTuple):
    """One image to write."""

    split: str
    index: int
    kind: str  # "good" or one of KINDS

    @property
    def stem(self) -> str:
        return f"{'train' if self.split == 'train' else self.kind}_{self.index:04d}"


def generate(
    root: str | os.PathLike | None = None,
    *,
    level: str = "L2",
    optics: str = "sem",
    size: int = 1024,
    n_train: int = 36,
    n_test_good: int = 12,
    n_test_defect: int = 12,
    types: Iterable[str] = (),
    seed: int = 0,
    details: bool = False,
) -> Path:
    """Writes what is missing of a data set, and returns its root.

    Without `root` it lives in $ADJAX_CACHE or ~/.cache/adjax, in a folder named after version and parameters.
    `n_test_defect` images are spread evenly over `types`; () means all of them, or fewer where two images each are not
    to be had. Raises UserError when the folder holds something else, and for impossible parameters.
    """
    types = _choose(tuple(types), n_test_defect)
    counts = {"n_train": n_train, "n_test_good": n_test_good, "n_test_defect": n_test_defect}
    _check(level, optics, size, counts)
    manifest = {"version": VERSION, "level": level, "optics": optics, "size": size, "seed": seed, "details": details}
    manifest |= {"types": list(types), **counts}
    root = Path(root).expanduser() if root else _default_root(manifest)
    _claim(root, manifest)
    items = [Item("test_defect", i, types[i % len(types)]) for i in range(n_test_defect)]
    # Good images right after one defective: their program runs while the other one is still being compiled.
    items[1:1] = [Item("train", i, "good") for i in range(n_train)]
    items[1:1] = [Item("test_good", i, "good") for i in range(n_test_good)]
    missing = [item for item in items if not (root / "meta" / f"{item.stem}.json").exists()]
    if missing:
        _write_all(root, missing, manifest, len(items))
    return root


def _choose(types: tuple[str, ...], number: int) -> tuple[str, ...]:
    for name in types:
        if name not in KINDS:
            raise UserError(f"unknown defect type {name!r}; choose from {', '.join(KINDS)}")
    if types or number >= 2 * len(KINDS):
        return types or KINDS
    return FIRST[: max(min(3, number), min(number // 2, len(FIRST)))] or FIRST[:1]


def _check(level: str, optics: str, size: int, counts: dict[str, int]) -> None:
    for name, value, known in (("level", level, LEVELS), ("optics", optics, OPTICS)):
        if value not in known:
            raise UserError(f"unknown {name} {value!r}; choose from {', '.join(known)}")
    if not 48 <= size <= 2048:
        raise UserError(f"size={size}: images of 48 to 2048 px a side can be made")
    for name, value in counts.items():
        if value < 0:
            raise UserError(f"{name}={value} must not be negative")


def _default_root(manifest: dict[str, Any]) -> Path:
    cache = Path(os.environ.get("ADJAX_CACHE") or Path.home() / ".cache" / "adjax").expanduser()
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{manifest['version']}-{manifest['level']}-{manifest['optics']}-{manifest['size']}-{digest}"
    return cache / "filaments" / name


def _claim(root: Path, manifest: dict[str, Any]) -> None:
    """Makes the folder this data set's, or finds that it is."""
    file = root / "manifest.json"
    if not file.exists():
        beginning = f".{file.name}."  # what another process that begins with the same set writes it as
        if root.exists() and any(not path.name.startswith(beginning) for path in root.iterdir()):
            raise UserError(f"{root} holds other files and no manifest.json; name an empty folder")
        root.mkdir(parents=True, exist_ok=True)
        _write(file, json.dumps(manifest, indent=1).encode())
        return
    try:
        there = json.loads(file.read_text())
    except ValueError as error:
        raise UserError(f"{file} is damaged ({error}); remove {root} and run again") from error
    different = [k for k in manifest if there.get(k) != manifest[k]]
    if different:
        was = ", ".join(f"{k}={there.get(k)!r} (wanted {manifest[k]!r})" for k in different)
        raise UserError(f"{root} holds another data set: {was}; name another folder, or remove this one")


def _write_all(root: Path, items: list[Item], manifest: dict[str, Any], total: int) -> None:
    """Two images in the making: one is computed while the other is encoded."""
    pool = ThreadPoolExecutor(max(2, parallel.processors()))
    with tqdm(total=total, initial=total - len(items), unit="image", desc=f"filaments to {root}") as bar:
        try:
            for done in as_completed([pool.submit(_make, root, item, manifest) for item in items]):
                done.result()
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)


def _make(root: Path, item: Item, manifest: dict[str, Any]) -> None:
    how = {k: manifest[k] for k in ("level", "optics", "size")}
    key = image_key(manifest["seed"], SPLITS[item.split], item.index)
    meta = {"type": item.kind, "split": item.split, "index": item.index, "seed": manifest["seed"]}
    meta |= {"generator_version": VERSION, **how}
    folder = root / item.split.split("_")[0] / item.kind
    if item.kind == "good":
        image, lines = (np.asarray(a[0]) for a in normal(key[None], **how))
        _png(folder / f"{item.stem}.png", image)
        if item.split != "train":
            meta |= {"family": "good", "crossings": _listed(crossings.find(lines, how["size"]))}
        if item.split != "train" and manifest["details"]:
            # The twin of any defect in this scene is this image, up to a grey level; its program is compiled already.
            twin = defective(key, jnp.int32(0), jnp.int32(0), **how)
            _crossing_map(root / "meta" / item.stem, np.asarray(twin.crossings))
    else:
        meta |= _defective(root, folder, item, key, how, manifest["details"])
    _write(root / "meta" / f"{item.stem}.json", json.dumps(meta).encode())


def _defective(root: Path, folder: Path, item: Item, key, how: dict[str, Any], details: bool) -> dict[str, Any]:
    """Draws until every instance can be seen, writes the image and its masks, and returns what is known of it."""
    kind = KINDS.index(item.kind)
    for attempt in range(ATTEMPTS):
        scene = jax.random.fold_in(key, attempt // PATIENCE) if attempt >= PATIENCE else key
        pair = jax.tree.map(np.asarray, defective(scene, jnp.int32(kind), jnp.int32(attempt), **how))
        visible = pair.visible
        if item.kind in COMPACT:
            visible = ndimage.binary_fill_holes(visible) & pair.extent
        numbers = np.flatnonzero(pair.plan.active) + 1
        if len(numbers) and all(shows(pair, visible, item.kind, n) for n in numbers):
            break
    else:
        raise UserError(f"no visible {item.kind!r} in {ATTEMPTS} draws of {item}: take a size over {how['size']}")
    found = crossings.find(pair.lines, how["size"])
    _png(folder / f"{item.stem}.png", pair.image)
    _png(root / "ground_truth" / item.kind / f"{item.stem}_mask.png", np.uint8(255) * visible)
    if details:
        _details(root / "meta" / item.stem, pair)
    instances = [_instance(pair, visible, int(n), found) for n in numbers]
    known = {"family": FAMILY[item.kind], "attempt": attempt, "instances": instances, "crossings": _listed(found)}
    return known | {"severity": max(i["severity"] for i in instances)}


def shows(pair: Pair, visible: np.ndarray, kind: str, number: int) -> bool:
    """Whether an instance is large enough, not hidden, and no regional change of an empty region."""
    support = pair.label == number
    area, size = np.sum(visible & support), len(visible)
    changed = np.mean(np.abs(pair.ideal[1] - pair.ideal[0])[support] > TAU) if support.any() else 0.0
    if FAMILY[kind] == "texture":
        return area >= 500 * (size / FULL) ** 2 and (changed >= CHANGED or kind == "noise")
    return area >= max(SMALLEST, SHOWN * np.sum(support)) and changed >= CHANGED


def _details(stem: Path, pair: Pair) -> None:
    for name, image in (("twin", pair.twin), ("extent", np.uint8(255) * pair.extent), ("label", pair.label)):
        _png(stem.with_name(f"{stem.name}_{name}.png"), image)
    _crossing_map(stem, pair.crossings)
    buffer = io.BytesIO()
    np.save(buffer, pair.lines[:, :, :4].astype(np.float32))
    _write(stem.with_name(f"{stem.name}_lines.npy"), buffer.getvalue())


def _crossing_map(stem: Path, count: np.ndarray) -> None:
    _png(stem.with_name(f"{stem.name}_crossings.png"), count.astype(np.uint16))


def _instance(pair: Pair, visible: np.ndarray, number: int, found: crossings.Crossings) -> dict[str, Any]:
    """Numbers of one instance; boxes are x0, y0, x1, y1, the last ones excluded."""
    y, x = np.nonzero(visible & (pair.label == number))
    away = np.hypot(found.x[:, None] - x[None], found.y[:, None] - y[None]).min(initial=1e4)
    return {
        "number": number,
        "severity": round(float(pair.plan.severity[number - 1]), 4),
        "box": [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1],
        "area": len(x),
        "extent_area": int(np.sum(pair.label == number)),
        "crossing_distance": round(float(away), 2),
        "on_crossing": bool(away < ON_CROSSING),
    }


def _listed(found: crossings.Crossings) -> dict[str, list]:
    places = {k: np.round(getattr(found, k), 1).tolist() for k in ("x", "y", "angle")}
    return places | {"lower": found.lower.tolist(), "upper": found.upper.tolist()}


def _png(path: Path, image: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=2)
    _write(path, buffer.getvalue())


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Writes the filament benchmark.", allow_abbrev=False)
    parser.add_argument("--out", dest="root", help="folder; by default one in the cache")
    for name, parameter in inspect.signature(generate).parameters.items():
        if name == "types":
            parser.add_argument("--types", default=(), type=lambda text: tuple(text.split(",")), help=", ".join(KINDS))
        elif name == "details":
            parser.add_argument("--details", action="store_true", help="twins, extents, labels, crossing maps too")
        elif name != "root":
            spelled = (f"--{name}", f"--{name.replace('_', '-')}")
            parser.add_argument(*dict.fromkeys(spelled), default=parameter.default, type=type(parameter.default))
    try:
        print(generate(**vars(parser.parse_args(arguments))))
    except UserError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
