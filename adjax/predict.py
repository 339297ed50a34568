"""Batches of images -> scores and maps, one record after another; randomness keyed by the image's id.

Axes: b batch, h height, w width.
"""

import time
from collections.abc import Iterable, Iterator, MutableMapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from adjax import parallel
from adjax.types import Batch, Key, Method, Record, State, UserError


class Scored(NamedTuple):
    record: Record
    score: float
    map: np.ndarray | None  # f32[h w] at the resolution that was scored; None for image-level methods
    ignore: np.ndarray | None = None  # bool[h w] like the map: pixels that count nowhere; None without such masks


def predict(
    method: Method,
    state: State,
    batches: Iterable[tuple[list[Record], Batch]],
    *,
    key: Key,
    mesh: Mesh,
    clock: MutableMapping[str, float],
) -> Iterator[Scored]:
    """Compiles once per batch shape. `clock` gathers "compile_s", "score_s" and "images".

    Raises UserError for what is not a number.
    """

    def score(state, batch, hashes):
        prediction = method.score(state, batch, jax.vmap(lambda h: jax.random.fold_in(key, h))(hashes))
        maps = jnp.zeros((hashes.shape[0], 0, 0)) if prediction.map is None else prediction.map
        return prediction.score, maps

    run, programs = jax.jit(parallel.per_image(score, mesh)), {}
    for records, batch in batches:
        began, sizes, hidden = time.monotonic(), batch["_size"], batch.get("_ignore")
        batch = dict(parallel.put(batch, mesh))
        hashes, shape = batch.pop("_hash"), batch["image"].shape
        if shape not in programs:
            programs[shape] = run.lower(state, batch, hashes).compile()
            clock["compile_s"] = clock.get("compile_s", 0.0) + time.monotonic() - began
            began = time.monotonic()
        scores, maps = jax.device_get(programs[shape](state, batch, hashes))
        clock["score_s"] = clock.get("score_s", 0.0) + time.monotonic() - began
        clock["images"] = clock.get("images", 0) + len(records)
        for i, record in enumerate(records):
            h, w = sizes[i]
            ignored = None if hidden is None else np.array(hidden[i, :h, :w])
            anomaly_map = np.array(maps[i, :h, :w]) if maps.size else None
            if np.isnan(scores[i]) or (anomaly_map is not None and np.isnan(anomaly_map).any()):
                raise UserError(
                    f"{record.path}: its score or map is not a number; the model is of no use, as after too high a "
                    "learning rate"
                )
            yield Scored(record, float(scores[i]), anomaly_map, ignored)
