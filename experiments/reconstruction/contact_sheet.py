"""Image, reconstruction, anomaly map, truth: a row for every method, a column of four for each data set.

python -m experiments.reconstruction.contact_sheet --runs=runs/reconstruction --out=contact_sheet.png

Shown is one defective test image of each set, where it is tiled the tile around its defect, as the method alone sees
it. A map is drawn from its 1 % quantile to its maximum. Axes: h height, w width, c channels.
"""

import argparse
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw

from adjax import config as cfg
from adjax.data import pipeline
from adjax.data.masks import read_mask
from adjax.report.panels import colour
from adjax.trained import restore
from adjax.types import Info
from experiments.reconstruction import recipe

BAR, GAP = 14, 6  # px: the name's line, and between data sets
SIDE = 128


def shown_image(config) -> tuple[np.ndarray, np.ndarray | None]:
    """f32[h w c] and its bool mask, of the middle one of the defective test images."""
    records = [r for r in cfg.make_dataset(config).splits["test"] if r.label == 1]
    record = records[len(records) // 2]
    ((_, batch),) = pipeline.images([record], cfg.make_view(config), batch_size=1)
    image, mask = np.asarray(batch["image"][0]), read_mask(record) if record.masks else None
    if tile := config.data.tile:
        y, x = (
            int(np.clip(np.median(where) - tile // 2, 0, n - tile)) for where, n in zip(np.nonzero(mask), mask.shape)
        )
        image, mask = (a[y : y + tile, x : x + tile] for a in (image, mask))
    return image, mask


def pictures(workdir: pathlib.Path) -> list[np.ndarray]:
    """Image, reconstruction, map, truth: u8[h w 3] each; grey where there is no truth."""
    trained = restore(workdir, None, {})
    image, mask = shown_image(trained.config)
    method = cfg.make_method(trained.config, Info(trained.meta["counts"], trained.config.fit.steps.to_dict(), 1))
    batch = {"image": jnp.asarray(image[None]), "_mask": jnp.ones(1, bool)}
    prediction = jax.jit(method.score)(trained.state, batch, jax.random.split(jax.random.key(0), 1))
    anomaly_map = np.asarray(prediction.map[0])
    limits = (float(np.quantile(anomaly_map, 0.01)), float(anomaly_map.max()))
    truth = np.full((*image.shape[:2], 1), 0.5) if mask is None else mask[..., None].astype(float)
    rebuilt = np.asarray(prediction.aux["reconstruction"][0])
    return [framed(p) for p in (shown(image), shown(rebuilt), colour(anomaly_map, limits), shown(truth))]


def shown(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.uint8(np.clip(image, 0, 1) * 255 + 0.5), (*image.shape[:2], 3))


def framed(picture: np.ndarray) -> np.ndarray:
    """In a corner of a white square of SIDE px."""
    h, w, _ = picture.shape
    return np.pad(picture, ((0, SIDE - h), (0, SIDE - w), (0, 0)), constant_values=255)


def row(name: str, workdirs: list[pathlib.Path]) -> np.ndarray:
    strips = []
    for workdir in workdirs:
        found = pictures(workdir) if (workdir / "results.json").is_file() else [np.full((SIDE, 4 * SIDE, 3), 230)]
        strips += [*found, np.full((SIDE, GAP, 3), 255)]
    picture = np.concatenate(strips[:-1], axis=1).astype(np.uint8)
    bar = Image.new("RGB", (picture.shape[1], BAR), "white")
    ImageDraw.Draw(bar).text((4, 1), f"{name}   (image, reconstruction, map, truth)", fill="black")
    return np.concatenate([np.asarray(bar), picture])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/reconstruction"))
    parser.add_argument("--sets", nargs="+", default=["filaments", "elpv_mono"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="contact_sheet.png")
    a = parser.parse_args()
    folders = {m: [a.runs / f"{m}@{name}-{a.seed}" for name in a.sets] for m in recipe.SMALL}
    rows = [row(m, f) for m, f in folders.items() if any((w / "results.json").is_file() for w in f)]
    Image.fromarray(np.concatenate(rows)).save(a.out, optimize=True)


if __name__ == "__main__":
    main()
