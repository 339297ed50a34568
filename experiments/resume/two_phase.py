"""A method made to be killed: an autoencoder with dropout and a moving average, then a calibration phase whose finish
takes its time. `python two_phase.py --config=... --workdir=...` is the main command with this method in its table.
"""

import os
import pathlib
import time
from typing import Any, NamedTuple

import jax.numpy as jnp

from adjax.main import cli
from adjax.methods import METHODS
from adjax.methods.conv_ae import conv_ae
from adjax.optim import masked_mean
from adjax.types import Method, Phase


class State(NamedTuple):
    net: Any
    spread: Any  # f32[batches seen, at most 64]: leaf that finish replaces by one of another shape
    seen: Any


def two_phase(*, tx, **settings) -> Method:
    inner = conv_ae(tx=tx, dropout=0.1, ema_decay=0.9, **settings)

    def init(key, batch, info):
        return State(inner.init(key, batch, info), jnp.zeros(64), jnp.zeros((), jnp.int32))

    def train(state, batch, key):
        net, scalars = inner.phases["train"].update(state.net, batch, key)
        return state._replace(net=net), scalars

    def calibrate(state, batch, key):
        maps = inner.score(state.net, batch, None).map
        spread = masked_mean(maps.mean(axis=(1, 2)), batch["_mask"])
        return state._replace(spread=state.spread.at[state.seen].set(spread), seen=state.seen + 1), {"spread": spread}

    def finish(state, key):
        if "ADJAX_FINISHING" in os.environ:  # tells whoever wants to kill during finish that it is on
            pathlib.Path(os.environ["ADJAX_FINISHING"]).touch()
            time.sleep(0.5)
        return state._replace(spread=state.spread[: int(state.seen)].mean()[None])

    def score(state, batch, keys):
        found = inner.score(state.net, batch, keys)
        return found._replace(score=found.score / state.spread[0], map=found.map / state.spread[0])

    phases = {"train": Phase(train), "calibrate": Phase(calibrate, finish, "calibration", False)}
    return Method(init, phases, score)


if __name__ == "__main__":
    METHODS["two_phase"] = two_phase
    cli()
