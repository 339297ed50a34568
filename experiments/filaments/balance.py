"""How alike the images of a filament benchmark's parts are taken, for each seed: a part may be blurred by chance.

PYTHONPATH=. python -m experiments.filaments.balance [--train 60] [--good 12] [--defective 28] [--seeds 40]

Twelve good images are few: if they happen to be taken less sharply than the defective ones, a method that measures
sharpness seems to find defects. No image is rendered or scored here; only the settings that are drawn for each are
compared: gain, offset, the point spread's width and stretch, the light's slope and the focus's.
"""

import argparse
import functools
import itertools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from adjax.data.filaments import SPLITS
from adjax.synthesis.filaments import LEVELS, OPTICS, image_key
from adjax.synthesis.filaments.scene import stream
from adjax.synthesis.filaments.sensor import draw_exposure

COUNTS = {"train": 60, "test_good": 12, "test_defect": 28}


@functools.cache
def settings():
    """Those of images at level L2 in the electron microscope, by seed, split and numbers."""

    def one(seed, split, index):
        drawn = draw_exposure(LEVELS["L2"], OPTICS["sem"], 64, stream(image_key(seed, split, index), "sensor"))
        stretch, slopes = jnp.abs(jnp.log(drawn.psf[0] / drawn.psf[1])), (drawn.slope, drawn.defocus)
        return jnp.stack([drawn.gain, drawn.offset, drawn.psf.mean(), stretch, *(jnp.hypot(*s) for s in slopes)])

    return jax.jit(jax.vmap(one, in_axes=(None, None, 0)))


def imbalance(seed: int, counts: Mapping[str, int] = COUNTS) -> float:
    """The largest difference of two parts' means in any setting, in standard errors."""
    parts = [np.asarray(settings()(seed, SPLITS[name], np.arange(number))) for name, number in counts.items()]
    worst = 0.0
    for a, b in itertools.combinations(parts, 2):
        error = np.concatenate([a, b]).std(0) * np.sqrt(1 / len(a) + 1 / len(b))
        worst = max(worst, float(np.max(np.abs(a.mean(0) - b.mean(0)) / error)))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, split in (("train", "train"), ("good", "test_good"), ("defective", "test_defect")):
        parser.add_argument(f"--{name}", type=int, default=COUNTS[split], dest=split)
    parser.add_argument("--seeds", type=int, default=40)
    given = vars(parser.parse_args())
    found = {seed: imbalance(seed, {name: given[name] for name in COUNTS}) for seed in range(given["seeds"])}
    for seed, worst in sorted(found.items(), key=lambda item: item[1]):
        print(f"seed {seed}: {worst:.2f}")


if __name__ == "__main__":
    main()
