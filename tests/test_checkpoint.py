"""What is saved comes back bit for bit; another method's state is refused; a full disk loses nothing."""

import asyncio
import errno
import gc
import sys
import threading
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adjax import checkpoint, parallel
from adjax.optim import learner
from adjax.types import UserError


class State(NamedTuple):
    net: Any
    bank: Any
    empty: Any


def state(bank_rows: int = 3) -> State:
    params = {"a": jnp.arange(6.0).reshape(2, 3), "half": jnp.ones(4, jnp.bfloat16) / 3}
    with jax.numpy_dtype_promotion("standard"):
        net = learner(params, optax.adam(1e-3), ema_decay=0.9)
    return State(net, jnp.arange(bank_rows * 2, dtype=jnp.int32).reshape(bank_rows, 2), ())


def whole():
    return parallel.whole(parallel.mesh())


@pytest.fixture
def store(tmp_path):
    with checkpoint.open_store(tmp_path / "checkpoints") as manager:
        yield manager


def test_round_trip_is_exact(store):
    saved = state(bank_rows=5)
    checkpoint.save(store, 7, saved, {"phase": 1, "history": {"loss/l2": [[1, 0.1]]}})
    checkpoint.wait(store)
    number, meta = checkpoint.newest(store)
    assert (number, meta) == (7, {"phase": 1, "history": {"loss/l2": [[1, 0.1]]}})
    found = checkpoint.restore(store, 7, jax.eval_shape(lambda: state(bank_rows=3)), whole())
    assert jax.tree.structure(found) == jax.tree.structure(saved)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(saved), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_a_relative_folder_is_below_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with checkpoint.open_store("checkpoints") as written:
        checkpoint.save(written, 1, state(), {})
        checkpoint.wait(written)
    with checkpoint.open_store("checkpoints", create=False) as store:
        assert checkpoint.newest(store) == (1, {})
        restored = checkpoint.restore(store, 1, state(), whole())
    assert (tmp_path / "checkpoints" / "1").is_dir()
    assert jnp.array_equal(restored.bank, state().bank)


def test_scoring_reads_no_optimiser_state(store):
    checkpoint.save(store, 1, state(), {})
    checkpoint.wait(store)
    found = checkpoint.restore(store, 1, jax.eval_shape(state), whole(), optimiser=False)
    assert jax.tree.leaves(found.net.opt_state) == []
    np.testing.assert_array_equal(found.net.params["a"], state().net.params["a"])


def test_a_state_without_arrays_is_kept(store):
    checkpoint.save(store, 1, (), {"done": True})
    checkpoint.wait(store)
    assert checkpoint.restore(store, 1, (), whole()) == ()


def test_donation_after_save_does_not_reach_the_disk(store):
    """The save runs in the background while training goes on in the same buffers."""
    rise = jax.jit(lambda x: x + 1.0, donate_argnums=0)
    value = jax.device_put(jnp.zeros((1000, 1000)), whole())
    for number in range(3):
        value = rise(value)
        checkpoint.save(store, number, {"x": value}, {})
        for _ in range(5):
            value = rise(value)
    checkpoint.wait(store)
    for number in store.all_steps():
        found = checkpoint.restore(store, number, {"x": value}, whole())["x"]
        np.testing.assert_array_equal(found, 6.0 * number + 1.0)


def test_another_methods_state_is_refused(store):
    checkpoint.save(store, 1, {"teacher": jnp.zeros(2)}, {})
    checkpoint.wait(store)
    with pytest.raises(UserError, match=r"another method's state.*net/params/a.*teacher"):
        checkpoint.restore(store, 1, {"net": {"params": {"a": jnp.zeros(2)}}}, whole())


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_failed_write_names_the_folder_and_what_is_left(store, monkeypatch):
    checkpoint.save(store, 1, {"x": jnp.zeros(2)}, {})
    checkpoint.wait(store)
    monkeypatch.setattr(store, "save", full)
    with pytest.raises(UserError, match=r"No space left.*checkpoint 1 is intact.*Free space"):
        checkpoint.save(store, 2, {"x": jnp.zeros(2)}, {})


def test_what_else_fails_does_not_take_the_messages_place(store, monkeypatch):
    """Orbax's threads raise what failed in them when they are joined."""

    class Failed(threading.Thread):
        def join(self, timeout=None):
            super().join(timeout)
            raise ValueError("another write")

    monkeypatch.setattr(Failed, "__module__", "orbax.checkpoint")
    monkeypatch.setattr(store, "save", full)
    ended = threading.Event()
    other = Failed(target=ended.wait)
    other.start()
    threading.Timer(0.1, ended.set).start()
    with pytest.raises(UserError, match="No space left"):
        checkpoint.save(store, 1, {"x": jnp.zeros(2)}, {})
    assert not other.is_alive()


def test_writes_that_had_not_begun_are_quiet(store, monkeypatch):
    async def write():
        pass

    monkeypatch.setattr(store, "save", full)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with pytest.raises(UserError, match="No space left"):
            checkpoint.save(store, 1, {"x": jnp.zeros(2)}, {})
        write()
        gc.collect()
    assert heard == []


def test_writes_that_end_after_anothers_failure_are_quiet(tmp_path, monkeypatch):
    """They tell their event loop, which the first failure has closed; anything else is heard as before."""
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: heard.append(type(found.exc_value)))
    checkpoint._mute_late_writes.cache_clear()  # once a process; this is as in a new one
    checkpoint.open_store(tmp_path / "checkpoints").close()
    loop = asyncio.new_event_loop()
    loop.close()

    class Late:
        def __init__(self, tell):
            self.tell = tell

        def __del__(self):
            self.tell()

    Late(lambda: loop.call_soon_threadsafe(print))
    assert heard == []
    Late(lambda: 1 / 0)
    assert heard == [ZeroDivisionError]
