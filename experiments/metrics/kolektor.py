"""Bootstrap intervals of a trivial detector on KolektorSDD: what 60 good and 32 defective images can tell."""

import pathlib

import numpy as np
from PIL import Image
from scipy import ndimage

from adjax import metrics


def intervals(data, seed):
    """The detector: darkness against a blurred copy. No training; its numbers are a floor, not a result."""
    root = pathlib.Path(data)
    maps, masks, defects = [], [], []
    for path in sorted(root.glob("test/*/*.png")):
        image = np.asarray(Image.open(path).convert("L"), np.float32) / 255
        maps.append(ndimage.gaussian_filter(ndimage.gaussian_filter(image, 20) - image, 1.5))
        truth = root / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
        mask = np.asarray(Image.open(truth)) > 0 if truth.exists() else np.zeros(image.shape, bool)
        masks.append(mask)
        defects.append(path.parent.name)
    scores, labels = [m.max() for m in maps], [d != "good" for d in defects]
    values = metrics.evaluate_scores(scores, labels) | metrics.evaluate_maps(maps, masks)
    found = metrics.bootstrap_scores(scores, labels, defects, seed=seed)
    found |= metrics.bootstrap_maps(maps, masks, strata=defects, seed=seed)
    rows = {name: {"value": values[name], **interval._asdict()} for name, interval in found.items()}
    widest = max(rows, key=lambda name: rows[name]["high"] - rows[name]["low"])
    return {"images": len(maps), "good": defects.count("good"), "intervals": rows, "widest": widest}
