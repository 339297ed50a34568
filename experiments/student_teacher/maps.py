"""Anomaly maps of a defective image by every method that was run on it: a row for each data set, image and truth first.

python -m experiments.student_teacher.maps --runs=runs/student_teacher

Shown is the middle one of a set's defective test images, by the lowest seed that was run. A map is drawn from its 1 %
quantile to its maximum. The figure keeps what it shows of methods without runs in that folder.
"""

import argparse
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw

from adjax import config as cfg
from adjax.report.panels import colour
from adjax.trained import restore
from adjax.types import Info, UserError
from experiments.reconstruction.contact_sheet import BAR, shown, shown_image
from experiments.student_teacher import recipe

HERE = pathlib.Path(__file__).parent
SIDE = 192  # px of a picture


def pictures(runs: pathlib.Path, data: str) -> dict[str, np.ndarray]:
    """Image, truth and maps by name: u8[h w 3]; none where nothing was run."""
    found: dict[str, np.ndarray] = {}
    for method in recipe.METHODS:
        done = sorted(runs.glob(f"{data}-{method}-[0-9]*/results.json"))
        if not done:
            continue
        workdir = done[0].parent
        trained = restore(workdir, None, {})
        image, mask = shown_image(trained.config)
        if not found:
            found["image"] = shown(image)
            found["truth"] = shown(np.full((*image.shape[:2], 1), 0.5) if mask is None else mask[..., None] * 1.0)
        made = cfg.make_method(
            trained.config, Info(trained.meta["counts"], trained.config.fit.steps.to_dict(), 1), restored=True
        )
        batch = {"image": jnp.asarray(image[None]), "_mask": jnp.ones(1, bool)}
        anomaly_map = np.asarray(
            jax.jit(made.score)(trained.state, batch, jax.random.split(jax.random.key(0), 1)).map[0]
        )
        found[method] = colour(anomaly_map, (float(np.quantile(anomaly_map, 0.01)), float(anomaly_map.max())))
    return found


def sheet(found: dict[str, dict[str, np.ndarray]], before: Image.Image | None) -> Image.Image:
    """A row for each data set, as wide as all methods; without `found` as `before`, or grey."""
    names = ("image", "truth", *recipe.METHODS)
    size = (SIDE * len(names), (SIDE + BAR) * len(recipe.DATA))
    if before and before.size != size:
        raise UserError(f"the figure has {before.size} px and would have {size}: delete it, and draw all runs anew")
    drawn = before or Image.new("RGB", size, (230, 230, 230))
    draw = ImageDraw.Draw(drawn)
    for row, data in enumerate(recipe.DATA):
        top = (SIDE + BAR) * row
        draw.rectangle((0, top, size[0], top + BAR - 1), "white")
        for i, name in enumerate(names):
            draw.text((SIDE * i + 4, top + 1), f"{data}: {name}" if i == 0 else name, fill="black")
            if name in found[data]:
                drawn.paste(Image.fromarray(found[data][name]).resize((SIDE, SIDE)), (SIDE * i, top + BAR))
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/student_teacher"))
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "maps.png")
    flags = parser.parse_args()
    before = Image.open(flags.out).convert("RGB") if flags.out.is_file() else None
    sheet({data: pictures(flags.runs, data) for data in recipe.DATA}, before).save(flags.out, optimize=True)


if __name__ == "__main__":
    main()
