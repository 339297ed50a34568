"""PatchCore's parts beside anomalib's, in turns, and the peak memory of both.

PYTHONPATH=. python -m experiments.embedding.speed [--turns 25] [--images 88]

Needs `pip install torch==2.13.0 anomalib==2.7.0` beside adjax. The work is proven equal first: the same weights give
the same features, and the same bank the same distances; both select as many patches of as many images. Features are
those of EfficientNet-Lite0's stage3 and stage5 at 256 px, PyTorch's in both memory formats, of which the faster one
counts. Neighbours are those of 784 queries in a bank of 10,000 x 384: anomalib's own search, and torch.cdist with topk.
Others run in processes of their own with malloc as it comes; what they gain from malloc as main sets it for ours stands
beside it. Writes speed.json, of which `collect` makes a table.
Axes: b batch, h height, w width, c channels, q queries, n bank.
"""

import argparse
import importlib.metadata
import json
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from adjax import malloc, parallel
from adjax.backbones import backbone, find
from adjax.backbones.networks import NETWORKS
from adjax.fitted.neighbours import nearest
from adjax.methods.patchcore import patchcore
from adjax.types import Info
from experiments.turns import FORMATS, KEPT, Run, elsewhere, in_turns

HERE = pathlib.Path(__file__).parent
NAME, LAYERS, THEIR_LAYERS, SIDE = "efficientnet_lite0", ("stage3", "stage5"), ("blocks.2", "blocks.4"), 256
BATCHES, BANK, QUERIES, NEIGHBOURS = (1, 8, 32), (10_000, 384), 784, (1, 9)
RATIO = 0.01
TOLERANCE = 1e-4
SEARCHES = ("anomalib", "cdist")


def pictures(number: int) -> np.ndarray:
    """f32[b h w 3] in [0, 1]: noise, smoothed to what a network sees structure in."""
    random = np.random.default_rng(0)
    coarse = random.uniform(size=(number, SIDE // 8, SIDE // 8, 3)).astype(np.float32)
    fine = random.uniform(-0.1, 0.1, (number, SIDE, SIDE, 3)).astype(np.float32)
    return np.clip(coarse.repeat(8, 1).repeat(8, 2) + fine, 0, 1)


def theirs():
    """anomalib's PatchCore on the same network, with the same weights: both name them in the same order."""
    import torch
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(THEIR_LAYERS, backbone=f"tf_{NAME}", pre_trained=False, num_neighbors=1).eval()
    published = torch.load(find(NAME, NETWORKS[NAME]), weights_only=True)
    network = model.feature_extractor.feature_extractor
    wanted = network.state_dict()
    network.load_state_dict({name: published[other] for name, other in zip(wanted, published)})
    return model


def normalised(images: np.ndarray):
    """As the network wants them, channels first."""
    import torch

    return (torch.from_numpy(images).permute(0, 3, 1, 2) * 255 - 127) / 128


def compared(runs: Mapping[str, Run], turns: int, error: float) -> dict:
    """How many times as long the fastest of the others takes as adjax, turn by turn."""
    if error > TOLERANCE:
        raise ValueError(f"not the same work: results differ by {error} of their largest value")
    seconds = in_turns(runs, turns)
    medians = {name: statistics.median(s) for name, s in seconds.items()}
    rival = min((name for name in runs if name != "adjax" and not name.endswith(KEPT)), key=medians.get)
    ratios = [other / mine for other, mine in zip(seconds[rival], seconds["adjax"])]
    return {"difference": error, "s": medians, "rival": rival, "speedup": statistics.median(ratios), "speedups": ratios}


def extraction(number: int, layout: str) -> Run:
    import torch

    model, x = theirs(), normalised(pictures(number)).contiguous(memory_format=getattr(torch, layout))
    return torch.no_grad()(lambda: list(model.feature_extractor(x).values()))


def bank_and_queries() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return tuple(random.standard_normal((n, BANK[1])).astype(np.float32) for n in (BANK[0], QUERIES))


def search(how: str, k: int) -> Run:
    import torch

    model = theirs()
    model.memory_bank, x = map(torch.from_numpy, bank_and_queries())
    return {
        "anomalib": lambda: model.nearest_neighbors(x, k),
        "cdist": lambda: torch.cdist(x, model.memory_bank).topk(k, largest=False, dim=1),
    }[how]


def features(turns: int) -> dict[str, dict]:
    network = backbone(NAME, LAYERS)
    apply, found = jax.jit(network.apply), {}
    for number in BATCHES:
        placed = jax.device_put(pictures(number))
        pairs = zip(
            (apply(network.variables, placed)[name] for name in LAYERS), extraction(number, "contiguous_format")()
        )
        error = max(relative(np.asarray(a), b.permute(0, 2, 3, 1).numpy()) for a, b in pairs)
        mine = lambda placed=placed: jax.block_until_ready(apply(network.variables, placed))
        with elsewhere({name: partial(extraction, number, layout) for name, layout in FORMATS.items()}) as rivals:
            found[str(number)] = compared({"adjax": mine, **rivals}, turns, error)
    return found


def neighbours(turns: int) -> dict[str, dict]:
    placed, found = [jax.device_put(rows) for rows in bank_and_queries()], {}
    for k in NEIGHBOURS:
        ours = jax.jit(lambda bank, queries, k=k: nearest(queries, bank, k))
        expected = np.asarray(ours(*placed)[0])
        others = [search(how, k)()[0].numpy().reshape(expected.shape) for how in SEARCHES]
        mine = lambda ours=ours: jax.block_until_ready(ours(*placed))
        with elsewhere({how: partial(search, how, k) for how in SEARCHES}) as rivals:
            error = max(relative(expected, other) for other in others)
            found[str(k)] = compared({"adjax": mine, **rivals}, turns, error)
    return found


def relative(mine: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(mine - other).max() / np.abs(other).max())


def fitted_by_adjax(images: np.ndarray) -> tuple[int, np.ndarray]:
    """(size of the bank, scores of the images it was fitted on), in batches of 8."""
    method = patchcore(backbone=NAME, layers=LAYERS, ratio=RATIO)
    batches = [{"image": jnp.asarray(b), "_mask": jnp.ones(len(b), bool)} for b in np.split(images, len(images) // 8)]
    info = Info({"train": len(images)}, {"train": len(batches)}, 8)
    state = jax.jit(lambda key: method.init(key, batches[0], info))(jax.random.key(0, impl="rbg"))
    update = jax.jit(method.phases["train"].update, donate_argnums=0)
    for number, batch in enumerate(batches):
        state, _ = update(state, batch, jax.random.key(number))
    state = method.phases["train"].finish(state, jax.random.key(0))
    score = jax.jit(method.score)
    found = [jax.device_get(score(state, batch, None)) for batch in batches]
    return len(state.bank.rows), np.concatenate([f.score for f in found])


def fitted_by_anomalib(images: np.ndarray) -> tuple[int, np.ndarray]:
    import torch

    model = theirs()
    batches = [normalised(b) for b in np.split(images, len(images) // 8)]
    model.train()
    model.feature_extractor.eval()
    with torch.no_grad():
        for batch in batches:
            model(batch)
        model.subsample_embedding(RATIO)
        model.eval()
        return len(model.memory_bank), np.concatenate([model(batch).pred_score.numpy() for batch in batches])


FITS = {"adjax": fitted_by_adjax, "anomalib": fitted_by_anomalib}


def child(name: str, number: int) -> None:
    """Fits and scores in this process, and says how much memory that took at most."""
    if name == "anomalib":
        import anomalib.models.image.patchcore.torch_model  # noqa: F401  counts as imported, not as used
    images, imported = pictures(number), peak_mb()
    bank, scores = FITS[name](images)
    print(json.dumps({"imported_mb": imported, "peak_mb": peak_mb(), "bank": bank, "score": float(scores.mean())}))


def peak_mb() -> float:
    """Of this process; getrusage's figure begins with that of the process that started it."""
    status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def memory(number: int) -> dict[str, dict]:
    command = [sys.executable, "-m", "experiments.embedding.speed", "--images", str(number), "--child"]
    outputs = {n: subprocess.run([*command, n], capture_output=True, text=True, check=True).stdout for n in FITS}
    found = {name: json.loads(output.splitlines()[-1]) for name, output in outputs.items()}
    if len({one["bank"] for one in found.values()}) > 1:
        raise ValueError(f"not the same work: banks of other sizes: {found}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=25)
    parser.add_argument("--images", type=int, default=88, help="to measure memory with: a multiple of 8")
    parser.add_argument("--child", choices=FITS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "speed.json")
    a = parser.parse_args()
    if a.child != "anomalib":
        malloc.keep()
    if a.child:
        return child(a.child, a.images)
    import torch

    parallel.start()
    torch.set_num_threads(parallel.processors())
    names = ("jax", "jaxlib", "flax", "torch", "timm", "anomalib")
    versions = {name: importlib.metadata.version(name) for name in names}
    result = {"processors": parallel.processors(), "versions": versions, "images": a.images}
    result |= {"features": features(a.turns), "neighbours": neighbours(a.turns), "memory": memory(a.images)}
    a.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
