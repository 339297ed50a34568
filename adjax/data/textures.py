"""Other images beside those to learn from, for methods that need them: f32[b h w c] in [0, 1].

The batch field `texture` holds what is planted, `penalty` what a student shall not learn.

Axes: b batch, h height, w width, c channels.

As with images, what is in a batch depends on the source, the seed and the batch's number alone.
"""

import functools
import importlib.util
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import jax
import numpy as np
from absl import logging

from adjax.data import folder, headers, pipeline
from adjax.data.view import View
from adjax.synthesis.procedural import procedural
from adjax.types import Record, UserError

APART = {"texture": 104729, "penalty": 224737}  # between the seeds of images and of what is beside them


def beside(
    batches: pipeline.Batches,
    shape: tuple[int, int, int],
    *,
    field: str = "texture",
    source: str = "procedural",
    root: str | None = None,
    zoom: int = 1,
    batch_size: int,
    seed: int,
    start: int = 0,
    shard: tuple[int, int] = (0, 1),
    cache_mb: float = 1024,
) -> pipeline.Batches:
    """The batches with a texture of `shape` (h w c) for every image.

    `source` is one of SOURCES: "procedural" needs no files; the others take every image they find, resized to `shape`
    times `zoom`, of which the middle is kept, and flipped at random. The other arguments are those of
    `pipeline.stream`.
    """
    if source not in SOURCES:
        raise UserError(f"unknown texture source {source!r}; choose from {', '.join(SOURCES)}")
    how = {"batch_size": batch_size, "seed": seed + APART[field], "start": start, "shard": shard}
    if source == "procedural":
        textures = _procedural(shape, **how)
    else:
        height, width, _ = shape
        top, left = (zoom - 1) * height // 2, (zoom - 1) * width // 2
        view = View(size=(zoom * height, zoom * width), channels=shape[2], augment=("flip_h", "flip_v"))
        stream = pipeline.stream(SOURCES[source](root, field), view, cache_mb=cache_mb, **how)
        textures = (batch["image"][:, top : top + height, left : left + width] for batch in stream)
    return (batch | {field: texture} for batch, texture in zip(batches, textures))


def _procedural(
    shape: tuple[int, int, int], *, batch_size: int, seed: int, start: int, shard: tuple[int, int]
) -> Iterator[np.ndarray]:
    rows = batch_size // shard[1]
    make = _renderer(tuple(shape), shard[0] * rows, rows)
    made = (make(jax.random.fold_in(jax.random.key(seed), number)) for number in itertools.count(start))
    ready = next(made)
    for later in made:  # asked for a batch early: a device comes to it before the steps that are asked for meanwhile
        yield np.asarray(ready)
        ready = later


@functools.cache  # every phase of a training asks for it
def _renderer(shape: tuple[int, int, int], first: int, rows: int) -> Callable:
    numbers = first + np.arange(rows)

    @jax.jit
    def make(key):
        keys = jax.vmap(partial(jax.random.fold_in, key))(numbers)
        return jax.vmap(lambda k: procedural(k, shape))(keys)

    return make


def _folder(root: str | None, field: str) -> tuple[Record, ...]:
    """Every image below `root`; unreadable ones are left out with a warning."""
    if not root:
        raise UserError(f"texture source 'folder' needs data.{field}.root: a folder of images")
    return _readable(Path(root))


def _dtd(root: str | None, field: str) -> tuple[Record, ...]:
    """The Describable Textures Dataset (Cimpoi et al. 2014): <root>/images/<texture>/*.jpg."""
    if not root or not headers.folders(Path(root).expanduser() / "images"):
        raise UserError(f"data.{field}.root={root} must hold DTD's images/<texture>/*.jpg")
    return _readable(Path(root) / "images")


def _skimage(root: str | None, field: str) -> tuple[Record, ...]:
    """The three surfaces that come with scikit-image, 512×512 and grey: brick, grass, gravel."""
    del field
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise UserError("texture source 'skimage' needs its package: pip install \"scikit-image\"")
    data = Path(root or Path(spec.origin).parent / "data")
    good = {"label": 0, "defect": "good", "category": ""}
    return tuple(headers.record(data / f"{name}.png", data, **good) for name in ("brick", "grass", "gravel"))


def _readable(root: Path) -> tuple[Record, ...]:
    skipped = lambda path, reason: logging.warning("texture %s is left out: %s", path, reason)
    return folder.unlabelled(str(root), on_unreadable=skipped)


SOURCES: dict[str, Callable[[str | None, str], tuple[Record, ...]] | None] = {
    "procedural": None,
    "folder": _folder,
    "dtd": _dtd,
    "skimage": _skimage,
}
