"""The loop: it learns, resumes to the same bits wherever it stopped, and stops on a loss that is not finite.

Axes: b batch, d features.
"""

import os
import signal
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adjax import checkpoint, optim, parallel
from adjax.fit import Every, fit
from adjax.types import Info, Method, Phase, Prediction, UserError

STEPS = {"train": 7, "calibrate": 4}


class State(NamedTuple):
    net: Any
    highest: Any


def toy(tx=optax.adam(0.1)) -> Method:
    """Regression with dropout and a moving average, then the highest error over the calibration split."""

    def loss(params, stats, batch, key):
        keep = jax.random.bernoulli(key, 0.9, batch["image"].shape).astype(jnp.float32)
        error = (batch["image"] * keep) @ params["w"] - 3.0 * batch["image"].sum(axis=1)
        return {"l2": error**2}, stats

    update = optim.gradient_update(loss, tx, loss_weights={"l2": 1.0}, ema_decay=0.9)

    def train(state, batch, key):
        net, scalars = update(state.net, batch, key)
        return state._replace(net=net), scalars

    def calibrate(state, batch, key):
        del key
        error = jnp.abs(batch["image"] @ optim.weights(state.net)["w"])
        return state._replace(highest=jnp.maximum(state.highest, error.max())), {"highest": error.max()}

    def init(key, batch, info):
        params = {"w": jax.random.normal(key, batch["image"].shape[1:])}
        with jax.numpy_dtype_promotion("standard"):
            return State(optim.learner(params, tx, ema_decay=0.9), jnp.zeros(()))

    def score(state, batch, keys):
        return Prediction(batch["image"] @ optim.weights(state.net)["w"], None)

    phases = {"train": Phase(train), "calibrate": Phase(calibrate, lambda s, k: s, "calibration", False)}
    return Method(init, phases, score)


def feed(stop_at=(None, None), wrong=None):
    """Batches by number; raises KeyboardInterrupt before (phase, step) `stop_at`."""

    def batches(phase, first):
        for step in range(first, STEPS[phase]):
            if (phase, step) == stop_at:
                raise KeyboardInterrupt
            values = np.random.default_rng([step, phase == "train"]).normal(size=(8, 5)).astype(np.float32)
            if (phase, step) == wrong:
                values[0, 0] = np.nan
            yield {"image": values, "_mask": np.ones(8, bool)}

    return batches


def train(folder, batches, *, devices=1, every=Every(log=2, save=3), write=lambda step, scalars: None):
    method = toy()
    example = {"image": jnp.zeros((8, 5)), "_mask": jnp.ones(8, bool)}
    with checkpoint.open_store(folder) as store:
        fitted = fit(
            method,
            example,
            batches,
            key=jax.random.key(0),
            info=Info({"train": 8, "calibration": 8}, STEPS, 8),
            mesh=parallel.mesh(jax.devices()[:devices]),
            store=store,
            meta={"method": "toy"},
            every=every,
            write=write,
        )
        checkpoint.wait(store)
        return fitted, store.latest_step()


def leaves(fitted):
    return [np.asarray(x) for x in jax.tree.leaves(fitted.state)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"), feed())


def test_the_loss_falls_and_every_term_is_logged(whole):
    fitted, last = whole
    history = fitted.history["loss/l2"]
    assert [step for step, _ in history] == [2, 3, 4, 6, 7]
    assert history[-1][1] < history[0][1]
    assert fitted.history["loss/total"] == history
    assert [step for step, _ in fitted.history["highest"]] == [9, 10, 11]
    assert last == fitted.number == 13  # 11 updates and 2 finishes


@pytest.mark.parametrize("stop", [("train", 0), ("train", 2), ("train", 5), ("calibrate", 0), ("calibrate", 3)])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, whole, stop):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, feed(stop_at=stop))
    fitted, _ = train(tmp_path, feed())
    for a, b in zip(leaves(fitted), leaves(whole[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert fitted.history == whole[0].history


@pytest.mark.parametrize(("told", "saved"), [(2, 3), (3, 4), (6, 8), (7, 8), (9, 11), (11, 13)])
def test_a_run_that_is_told_to_end_saves_and_goes_on_later(tmp_path, whole, told, saved):
    """It hears so when the scalars of a step are written, and ends after the next, or with the phase."""
    before = signal.getsignal(signal.SIGTERM)
    tell = lambda step, scalars: step == told and os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(UserError, match=f"told to end, by SIGTERM: .* holds checkpoint {saved},"):
        train(tmp_path, feed(), write=tell)
    assert signal.getsignal(signal.SIGTERM) is before
    fitted, last = train(tmp_path, feed())
    assert last == whole[1]
    for a, b in zip(leaves(fitted), leaves(whole[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert fitted.history == whole[0].history


def test_one_device_equals_two(tmp_path, whole):
    fitted, _ = train(tmp_path, feed(), devices=2)
    for a, b in zip(leaves(fitted), leaves(whole[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(UserError, match=r"phase 'train', step [56].*nan.*checkpoint 3 is intact"):
        train(tmp_path, feed(wrong=("train", 4)))


def test_a_checkpoint_of_another_method_is_refused(tmp_path):
    with checkpoint.open_store(tmp_path) as store:
        checkpoint.save(store, 1, {"x": jnp.zeros(1)}, {"method": "other"})
        checkpoint.wait(store)
    with pytest.raises(UserError, match="'other'.*'toy'"):
        train(tmp_path, feed())


def test_a_batch_that_the_devices_cannot_share_is_explained():
    with pytest.raises(UserError, match="batch_size 3 .* 2 devices.*CUDA_VISIBLE_DEVICES"):
        parallel.put({"image": np.zeros((3, 1))}, parallel.mesh())


def test_the_masked_mean_leaves_padding_out():
    assert float(optim.masked_mean(jnp.array([1.0, 3.0, jnp.nan]), jnp.array([True, True, False]))) == 2.0
    assert float(optim.masked_mean(jnp.array([1.0]), jnp.array([False]))) == 0.0


def test_batches_are_on_the_devices_before_they_are_asked_for():
    made = []
    batches = ({"image": np.full((2, 1), made.append(i) or i)} for i in range(5))
    found = []
    for batch in parallel.ahead(batches, parallel.mesh()):
        assert isinstance(batch["image"], jax.Array)
        found.append(int(batch["image"][0, 0]))
        assert made == list(range(min(5, len(found) + 2)))
    assert found == [0, 1, 2, 3, 4]


def heavy(state, batch, key):
    """About 0.05 s of work for the device, which the host need not wait for."""
    x = jnp.full((400, 400), batch["image"].sum() * 1e-3)
    x = jax.lax.fori_loop(0, 40, lambda _, x: jnp.tanh(x @ x) * 0.01, x)
    return state + x.sum(), {"x": x.sum()}


@pytest.mark.parametrize(("pause", "low", "high"), [(0.4, 0.0, 0.15), (3.0, 0.45, 1.0)])
def test_the_share_of_time_without_input_is_told(tmp_path, pause, low, high):
    """An input that takes three steps to come is waited for; one of 0.4 steps comes while the device works."""
    one = {"image": np.ones((2, 1), np.float32), "_mask": np.ones(2, bool)}
    run = jax.jit(heavy)
    jax.block_until_ready(run(jnp.zeros(()), one, jax.random.key(0)))
    began = time.monotonic()
    jax.block_until_ready(run(jnp.zeros(()), one, jax.random.key(0)))
    step = time.monotonic() - began

    def batches(phase, first):
        for _ in range(first, 12):
            time.sleep(pause * step)
            yield one

    logged = []
    with checkpoint.open_store(tmp_path) as store:
        fitted = fit(
            Method(lambda *_: jnp.zeros(()), {"train": Phase(heavy)}, None),
            {},
            batches,
            key=jax.random.key(0),
            info=Info({}, {"train": 12}, 2),
            mesh=parallel.mesh(jax.devices()[:1]),
            store=store,
            meta={"method": "slow"},
            every=Every(log=12, save=0),
            write=lambda step, scalars: logged.append(scalars["input_wait"]),
        )
        checkpoint.wait(store)
    assert low <= logged[-1] <= high
    assert low <= fitted.seconds["input_wait_s"] / fitted.seconds["fit_s"] <= high


@pytest.mark.parametrize(("settings", "message"), [({"name": "adma"}, "'adma'"), ({"schedule": "cos"}, "'cos'")])
def test_unknown_optimisers_name_the_choices(settings, message):
    with pytest.raises(UserError, match=f"{message}; choose from"):
        optim.optimizer(steps=10, **settings)
