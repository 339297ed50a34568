"""IoU, Dice, mIoU and SegF1 against scikit-learn on all pixels together."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from adjax import metrics, threshold


@pytest.fixture
def flat(images):
    maps, masks = images
    marked = [m > 0.4 for m in maps]
    return marked, masks, *(np.concatenate([a.ravel() for a in part]) for part in (marked, masks))


def test_equal_scikit_learn(flat):
    marked, masks, predicted, truth = flat
    assert metrics.iou(marked, masks) == pytest.approx(oracle.jaccard_score(truth, predicted), abs=1e-14)
    assert metrics.dice(marked, masks) == pytest.approx(oracle.f1_score(truth, predicted), abs=1e-14)
    result = metrics.miou(marked, masks)
    np.testing.assert_allclose(result.per_class, oracle.jaccard_score(truth, predicted, average=None), atol=1e-14)
    assert result.mean == pytest.approx(oracle.jaccard_score(truth, predicted, average="macro"), abs=1e-14)


def test_iou_and_dice_are_one_number_apart(flat):
    marked, masks, *_ = flat
    f1 = metrics.dice(marked, masks)
    assert metrics.iou(marked, masks) == pytest.approx(f1 / (2 - f1), abs=1e-14)


def test_accumulates_before_the_ratio():
    """A mean of per-image ratios would be (1 + 0) / 2."""
    ones, none = np.ones((2, 2), bool), np.zeros((2, 2), bool)
    one = none.copy()
    one[0, 0] = True
    assert metrics.iou([ones, one], [ones, none]) == pytest.approx(4 / 5)


def test_more_classes_and_ignored_pixels(rng):
    truth = rng.integers(0, 4, size=(3, 6, 7))
    predicted = np.where(rng.uniform(size=truth.shape) < 0.5, truth, rng.integers(0, 4, size=truth.shape))
    ignore = rng.uniform(size=truth.shape) < 0.2
    result = metrics.miou(predicted, truth, 4, ignore)
    expected = oracle.jaccard_score(truth[~ignore], predicted[~ignore], average=None)
    np.testing.assert_allclose(result.per_class, expected, atol=1e-14)
    seen = oracle.jaccard_score(truth[~ignore] > 0, predicted[~ignore] > 0)
    assert metrics.iou(predicted, truth, ignore) == pytest.approx(seen, abs=1e-14)


def test_segmentation_f1_at_mean_plus_three_deviations(images, rng):
    maps, masks = images
    good = rng.normal(size=(4, 30, 30))
    fitted = threshold.fit("gaussian_tail", good, p=0.0013498980316300957)
    assert fitted.value == pytest.approx(good.mean() + 3 * good.std(ddof=1))
    maps = [m + 3 * g for m, g in zip(maps, masks)]
    f1 = metrics.segmentation_f1(maps, masks, fitted.value)
    assert f1 == metrics.dice([m > fitted.value for m in maps], masks) > 0.2
    assert f1 <= metrics.evaluate_maps(maps, masks)["pixel_f1max"]
    assert metrics.segmentation_f1(maps, masks, metrics.evaluate_maps(maps, masks)["oracle"]) == pytest.approx(
        metrics.evaluate_maps(maps, masks)["pixel_f1max"]
    )


def test_undefined_and_wrong(images):
    maps, masks = images
    none = [np.zeros_like(g) for g in masks]
    for metric in (metrics.iou, metrics.dice):
        with pytest.raises(metrics.Undefined, match="nothing is marked"):
            metric(none, none)
        assert metric(none, masks) == 0
        with pytest.raises(ValueError, match="decision has dtype float32"):
            metric(maps, masks)
        with pytest.raises(metrics.Undefined, match="no masks"):
            metric(none, None)
    with pytest.raises(metrics.Undefined, match="class 1 occurs neither"):
        metrics.miou(none, none)
    with pytest.raises(ValueError, match="integers in 0 … 1"):
        metrics.miou([np.full((2, 2), 255)], [np.ones((2, 2), int)])
    with pytest.raises(ValueError, match="NaN"):
        metrics.segmentation_f1([np.full((2, 2), np.nan)], [np.ones((2, 2), bool)], 0.0)
    with pytest.raises(ValueError):
        metrics.iou(none[:2], masks)
