"""Peak memory of scoring one 4096x4096 image by the published autoencoder through `tiled`, beyond runtime and state.

python experiments/memory/run.py
"""

import json
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

from adjax import malloc, optim, parallel, transforms
from adjax.methods.conv_ae import conv_ae
from adjax.tiling import Grid
from adjax.types import Info

SIDE = 4096


def main() -> None:
    malloc.keep()
    method = conv_ae(tx=optim.optimizer(steps=1), loss="ssim", rule="top:0.0005")
    example = {"image": jnp.zeros((1, 128, 128, 1)), "_mask": jnp.ones(1, bool)}
    init = jax.jit(lambda key: method.init(key, example, Info({}, {"train": 1}, 1)))
    state = jax.block_until_ready(init(jax.random.key(0, impl="rbg")))
    scorer = transforms.tiled(method, Grid(128, 64), "top:0.0005")
    small = {"image": jnp.zeros((1, 256, 256, 1)), "_mask": jnp.ones(1, bool)}
    keys = jax.random.key(0)[None]
    jax.block_until_ready(jax.jit(scorer.score)(state, small, keys).score)  # the runtime, compiled and warm
    before, began = parallel.peak_memory_mb(), time.monotonic()
    image = np.random.default_rng(0).random((1, SIDE, SIDE, 1), np.float32)
    batch = {"image": jnp.asarray(image), "_mask": jnp.ones(1, bool)}
    prediction = jax.block_until_ready(jax.jit(scorer.score)(state, batch, jax.random.key(0)[None]))
    found = {
        "side": SIDE,
        "tiles": int(np.ceil((SIDE - 128) / 64) + 1) ** 2,
        "extra_mb": parallel.peak_memory_mb() - before,
        "seconds": time.monotonic() - began,
        "map_shape": list(prediction.map.shape),
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }
    pathlib.Path(__file__).with_name("results.json").write_text(json.dumps(found, indent=1) + "\n")
    print(found)


if __name__ == "__main__":
    main()
