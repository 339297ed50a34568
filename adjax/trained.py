"""What a finished training left, brought back from its checkpoint alone."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from adjax import checkpoint, parallel
from adjax import config as cfg
from adjax.threshold import Threshold
from adjax.types import Batch, Info, Method, State, UserError


class Trained(NamedTuple):
    config: ConfigDict
    state: State  # without the optimiser's part
    scorer: Method
    thresholds: dict[str, Threshold | None]  # "image", "pixel"
    meta: dict[str, Any]


def restore(workdir: pathlib.Path, config: ConfigDict | None, overrides: Mapping[str, Any]) -> Trained:
    """The newest checkpoint below `workdir`; `overrides`, keys set on the command line, win over its configuration.

    `config` only has to name the same method. Raises UserError without a finished training.
    """
    folder = workdir / "checkpoints"
    if not folder.is_dir():
        raise UserError(f"{folder}: no finished training; run --mode=train with this --workdir first")
    with checkpoint.open_store(folder, create=False) as store:
        return _read(store, config, overrides)


def _read(store, config: ConfigDict | None, overrides: Mapping[str, Any]) -> Trained:
    found = checkpoint.newest(store)
    if not found or not found[1]["done"]:
        raise UserError(f"{store.directory}: training has not ended; run --mode=train with this --workdir first")
    number, meta = found
    if config is not None and config.method.name != meta["method"]:
        raise UserError(
            f"{store.directory} holds a checkpoint of '{meta['method']}', --config asks for '{config.method.name}'; "
            "leave --config out, or choose another --workdir"
        )
    saved = ConfigDict(meta["config"])
    saved.update_from_flattened_dict(dict(overrides))
    info = Info(meta["counts"], cfg.steps(saved, meta["counts"]), saved.fit.batch_size)
    method = cfg.make_method(saved, info, restored=True)
    like = jax.eval_shape(lambda key: method.init(key, example(meta["shape"]), info), jax.random.key(0))
    state = checkpoint.restore(store, number, like, parallel.whole(cfg.mesh(saved, own=True)), optimiser=False)
    thresholds = {k: t and Threshold(**t) for k, t in meta["thresholds"].items()}
    return Trained(saved, state, cfg.make_scorer(saved, method), thresholds, meta)


def example(shape: Sequence[int]) -> Batch:
    """A blank batch of one image, from which a method learns the shapes it will meet."""
    return {"image": jnp.zeros((1, *shape)), "_mask": jnp.ones((1,), bool)}
