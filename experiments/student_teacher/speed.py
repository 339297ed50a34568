"""Scoring of EfficientAD beside the same network in eager PyTorch and anomalib, and stacked students beside a loop.

python -m experiments.student_teacher.speed [--part efficient_ad] [--turns 9]

Needs `pip install torch==2.13.0`; with `pip install anomalib` its EfficientAD-S is measured, too. All have all
processors, or the same GPU, in turns. The work is proven equal first: with the same weights the maps agree. PyTorch is
measured in both memory formats in inference mode, and the faster one counts; it runs in processes of its own with
malloc as it comes, and what it gains from malloc as main sets it for ours stands beside it. On a GPU both multiply by
TF32. Writes speed_cpu.json or speed_cuda.json, from which `collect` makes tables. Let nothing else run on the machine.

The parts: "efficient_ad", one image of 256 × 256 px at a time (and 64 with `--batch 64`), PDN-S and PDN-M; "students",
three students of patches of 33 px in one call and one after another, scoring 256 × 256 px and one gradient. On a GPU
without PyTorch `--alone` measures ours only.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import pathlib
import statistics
from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adjax import malloc, outcome, parallel
from adjax.backbones import RANDOM
from adjax.methods.efficient_ad import State, efficient_ad
from adjax.nets.patch_descriptor import PatchDescriptor
from adjax.nets.pdn import LAYERS
from adjax.stacked import vmapped
from adjax.types import Info, Method
from experiments.turns import FORMATS, Run, elsewhere, in_turns

HERE = pathlib.Path(__file__).parent
SIDE, STUDENTS, SIZE, STRIDE = 256, 3, 33, 4
REPEATS = 20  # calls in a turn on a GPU


def on_gpu() -> bool:
    return jax.default_backend() == "gpu"


def images(batch: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(batch, SIDE, SIDE, 3)).astype(np.float32)


def fitted(method: Method, network: str) -> State:
    """A random start, with statistics and quantiles as a fit might leave them."""
    info = Info({"train": 1, "calibration": 1}, {}, 1)
    rows = {"image": jnp.asarray(images(1)), "_mask": jnp.ones(1, bool)}
    state = jax.device_get(jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg")))
    random = np.random.default_rng(1)
    shape = state.moments.mean.shape
    mean, scatter = random.normal(0, 0.1, shape), random.uniform(0.5, 2, (*shape, 1))
    moments = state.moments._replace(
        count=np.ones(shape[0], np.float32), mean=np.float32(mean), scatter=np.float32(scatter)
    )
    # A lower quantile of 0: anomalib rescales after it has padded with 0, which for others is another border.
    rows = np.array([[0.0, 0.0], [1.5, 1.0]], np.float32)
    return state._replace(moments=moments, maps=state.maps._replace(rows=rows))


def scoring(network: str, batch: int, turns: int, alone: bool) -> dict:
    method = efficient_ad(tx=optax.sgd(0.0), network=network, weights=RANDOM, penalty=0.0)
    state, image = fitted(method, network), images(batch)
    placed = jax.device_put(state)
    score = jax.jit(lambda state, image: method.score(state, {"image": image}, None)[:2])
    mine = lambda: jax.device_get(score(placed, image))
    error = 0.0 if alone else difference(network, state, image, mine()[1])
    makers = {} if alone else {f"{m} {f}": partial(theirs, m, f, network, state, image) for m, f in others(network)}
    with elsewhere(makers) as rivals:
        found = compared({"adjax": mine, **rivals}, "adjax", turns)
    parameters = sum(leaf.size for leaf in jax.tree.leaves((state.teacher, state.net.params)))
    return {"batch": batch, "parameters": parameters, "map_difference": error, **found}


def others(network: str) -> list[tuple[str, str]]:
    """(model, memory format) of what can be measured."""
    there = importlib.util.find_spec("anomalib") and network == "pdn_small"
    return [(model, layout) for model in ("eager", *(["anomalib"] if there else [])) for layout in FORMATS]


def theirs(model: str, layout: str, network: str, state: State, image: np.ndarray, exact: bool = False) -> Run:
    import torch

    from experiments.student_teacher import eager

    device = "cuda" if torch.cuda.is_available() else "cpu"
    layout = getattr(torch, FORMATS[layout])
    made = eager.EfficientAD(network, state, SIDE) if model == "eager" else eager.anomalib(state)
    map_of = (lambda out: out[1]) if model == "eager" else (lambda out: out.anomaly_map[:, 0])
    made = made.eval().to(device, memory_format=layout)
    x = torch.from_numpy(image).permute(0, 3, 1, 2).contiguous(memory_format=layout)

    def run() -> np.ndarray:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = not exact
        with torch.inference_mode():
            return map_of(made(x.to(device))).cpu().numpy()

    return run


def difference(network: str, state: State, image: np.ndarray, expected: np.ndarray) -> float:
    """The largest of PyTorch's maps' from ours, as a share of the map's spread."""
    import torch

    if torch.cuda.is_available() != on_gpu():
        raise ValueError(f"not the same device: JAX has {jax.default_backend()}, PyTorch another")
    found = [theirs(model, layout, network, state, image, exact=True)() for model, layout in others(network)]
    error = max(float(np.sqrt(((one - expected) ** 2).mean()) / expected.std()) for one in found)
    if error > (1e-2 if on_gpu() else 1e-3):
        raise ValueError(f"{network}: not the same work: maps differ by {error} of their spread")
    return error


def students(gradient: bool, turns: int) -> dict:
    """Three in one call (`stacked.vmapped`), as `jax.vmap` lowers them, and in a loop of calls."""
    network = PatchDescriptor(SIZE, stride=STRIDE)
    side = SIDE // 2 if gradient else SIDE
    image = jnp.asarray(images(1)[:, :side, :side])
    keys = jax.random.split(jax.random.key(0), STUDENTS)
    members = jax.jit(jax.vmap(lambda key: network.init(key, image[:, :SIZE, :SIZE])))(keys)
    single = [jax.tree.map(lambda leaf: leaf[m], members) for m in range(STUDENTS)]  # noqa: B023
    one = lambda params, x: network.apply(params, x)
    if gradient:
        loss = lambda run: lambda params, x: (run(params, x) ** 2).mean()
        differentiate = lambda run: jax.jit(jax.grad(loss(run)))
    else:
        differentiate = jax.jit
    together, grouped, alone = (differentiate(f) for f in (vmapped(one), jax.vmap(one, in_axes=(0, None)), one))
    runs = {
        "stacked": lambda: jax.block_until_ready(together(members, image)),
        "jax.vmap": lambda: jax.block_until_ready(grouped(members, image)),
        "loop": lambda: jax.block_until_ready([alone(params, image) for params in single]),
    }
    found = [jax.tree.leaves(jax.device_get(runs[name]())) for name in runs]
    for stacked, other in zip(found[0], found[1], strict=True):
        np.testing.assert_allclose(stacked, other, rtol=5e-2, atol=5e-3 * np.abs(other).max())
    return {"side": side, **compared(runs, "stacked", turns)}


def compared(runs: Mapping[str, Run], mine: str, turns: int) -> dict:
    """Seconds of a call by the wall clock, medians over turns, and the ratio to ours, turn by turn."""
    seconds = in_turns(runs, turns, REPEATS if on_gpu() else 1)
    ratios = {name: [a / b for a, b in zip(seconds[name], seconds[mine])] for name in runs if name != mine}
    return {
        "seconds": {name: statistics.median(s) for name, s in seconds.items()},
        "times_slower": {name: statistics.median(r) for name, r in ratios.items()},
        "turns": ratios,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("students", "efficient_ad"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--alone", action="store_true")
    flags = parser.parse_args()
    made_by = {"commit": outcome.loaded()}
    malloc.keep()
    parallel.start()
    score = lambda network: scoring(network, flags.batch, flags.turns, flags.alone)
    parts = {
        "students": lambda: {"scoring": students(False, flags.turns), "gradient": students(True, flags.turns)},
        "efficient_ad": lambda: {f"{network} {flags.batch}": score(network) for network in LAYERS},
    }
    path = HERE / f"speed_{'cuda' if on_gpu() else 'cpu'}.json"
    found = json.loads(path.read_text())["parts"] if path.exists() else {}
    packages = [p for p in ("jax", "jaxlib", "flax", "torch", "anomalib") if importlib.util.find_spec(p)]
    about = {"device": jax.devices()[0].device_kind, "processors": parallel.processors()}
    about |= {"versions": {p: importlib.metadata.version(p) for p in packages}}
    for part in [flags.part] if flags.part else parts:
        found[part] = found.get(part, {}) | {name: case | made_by for name, case in parts[part]().items()}
        path.write_text(json.dumps(about | {"parts": found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
