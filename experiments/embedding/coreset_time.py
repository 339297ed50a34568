"""Processor seconds of the coreset of 10 % of real patches: PatchCore's features of ELPV cells at 256 px.

python -m experiments.embedding.coreset_time --images=88      88 images are 90,112 patches, 352 are 360,448
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

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
    parser.add_argument("--images", type=int, default=88)
    points = features(parser.parse_args().images)
    pruned(points[:500], 20, 0)  # compiles
    began, clock = time.process_time(), time.monotonic()
    pruned(points, len(points) // 10, 0, progress=True)
    print(f"{points.shape}: {time.process_time() - began:.1f} s of processors, {time.monotonic() - clock:.1f} s")


if __name__ == "__main__":
    main()
