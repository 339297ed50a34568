"""THE loop: phases in order, logging, progress, checkpoints, stop on a loss that is not finite or when told to end.

The host loops over one compiled update per phase (gradients inside scan are slow on the CPU). Everything random comes
from the key by phase and step, and every batch from its number, so a run that resumes does what it would have done.
"""

import itertools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from tqdm import tqdm

from adjax import checkpoint, parallel
from adjax.types import Batch, Info, Key, Method, State, UserError

Feed = Callable[[str, int], Iterator[Batch]]  # (phase, first step) -> host batches, as many as the phase has steps


class Fitted(NamedTuple):
    state: State
    number: int  # checkpoints so far are numbered up to here
    history: dict[str, list]  # scalar -> [[step, value], ...] over all phases
    seconds: dict[str, float]  # "fit_s", "compile_s", "input_wait_s"


class Every(NamedTuple):
    log: int = 20  # steps between logged scalars
    save: int = 200  # steps between checkpoints; 0 saves at the ends of phases only


def fit(
    method: Method,
    example: Batch,
    feed: Feed,
    *,
    key: Key,
    info: Info,
    mesh: Mesh,
    store,
    meta: Mapping[str, Any],
    every: Every = Every(),
    write: Callable[[int, dict], None] = lambda step, scalars: None,
) -> Fitted:
    """Runs all phases, from the newest checkpoint in `store` if there is one. `write` gets the logged scalars."""
    k_init, k_phases = jax.random.split(key)
    with parallel.told_to_end() as told:
        run = _Run(method, feed, info, mesh, store, dict(meta), every, write, told)
        fitted, phase, step = _begin(run, example, k_init)
        for index, name in enumerate(method.phases):
            if index < phase:
                continue
            k_phase = jax.random.fold_in(k_phases, index)
            fitted = _phase(run, fitted, name, index, step, k_phase)
            began = time.monotonic()
            # What `finish` does is this process's own affair, done alike in all of them.
            own = parallel.moved(fitted.state, parallel.mesh_for(own=True))
            state = method.phases[name].finish(own, jax.random.fold_in(k_phase, info.steps[name]))
            state = jax.block_until_ready(parallel.moved(state, mesh))
            fitted = _spent(fitted._replace(state=state, number=fitted.number + 1), "fit_s", time.monotonic() - began)
            _save(run, fitted, index + 1, 0)
            if told(fitted.number):
                _end(run, fitted)
            step = 0
    return fitted


class _Run(NamedTuple):
    """What stays the same through a run."""

    method: Method
    feed: Feed
    info: Info
    mesh: Mesh
    store: Any
    meta: dict
    every: Every
    write: Callable
    told: Callable[[int], bool]


def _begin(run: _Run, example: Batch, key: Key) -> tuple[Fitted, int, int]:
    """The newest checkpoint's state and place, or a fresh state."""

    def init(key):
        return run.method.init(key, example, run.info)

    sharding = parallel.whole(run.mesh)
    found = checkpoint.newest(run.store)
    if found is None:
        # init is nothing but random bits, which take ten times longer to compile from the default generator.
        quick = jax.random.wrap_key_data(jnp.tile(jax.random.key_data(key), 2), impl="rbg")
        state = jax.jit(init, out_shardings=sharding)(quick)
        return Fitted(state, 0, {}, {"fit_s": 0.0, "compile_s": 0.0, "input_wait_s": 0.0}), 0, 0
    number, saved = found
    if saved["method"] != run.meta["method"]:
        raise UserError(
            f"{run.store.directory} holds a checkpoint of '{saved['method']}', the configuration asks for "
            f"'{run.meta['method']}'; choose another --workdir"
        )
    state = checkpoint.restore(run.store, number, jax.eval_shape(init, key), sharding)
    logging.info("resume from checkpoint %d (phase %d, step %d)", number, saved["phase"], saved["step"])
    return Fitted(state, number, saved["history"], saved["seconds"]), saved["phase"], saved["step"]


def _phase(run: _Run, fitted: Fitted, name: str, index: int, first: int, key: Key) -> Fitted:
    steps, every = run.info.steps[name], run.every
    if first >= steps:
        return fitted
    update, state, compiled, scalars = run.method.phases[name].update, fitted.state, None, {}
    batches = parallel.ahead(itertools.islice(run.feed(name, first), steps - first), run.mesh)
    began = waited = 0.0
    bar = tqdm(total=steps, initial=first, desc=name, unit="step", mininterval=1.0, leave=True)
    for step in range(first, steps):
        asked = time.monotonic()
        batch = next(batches)
        if compiled is None:
            compiled, seconds = _compile(update, state, batch, key, run.mesh)
            fitted = _spent(fitted, "compile_s", seconds)
            began = time.monotonic()
        else:
            waited += _idle(scalars, time.monotonic() - asked)
        before = scalars
        state, scalars = compiled(state, batch, jax.random.fold_in(key, step))
        jax.block_until_ready(before)  # the host keeps one step ahead, or it would seem to wait for batches of later
        fitted = fitted._replace(state=state, number=fitted.number + 1)
        done = step + 1
        bar.update()
        ending = done < steps and run.told(fitted.number)
        saving = bool(every.save) and done % every.save == 0 and done < steps
        logged = saving or done % every.log == 0 or done == steps
        if ending or logged:
            values = _finite({k: float(v) for k, v in scalars.items()}, name, step, run.store)
        if logged:
            fitted = _log(run, fitted, _offset(run, index) + done, values, waited / (time.monotonic() - began))
            bar.set_postfix({k: f"{v:.4g}" for k, v in values.items() if k == "loss/total"})
        if ending or saving:
            _save(run, _timed(fitted, began, waited), index, done)
        if ending:
            bar.close()
            _end(run, fitted)
    bar.close()
    jax.block_until_ready(state)
    return _timed(fitted, began, waited)


def _end(run: _Run, fitted: Fitted) -> None:
    checkpoint.wait(run.store)
    raise UserError(
        f"told to end, by SIGTERM: {run.store.directory} holds checkpoint {fitted.number}, from which the same command "
        "goes on"
    )


def _idle(scalars: Mapping[str, jax.Array], seconds: float) -> float:
    """How much of the host's wait for a batch the devices may have idled: nothing while they are at the last step."""
    return seconds if all(value.is_ready() for value in scalars.values()) else 0.0


def _compile(update, state, batch, key, mesh):
    began = time.monotonic()
    whole = parallel.whole(mesh)
    step = jax.jit(update, donate_argnums=0, out_shardings=(whole, whole))
    return step.lower(state, batch, jax.random.fold_in(key, 0)).compile(), time.monotonic() - began


def _finite(values: dict[str, float], name: str, step: int, store) -> dict[str, float]:
    bad = [k for k, v in values.items() if not math.isfinite(v)]
    if bad:
        last = store.latest_step()
        kept = "no checkpoint was written before" if last is None else f"checkpoint {last} is intact"
        raise UserError(
            f"phase '{name}', step {step + 1}: {bad[0]} is {values[bad[0]]}; {kept}. "
            "Lower config.optim.learning_rate, or look for extreme images"
        )
    return values


def _offset(run: _Run, index: int) -> int:
    return sum(run.info.steps[name] for name in list(run.method.phases)[:index])


def _log(run: _Run, fitted: Fitted, step: int, values: dict[str, float], wait: float) -> Fitted:
    run.write(step, values | {"input_wait": wait})
    history = dict(fitted.history)
    for name, value in values.items():
        history[name] = [*history.get(name, []), [step, value]]
    return fitted._replace(history=history)


def _spent(fitted: Fitted, what: str, seconds: float) -> Fitted:
    return fitted._replace(seconds=fitted.seconds | {what: fitted.seconds[what] + seconds})


def _timed(fitted: Fitted, began: float, waited: float) -> Fitted:
    return _spent(_spent(fitted, "fit_s", time.monotonic() - began), "input_wait_s", waited)


def _save(run: _Run, fitted: Fitted, phase: int, step: int) -> None:
    place = {"phase": phase, "step": step, "history": fitted.history, "seconds": fitted.seconds, "done": False}
    checkpoint.save(run.store, fitted.number, fitted.state, run.meta | place)
