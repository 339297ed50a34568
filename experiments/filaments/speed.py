"""Images per second at every level: batches of normal 1024 x 1024 images on all cores, compilation apart.

python experiments/filaments/speed.py --out=speed.json
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
from setting import provenance

from adjax.synthesis.filaments import LEVELS, image_key, normal

BATCH = 4
REPEATS = 3
REQUIRED = {"L2": 5.0}  # images/s


def speed(level: str, optics: str, size: int) -> dict[str, float]:
    how = {"level": level, "optics": optics, "size": size}

    def batch(first: int) -> float:
        keys = jnp.stack([image_key(0, 0, first + i) for i in range(BATCH)])
        start = time.perf_counter()
        jax.block_until_ready(normal(keys, **how))
        return time.perf_counter() - start

    batch(0)  # compiles
    times = sorted(batch(BATCH * (1 + i)) for i in range(REPEATS))
    rates = [round(BATCH / t, 2) for t in times]
    return {"images_per_s": rates[REPEATS // 2], "range": [rates[-1], rates[0]]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--optics", default="sem")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--out", default="")
    a = parser.parse_args()
    setting = {**provenance(), "optics": a.optics, "size": a.size, "batch": BATCH, "repeats": REPEATS, "seed": 0}
    setting |= {"required": REQUIRED}
    levels = {}
    for level in LEVELS:
        levels[level] = speed(level, a.optics, a.size)
        print(level, levels[level], flush=True)
    if a.out:
        Path(a.out).write_text(json.dumps({"setting": setting, "levels": levels}, indent=1) + "\n")


if __name__ == "__main__":
    main()
