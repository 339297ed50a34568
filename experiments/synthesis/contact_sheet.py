"""Draws every synthesis on three data sets: the planted image, and its mask, at half size.

python contact_sheet.py --kolektor=<folder of good images>
"""

import argparse
import pathlib
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageOps

from adjax.synthesis import SYNTHESES, batched, procedural, synthesis
from adjax.synthesis.filaments import image_key, normal

HERE = pathlib.Path(__file__).parent
SIDE, ROWS, HEAD = 256, 2, 14
RED = np.array([255, 60, 60], np.uint8)


def squares(folder: pathlib.Path) -> np.ndarray:
    files = sorted(p for p in folder.iterdir() if p.suffix in (".png", ".jpg"))[:ROWS]
    fitted = [ImageOps.fit(Image.open(p).convert("L"), (SIDE, SIDE)) for p in files]
    return np.stack([np.asarray(s, np.float32) / 255 for s in fitted])[..., None]


def filaments() -> np.ndarray:
    keys = jnp.stack([image_key(0, 0, i) for i in range(ROWS)])
    return np.asarray(normal(keys, level="L2", optics="sem", size=SIDE)[0], np.float32)[..., None] / 255


def half(image: np.ndarray) -> np.ndarray:
    return image.reshape(SIDE // 2, 2, SIDE // 2, 2, -1).mean((1, 3))


def panel(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    shown = np.repeat(half(image) * 255, 3, -1).astype(np.uint8)
    if mask is None:
        return shown
    return np.where(half(mask[..., None].astype(np.float32)) > 0, RED // 2 + shown // 2, shown // 2)


def sheet(sets: dict[str, np.ndarray]) -> Image.Image:
    keys = jax.random.split(jax.random.key(3), ROWS)
    texture = np.asarray(jax.jit(jax.vmap(lambda k: procedural(k, (SIDE, SIDE, 1))))(keys))
    samplers = {name: jax.jit(batched(synthesis(name))) for name in SYNTHESES}
    rows = []
    for number, images in enumerate(sets.values()):
        made = {}
        for name, sampler in samplers.items():
            key = jax.random.fold_in(jax.random.key(number), list(samplers).index(name))
            made[name] = jax.device_get(sampler(key, images, images[::-1] if name == "nsa" else texture))
        for row in range(ROWS):
            planted = [panel(images[row], None), *[panel(m.image[row], None) for m in made.values()]]
            masked = [panel(images[row], np.zeros((SIDE, SIDE), bool))]
            masked += [panel(m.image[row], m.mask[row]) for m in made.values()]
            rows += [np.concatenate(planted, 1), np.concatenate(masked, 1)]
    body = np.concatenate(rows)
    page = Image.new("RGB", (body.shape[1], body.shape[0] + HEAD), "white")
    page.paste(Image.fromarray(body), (0, HEAD))
    draw = ImageDraw.Draw(page)
    for column, name in enumerate(["good", *SYNTHESES]):
        draw.text((column * SIDE // 2 + 3, 1), name, fill="black")
    return page.quantize(200, dither=Image.Dither.NONE)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kolektor", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    elpv = pathlib.Path(find_spec("elpv_dataset").origin).parent / "data" / "images"
    sets = {"elpv": squares(elpv), "kolektor": squares(arguments.kolektor), "filaments": filaments()}
    sheet(sets).save(HERE / "contact_sheet.png", optimize=True)


if __name__ == "__main__":
    main()
