"""Averages and per-defect versions of the metrics."""

import numpy as np
import pytest

from adjax import metrics


def test_per_defect_takes_good_images_and_one_type(images):
    maps, masks = images
    defects = ["scratch", "hole", "good", "scratch"]
    result = metrics.per_defect(metrics.evaluate_maps, defects, maps, masks)
    assert [*result] == ["hole", "scratch"]
    assert result["hole"]["aupro"] == metrics.aupro(maps[1:3], masks[1:3])
    scratch = [maps[i] for i in (0, 2, 3)], [masks[i] for i in (0, 2, 3)]
    assert metrics.per_defect(metrics.aupro, defects, maps, masks)["scratch"] == metrics.aupro(*scratch)
    scores = [3.0, 1.0, 2.0, 4.0]
    per_type = metrics.per_defect(metrics.auroc, defects, scores, [d != "good" for d in defects])
    assert per_type == {"hole": 0.0, "scratch": 1.0}


def test_mad_is_the_mean_of_seven(images, rng):
    pixel = metrics.evaluate_maps(*images)
    image = metrics.evaluate_scores([m.max() for m in images[0]], [g.any() for g in images[1]])
    seven = [image[n] for n in ("image_auroc", "image_ap", "image_f1max")]
    seven += [pixel[n] for n in ("pixel_auroc", "pixel_ap", "pixel_f1max", "aupro")]
    assert metrics.mad(image, pixel) == pytest.approx(np.mean(seven))
    with pytest.raises(metrics.Undefined, match="pixel_auroc is undefined: there are no masks"):
        metrics.mad(image, metrics.evaluate_maps(images[0], None))
