"""The README's picture: images, ground truth and anomaly maps of one run that wrote its maps.

python -m adjax.main --mode=eval --config=configs/quickstart.py --config.maps=npy --workdir=DIR
python experiments/spine/figure.py --run=DIR
"""

import argparse
import csv
import pathlib

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from adjax.report.maps import read_map

HERE = pathlib.Path(__file__).parent
KINDS = ("blob", "film", "beaded")
CROP = 256


def panels(run: pathlib.Path):
    """(defect, image, mask, map) of the first image of each kind, cropped around its largest extent."""
    rows = [r for r in csv.DictReader((run / "scores.csv").read_text().splitlines()) if r["split"] == "test"]
    for kind in KINDS:
        row = next(r for r in rows if r["defect"] == kind)
        image = pathlib.Path(row["path"])
        truth = image.parents[2] / "ground_truth" / kind / f"{image.stem}_mask.png"
        mask = np.asarray(Image.open(truth)) > 0
        y, x = (int(np.clip(np.median(where) - CROP // 2, 0, 1024 - CROP)) for where in np.nonzero(mask))
        crop = (slice(y, y + CROP), slice(x, x + CROP))
        yield (
            kind,
            np.asarray(Image.open(image))[crop],
            mask[crop],
            read_map(run / "maps" / f"{row['id'][:-4]}.npy")[crop],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=pathlib.Path, required=True)
    found = list(panels(parser.parse_args().run))
    figure = Figure(figsize=(7.5, 2.6 * len(found)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(found), 3)
    top = max(m.max() for *_, m in found)
    for row, (kind, image, mask, anomaly_map) in zip(axes, found, strict=True):
        for cell, what, options in (
            (row[0], image, {"cmap": "gray", "vmin": 0, "vmax": 255}),
            (row[1], mask, {"cmap": "gray"}),
            (row[2], anomaly_map, {"cmap": "inferno", "vmin": 0, "vmax": top}),
        ):
            cell.imshow(what, **options)
            cell.set_axis_off()
        row[0].set_title(f"{kind} (256 px of 1024)", fontsize=9)
        row[1].set_title("ground truth", fontsize=9)
        row[2].set_title("anomaly map", fontsize=9)
    figure.savefig(HERE / "maps.png", dpi=80)


if __name__ == "__main__":
    main()
