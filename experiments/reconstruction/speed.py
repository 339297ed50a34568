"""Training steps of conv_ae and draem beside the same networks in eager PyTorch, in turns.

python -m experiments.reconstruction.speed [--only conv_ae] [--turns 5]
JAX_NUM_CPU_DEVICES=1 python -m experiments.reconstruction.speed [--only conv_ae] [--turns 5]

On CPUs the second command gives one device all processors, where main makes each a device with its share of the batch.
Both stand in the result, by the number of devices.

Needs `pip install torch==2.13.0`. Both have all processors, or the same GPU. The work is proven equal first: the same
weights give the same output in training mode. A step is forward, backward and Adam in float32, on a GPU with the
tensor cores' TF32 in both; ours of draem plants its anomalies, too, PyTorch's gets them for nothing. PyTorch is
measured in both memory formats (of draem on CPUs in the faster one), of which the faster counts, in processes of its
own with malloc as it comes; what it gains from malloc as main sets it for ours stands beside it.
"""

import argparse
import importlib.metadata
import json
import pathlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import optax
import torch

from adjax import malloc, outcome, parallel
from adjax.methods import METHODS
from adjax.nets.autoencoder import ConvAutoencoder
from adjax.nets.draem import Draem
from adjax.types import Info
from experiments.reconstruction import eager
from experiments.turns import elsewhere, in_turns

HERE = pathlib.Path(__file__).parent
RATE, DECAY = 2e-4, 1e-5
GPU = 20  # times as many steps in a turn
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Case(NamedTuple):
    shape: tuple[int, ...]  # batch, height, width, channels
    block: int  # steps in a turn
    network: Callable
    other: Callable  # parameters -> torch.nn.Module
    loss: Callable  # (output, image, mask) -> scalar, of PyTorch
    kept: tuple[bool, ...] = (False, True)  # of PyTorch's processes
    layouts: tuple[str, ...] = tuple(LAYOUTS)


CASES = {
    "conv_ae": Case((32, 128, 128, 1), 8, ConvAutoencoder, eager.conv_ae, lambda out, x, mask: eager.l2(out, x)),
    "draem": Case(
        (2, 256, 256, 3),
        1,
        Draem,
        eager.Draem,
        lambda out, x, mask: eager.l2(out[0], x) + eager.ssim(out[0], x) + eager.focal(out[1], mask),
        kept=(False,),  # two processes of PyTorch's do not fit in 24 GB beside ours
        layouts=tuple(LAYOUTS) if DEVICE == "cuda" else ("channels_last",),  # the faster
    ),
}


def images(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    batch = {"image": random.uniform(size=shape).astype(np.float32), "_mask": np.ones(shape[0], bool)}
    return batch | {"texture": random.uniform(size=shape).astype(np.float32)}


def ours(name: str, case: Case):
    """(parameters, seconds to compile, a function that runs a turn of steps)."""
    method = METHODS[name](tx=optax.adamw(RATE, weight_decay=DECAY))
    batch, mesh = images(case.shape), parallel.mesh_for(case.shape[0])
    batch = {k: v for k, v in batch.items() if k in ("image", "_mask", *method.needs)}
    info, key = Info({"train": 100}, {"train": 1}, case.shape[0]), jax.random.key(0, impl="rbg")
    whole = parallel.whole(mesh)
    state = jax.jit(lambda k: method.init(k, batch, info), out_shardings=whole)(key)
    params = jax.device_get(state.params)
    placed, key = parallel.put(batch, mesh), jax.random.key(1)
    began = time.monotonic()
    step = jax.jit(method.phases["train"].update, donate_argnums=0, out_shardings=(whole, whole))
    step = step.lower(state, placed, key).compile()
    compiled, held = time.monotonic() - began, [state]

    def turn() -> None:
        for number in range(steps_in(case)):
            held[0], _ = step(held[0], placed, jax.random.fold_in(key, number))
        jax.block_until_ready(held[0])

    return params, compiled, turn


def theirs(case: Case, params, layout: torch.memory_format):
    """(the network, a function that runs a turn of steps)."""
    network = case.other(params).to(DEVICE, memory_format=layout)
    adam = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    image = torch.from_numpy(images(case.shape)["image"]).permute(0, 3, 1, 2)
    image = image.to(DEVICE).contiguous(memory_format=layout)
    mask = torch.zeros(case.shape[:3], dtype=torch.long, device=DEVICE)

    def turn() -> None:
        for _ in range(steps_in(case)):
            adam.zero_grad()
            case.loss(network(image), image, mask).backward()
            adam.step()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return network, turn


def rival(name: str, params, layout: str) -> Callable[[], None]:
    exact(False)
    return theirs(CASES[name], params, LAYOUTS[layout])[1]


def steps_in(case: Case) -> int:
    return case.block * GPU if DEVICE == "cuda" else case.block


def difference(case: Case, params, network: torch.nn.Module) -> float:
    """Root mean square, relative to the outputs' spread: both networks in training mode, on the same images."""
    x = images(case.shape)["image"]
    exact(True)
    with jax.default_matmul_precision("highest"), torch.no_grad():
        run = jax.jit(lambda p: case.network().apply({"params": p}, x, train=True, mutable=["batch_stats"])[0])
        mine = run(params)
        other = network(torch.from_numpy(x).permute(0, 3, 1, 2).to(DEVICE))
    exact(False)
    other = other if isinstance(other, tuple) else (other,)
    pairs = zip(jax.tree.leaves(jax.device_get(mine)), other)
    errors = [(a - b.cpu().numpy().transpose(0, 2, 3, 1), a.std()) for a, b in pairs]
    return max(float(np.sqrt((error**2).mean()) / spread) for error, spread in errors)


def exact(on: bool) -> None:
    """Whether PyTorch keeps to float32 on a GPU, or takes TF32 as XLA does."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = not on


def measure(name: str, turns: int) -> dict:
    case = CASES[name]
    params, compiled, mine = ours(name, case)
    error = 0.0
    for label in case.layouts:
        network, _ = theirs(case, params, LAYOUTS[label])
        error = max(error, difference(case, params, network))
        count = sum(p.numel() for p in network.parameters())
    number = sum(leaf.size for leaf in jax.tree.leaves(params))
    if count != number or error > 1e-2:
        raise ValueError(f"{name}: not the same work: {count} and {number} parameters, outputs differ by {error}")
    with elsewhere({label: partial(rival, name, params, label) for label in case.layouts}, case.kept) as rivals:
        turned = in_turns({"adjax": mine, **rivals}, turns)
    seconds = {label: [turn / steps_in(case) for turn in spent] for label, spent in turned.items()}
    medians = {label: statistics.median(s) for label, s in seconds.items()}
    best = min(case.layouts, key=medians.get)
    ratios = [t / a for t, a in zip(seconds[best], seconds["adjax"])]
    return {
        "shape": case.shape,
        "parameters": number,
        "output_difference": error,
        "compile_s": compiled,
        "step_s": medians,
        "rival": best,
        "speedup": statistics.median(ratios),
        "speedups": ratios,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(CASES), action="append")
    parser.add_argument("--turns", type=int, default=7)
    flags = parser.parse_args()
    made_by = {"commit": outcome.loaded()}
    malloc.keep()
    parallel.start()
    torch.set_num_threads(parallel.processors())
    name = "cpu" if DEVICE == "cpu" else torch.cuda.get_device_name()
    if (jax.default_backend() == "gpu") != (DEVICE == "cuda"):
        raise ValueError(f"not the same device: JAX has {jax.default_backend()}, PyTorch {DEVICE}")
    path = HERE / f"speed_{DEVICE}.json"
    found = json.loads(path.read_text())["steps"] if path.exists() else {}
    versions = {package: importlib.metadata.version(package) for package in ("jax", "jaxlib", "flax", "torch")}
    about = {"device": name, "processors": parallel.processors(), "versions": versions}
    for case in flags.only or CASES:
        devices = parallel.mesh_for(CASES[case].shape[0]).size
        found[f"{case}, {devices} devices"] = measure(case, flags.turns) | made_by
        path.write_text(json.dumps(about | {"steps": found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
