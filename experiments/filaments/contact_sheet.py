"""Every defect type: image, twin without the defect, visible mask; cut around the largest instance, twice enlarged.

python experiments/filaments/contact_sheet.py --level=L2 --optics=sem --out=contact_sheet.png
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw

from adjax.data.filaments import shows
from adjax.synthesis.filaments import FAMILY, KINDS, defective, image_key

COLUMNS = 2  # types side by side
HALF = 64  # px around the middle
STRETCH = 1.5  # of the contrast, in print only
BAR = 14  # px, the name's line


def example(kind: str, seed: int, **how):
    for index in range(200):
        number = jnp.int32(KINDS.index(kind))
        pair = jax.tree.map(np.asarray, defective(image_key(seed, 9, index), number, jnp.int32(0), **how))
        if (
            all(shows(pair, pair.visible, kind, n) for n in np.flatnonzero(pair.plan.active) + 1)
            and pair.plan.active[0]
        ):
            return pair
    raise ValueError(f"no example of {kind} in 200 scenes")


def panel(kind: str, pair) -> np.ndarray:
    sizes = [np.sum(pair.visible & (pair.label == n)) for n in (1, 2, 3)]
    y, x = np.nonzero(pair.visible & (pair.label == 1 + int(np.argmax(sizes))))
    size = len(pair.image)
    y, x = (int(np.clip(np.median(u), HALF, size - HALF)) for u in (y, x))
    cut = np.s_[y - HALF : y + HALF, x - HALF : x + HALF]
    images = [np.uint8(np.clip(STRETCH * view[cut].astype(float), 0, 255)) for view in (pair.image, pair.twin)]
    picture = np.concatenate([*images, np.uint8(255) * pair.visible[cut]], axis=1).repeat(2, 0).repeat(2, 1)
    bar = Image.new("L", (picture.shape[1], BAR), 255)
    ImageDraw.Draw(bar).text((4, 1), f"{FAMILY[kind]}: {kind}   (image, twin, visible)", fill=0)
    return np.concatenate([np.asarray(bar), picture])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", default="L2")
    parser.add_argument("--optics", default="sem")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="contact_sheet.png")
    a = parser.parse_args()
    panels = [panel(k, example(k, a.seed, level=a.level, optics=a.optics, size=a.size)) for k in KINDS]
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % COLUMNS)
    rows = [np.concatenate(panels[i : i + COLUMNS], axis=1) for i in range(0, len(panels), COLUMNS)]
    Image.fromarray(np.concatenate(rows)).save(a.out, optimize=True)


if __name__ == "__main__":
    main()
