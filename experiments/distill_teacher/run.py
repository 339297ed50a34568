"""Distils a teacher of efficient_ad from a pretrained backbone, and writes its weights to a file.

python -m experiments.distill_teacher.run --source=folder --root=IMAGES --out=teacher.npz
MODE=test python -m experiments.distill_teacher.run --source=procedural --out=teacher.npz       seconds, and useless

It resumes from its working directory. The defaults are the published recipe but for the backbone and its images, which
are WideResNet-101's layer2 and layer3, and ImageNet. `--source=procedural` needs no images.
"""

import argparse
import itertools
import json
import os
import pathlib
import sys

import jax
import numpy as np

from adjax import checkpoint, optim, outcome, parallel, workdir
from adjax.backbones import RANDOM, backbone
from adjax.backbones.convert import to_published
from adjax.backbones.distilled import RULES
from adjax.data import textures
from adjax.fit import Every, fit
from adjax.nets.pdn import LAYERS
from adjax.trained import example
from adjax.types import Info
from experiments.distill_teacher.distillation import distillation

TEST = {"steps": 2, "statistics": 16, "batch": 2, "side": 64, "weights": RANDOM, "backbone": "resnet18"}
TEST |= {"layers": ("stem", "layer1"), "width": 1 / 32}


def flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="pdn_small", choices=LAYERS)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--layers", nargs="+", default=("stage3", "stage5"), help="averaged over 3 x 3, side by side")
    parser.add_argument("--weights", help="the backbone's, as config.method.weights")
    parser.add_argument("--source", default="procedural", choices=textures.SOURCES)
    parser.add_argument("--root", help="the folder of images, which are searched for in its folders too")
    parser.add_argument(
        "--side",
        type=int,
        default=512,
        help="of the backbone's images; the teacher sees half of it. dinov2_vits14 takes multiples of 56",
    )
    parser.add_argument("--steps", type=int, default=60000)
    parser.add_argument("--statistics", type=int, default=10000, help="images that the features are standardised by")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="FILE.npz")
    parser.add_argument("--workdir", type=pathlib.Path, default="runs/distill_teacher")
    parser.set_defaults(**{"width": 1.0} | (TEST if os.environ.get("MODE") == "test" else {}))
    return parser.parse_args()


def distil(args: argparse.Namespace) -> dict[str, list]:
    """The history of what was logged."""
    network = backbone(args.backbone, tuple(args.layers), args.weights, maps=args.layers)
    tx = optim.optimizer(steps=args.steps, learning_rate=1e-4, schedule="drop", weight_decay=1e-5)
    method = distillation(network, args.network, args.width, tx=tx)
    shape = (args.side, args.side, 3)
    steps = {"statistics": -(-args.statistics // args.batch), "train": args.steps}
    settings = {n: str(v) for n, v in vars(args).items() if n not in ("root", "out", "workdir", "steps")}

    def feed(phase: str, first: int):
        shard = parallel.shard()
        blank = itertools.repeat({"_mask": np.ones(args.batch // shard[1], bool)})
        seed = args.seed + 7919 * list(steps).index(phase)
        how = {"batch_size": args.batch, "seed": seed, "start": first, "shard": shard}
        found = textures.beside(blank, shape, source=args.source, root=args.root, **how)
        return ({"image": batch["texture"], "_mask": batch["_mask"]} for batch in found)

    with checkpoint.open_store(args.workdir / "checkpoints") as store:
        fitted = fit(
            method,
            example(shape),
            feed,
            key=jax.random.key(args.seed),
            info=Info({}, steps, args.batch),
            mesh=parallel.mesh_for(args.batch),
            store=store,
            meta={"method": f"distillation {sorted(settings.items())}"},  # what it must resume with
            every=Every(log=min(20, args.steps), save=500),
        )
        checkpoint.wait(store)
    if parallel.leads():
        with workdir.replacing(args.out) as temporary, temporary.open("wb") as file:
            np.savez(file, **to_published(jax.device_get({"params": fitted.state.student.params}), RULES))
    return fitted.history


def main() -> int:
    args = flags()
    history = distil(args)
    if not parallel.leads():
        return 0
    said = {name: value for name, value in vars(args).items() if name not in ("root", "out", "workdir")}
    result = {"flags": said, "versions": outcome.versions(), "history": history}
    (args.workdir / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    print(
        f"{args.out}: the loss ended at {history['loss/distance'][-1][1]:.3f}; 1 is a teacher that knows the mean only"
    )
    return 0


if __name__ == "__main__":
    jax.config.update("jax_numpy_rank_promotion", "raise")
    outcome.loaded()
    parallel.start()
    sys.exit(parallel.together(main, failed=1))
