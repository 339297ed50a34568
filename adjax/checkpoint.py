"""Checkpoints by Orbax: the state, the optimiser's part of it apart, and the meta data, all in one step.

A state is stored as {path: array}. Its structure comes from `like` (an eval_shape of init), its shapes from the
checkpoint, since `finish` may change them. What lies below a field named `opt_state` is an item of its own, which
scoring never reads.
"""

import functools
import logging
import pathlib
import sys
import threading
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from adjax.types import State, UserError

# Otherwise every device writes its slice of an array that all of them hold: a program to compile for every shape.
ocp.type_handlers.register_type_handler(
    jax.Array, ocp.type_handlers.ArrayHandler(use_replica_parallel=False), override=True
)


def open_store(directory, *, keep: int = 2, create: bool = True) -> ocp.CheckpointManager:
    """Saves run in the background; leftovers of a killed save are cleared here."""
    if create:
        _mute_late_writes()
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, create=create, cleanup_tmp_directories=create, read_only=not create
    )
    # Named handlers: a manager that has saved nothing yet could not read meta data without them.
    handlers = {
        "state": ocp.StandardCheckpointHandler(),
        "optimiser": ocp.StandardCheckpointHandler(),
        "meta": ocp.JsonCheckpointHandler(),
    }
    where = pathlib.Path(directory).absolute()  # Orbax writes to no relative path
    return ocp.CheckpointManager(where, options=options, item_handlers=handlers)


def save(store: ocp.CheckpointManager, number: int, state: State, meta: Mapping[str, Any]) -> None:
    """Returns as soon as the arrays are copied; `wait` for the disk. Numbers must rise."""
    scoring, optimiser = _split(state)
    items = {"state": ocp.args.StandardSave(scoring), "meta": ocp.args.JsonSave(dict(meta))}
    if optimiser:
        items["optimiser"] = ocp.args.StandardSave(optimiser)
    with _explained(store):
        store.save(number, args=ocp.args.Composite(**items))


def wait(store: ocp.CheckpointManager) -> None:
    with _explained(store):
        store.wait_until_finished()


def newest(store: ocp.CheckpointManager) -> tuple[int, dict[str, Any]] | None:
    """(number, meta) of the newest complete checkpoint; None before the first."""
    number = store.latest_step()
    if number is None:
        return None
    return number, store.restore(number, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta


def restore(store: ocp.CheckpointManager, number: int, like: State, sharding, *, optimiser: bool = True) -> State:
    """The state saved as `number`. Without `optimiser`, every leaf below an `opt_state` is None."""
    scoring, optimising = _split(like)
    leaves = _read(store, number, "state", scoring, sharding)
    if optimiser and optimising:
        leaves |= _read(store, number, "optimiser", optimising, sharding)
    return jax.tree_util.tree_map_with_path(lambda path, _: leaves.get(_name(path)), like)


def _read(store, number: int, item: str, like: dict, sharding) -> dict[str, jax.Array]:
    saved = store.item_metadata(number)[item]
    saved = {} if saved is None else dict(saved.tree)
    missing, foreign = sorted(like.keys() - saved.keys()), sorted(saved.keys() - like.keys())
    if missing or foreign:
        raise UserError(
            f"{store.directory}: checkpoint {number} holds another method's state: "
            f"missing {missing[:3] or 'nothing'}, unexpected {foreign[:3] or 'nothing'}. "
            "Use the configuration it was made with, or another --workdir"
        )
    target = {n: jax.ShapeDtypeStruct(m.shape, m.dtype, sharding=sharding) for n, m in saved.items()}
    return store.restore(number, args=ocp.args.Composite(**{item: ocp.args.StandardRestore(target)}))[item]


def _split(state: State) -> tuple[dict, dict]:
    named = {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)}
    optimiser = {n: leaf for n, leaf in named.items() if "opt_state" in n.split("/")}
    # Orbax refuses an empty item: the format's version keeps a state without arrays storable.
    scoring = {n: leaf for n, leaf in named.items() if n not in optimiser} | {"_format": np.int32(1)}
    return scoring, optimiser


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


class _explained:
    """Turns a failed write into a message; what was written before stays."""

    def __init__(self, store: ocp.CheckpointManager):
        self.store = store

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, (OSError, ValueError, RuntimeError)):
            _quiet_what_is_left()
            last = self.store.latest_step()
            kept = "no checkpoint was written before" if last is None else f"checkpoint {last} is intact"
            raise UserError(
                f"{self.store.directory}: cannot write a checkpoint ({_reason(error)}); {kept}. "
                "Free space there, or resume with another --workdir"
            ) from error


@functools.cache
def _mute_late_writes() -> None:
    """A write that ends after another's failure tells its event loop, which is closed, and Python prints so.

    Once a process, before the first write: a traceback that is being printed when the failure is caught would end
    after the message.
    """
    others = sys.unraisablehook

    def hook(found) -> None:
        if str(found.exc_value) != "Event loop is closed":
            others(found)

    sys.unraisablehook = hook


def _quiet_what_is_left() -> None:
    """The other writes fail too: the message should come after their last traceback."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # what failed says so whenever it is collected
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)  # and what had not begun
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("orbax."):
            threading.Thread.join(thread, timeout=10)  # Orbax's own join raises what failed in the thread


def _reason(error: Exception) -> str:
    """What the system said at the end of a chain of wrappers: "No space left on device"."""
    return str(error).strip().splitlines()[-1].rsplit(": ", 1)[-1]
