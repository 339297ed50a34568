"""Seconds of the coreset of 10 % of real patches: PatchCore's features of ELPV cells at 256 px.

python -m experiments.embedding.coreset_time --images 88 352      88 images are 90,112 patches, 352 are 360,448

Writes coreset.json, from which `collect` makes a table. Let nothing else run on the machine.
"""

import argparse
import json
import os
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from adjax import outcome
from adjax.backbones import backbone
from adjax.data import elpv
from adjax.fitted.coreset import pruned
from adjax.nets.patches import aligned, neighbourhood_mean

LAYERS, BATCH = ("stage3", "stage5"), 8


def features(number: int) -> np.ndarray:
    network = backbone("efficientnet_lite0", LAYERS)
    records = elpv.load(category="both").learn[:number]

    @jax.jit
    def embed(images):
        found = network.apply(network.variables, images)
        return aligned({name: neighbourhood_mean(found[name]) for name in LAYERS}, "bilinear")

    images = [np.asarray(Image.open(r.path).convert("L").resize((256, 256)), np.float32) / 255 for r in records]
    parts = [embed(jnp.asarray(np.stack(images[i : i + BATCH]))[..., None]) for i in range(0, number, BATCH)]
    return np.concatenate(parts).reshape(-1, parts[0].shape[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[88, 352])
    found = []
    for number in parser.parse_args().images:
        points = features(number)
        pruned(points[:500], 20, 0)  # compiles
        began, clock = time.process_time(), time.monotonic()
        pruned(points, len(points) // 10, 0, progress=True)
        spent = {"cpu_s": time.process_time() - began, "wall_s": time.monotonic() - clock}
        found.append({"points": len(points), "dimensions": points.shape[1], "chosen": len(points) // 10} | spent)
    result = {"cores": os.cpu_count(), "versions": outcome.versions(), "runs": found}
    (pathlib.Path(__file__).parent / "coreset.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
