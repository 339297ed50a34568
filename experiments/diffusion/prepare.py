"""Images and masks of a data set as arrays in one file, for machines without TensorFlow.

python -m experiments.diffusion.prepare --root=DIR --out=runs/diffusion/data

DIR holds kolektor_sdd/, crackforest_patches/ and mvtec_hazelnut_reduced/; the ELPV cells come from their package, the
filaments are generated. Colours become grey. Cells and patches are resized to 128 px. A file that exists is left.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

from adjax import data
from adjax.data import pipeline
from adjax.data.masks import read_mask
from adjax.data.view import View
from adjax.tiling import Grid
from experiments.diffusion import setting


def arrays(name: str, root: pathlib.Path) -> dict[str, np.ndarray]:
    """Of each split u8[n h w c] padded to one size, i32[n 2] true sizes; of the test images labels and masks too."""
    where = setting.SETS[name] | ({"root": str(root / name)} if setting.SETS[name]["dataset"] == "folder" else {})
    splits = data.load(
        **{"root": None, "category": "", "calibration": 0.0, "validation": 0.2, "seed": 0} | where
    ).splits
    view = View(size=(setting.SIDE, setting.SIDE) if name in setting.RESIZED else None, channels=1)
    found: dict[str, np.ndarray] = {}
    for split in ("train", "validation", "test"):
        # Images of one padded size come in one batch; here all have it.
        ((records, batch),) = pipeline.images(
            splits[split], view, batch_size=len(splits[split]), grid=Grid(setting.SIDE, setting.STRIDE)
        )
        found[split] = np.round(255 * np.asarray(batch["image"])).astype(np.uint8)
        found[f"{split}_size"] = np.asarray(batch["_size"])
    found["label"] = np.array([r.label for r in records])
    if all(r.masks for r in records if r.label):
        found["mask"] = np.zeros(found["test"].shape[:3], bool)
        for row, (height, width), record in zip(found["mask"], found["test_size"], records):
            mask = Image.fromarray(read_mask(record)).resize((width, height), Image.Resampling.NEAREST)
            row[:height, :width] = np.asarray(mask)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/diffusion/data"))
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    for name in setting.SETS:
        path = a.out / f"{name}.npz"
        if not path.is_file():
            np.savez_compressed(path, **arrays(name, a.root))
            print(path, f"{path.stat().st_size / 1e6:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
