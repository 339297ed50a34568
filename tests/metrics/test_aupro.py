"""AUPRO and the other pixel metrics against the definition, cases worked out by hand, and their properties."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as oracle

from adjax import metrics
from adjax.metrics.regions import label_regions
from tests.metrics.plain import area, aupro, pro_points, regions


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.3, 1.0])
def test_equals_the_definition(images, limit):
    assert metrics.aupro(*images, fpr_limit=limit) == pytest.approx(aupro(*images, limit), abs=1e-13)


def test_ignored_pixels_are_as_if_they_were_not_there(images, rng):
    maps, masks = images
    ignore = [rng.uniform(size=m.shape) < 0.2 for m in maps]
    ignore[3] |= masks[3]  # all regions of one image
    expected = aupro(maps, masks, 0.3, ignore)
    assert metrics.aupro(maps, masks, ignore=ignore) == pytest.approx(expected, abs=1e-13)
    changed = [np.where(o, np.float32(rng.normal()), m) for m, o in zip(maps, ignore)]
    assert metrics.evaluate_maps(changed, masks, ignore)["iou_max"] == metrics.iou_max(maps, masks, ignore).value


def test_curve_passes_through_every_point_of_the_definition(images):
    curve = metrics.pro_curve(*images)
    slow = {(round(x, 9), round(y, 9)) for x, y in pro_points(*images)}
    assert {(round(x, 9), round(y, 9)) for x, y in zip(curve.x, curve.y)} <= slow
    assert np.all(np.diff(curve.x) >= 0) and np.all(np.diff(curve.y) >= 0)
    for limit in (0.1, 0.77, 1.0):
        assert area(list(zip(*curve[:2])), limit) == pytest.approx(aupro(*images, limit), abs=1e-13)


def test_hand_made():
    """Two regions, of 1 and of 3 pixels (one of them joined over a corner); 12 normal pixels."""
    mask = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 1, 0]])
    scores = np.zeros((4, 4))
    scores[0, 0], scores[1, 3], scores[2, 2], scores[3, 2] = 9, 8, 6, 1
    scores[0, 3], scores[3, 0], scores[1, 1] = 7, 5, 1
    # After 9, 8, 7 | 6, 5 | 1 (tied): PRO 2/3 up to FPR 1/12, 5/6 up to 2/12, then rises to 1 at 3/12.
    expected = (2 / 3 + 5 / 6 + (5 / 6 + 1) / 2) / 3
    assert metrics.aupro([scores], [mask], 0.25) == pytest.approx(expected, abs=1e-14)
    expected = (2 / 3 + 5 / 6) / 12 + (5 / 6 + (5 / 6 + 1 / 12)) / 2 / 24
    assert metrics.aupro([scores], [mask], 2.5 / 12) == pytest.approx(expected / (2.5 / 12), abs=1e-14)


def test_scores_that_are_ranks():
    """n defect pixels, in stripes of ten, take turns with n normal ones from the top."""
    n = 50
    ranks = np.arange(2 * n, dtype=np.float64)[::-1].reshape(10, 10)
    mask = (np.arange(2 * n) % 2 == 0).reshape(10, 10)  # columns 0, 2, ...: five regions of ten, each a stripe
    # After k normal pixels k + 1 defect pixels are found: the staircase's area is 1/n Σ_{k<n} (k + 1)/n.
    assert metrics.aupro([ranks], [mask], 1.0) == pytest.approx((n + 1) / (2 * n), abs=1e-14)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_perfect_constant_random(limit, rng):
    mask = np.zeros((200, 200), bool)
    mask[20:90, 30:80] = mask[120:190, 100:180] = True
    assert metrics.aupro([mask.astype(np.float32)], [mask], limit) == pytest.approx(1, abs=1e-14)
    assert metrics.aupro([np.ones(mask.shape)], [mask], limit) == pytest.approx(limit / 2, abs=1e-14)
    assert metrics.aupro([-mask.astype(np.float32)], [mask], min(limit, 0.3)) == 0
    assert metrics.aupro([rng.uniform(size=mask.shape)], [mask], limit) == pytest.approx(limit / 2, rel=0.05)


def test_equal_regions_to_limit_one_is_pixel_auroc(rng):
    """One region of one size in each image: every defect pixel weighs the same."""
    maps = np.round(rng.normal(size=(5, 8, 8)), 1)
    masks = np.zeros(maps.shape, bool)
    masks[:, 2:5, 1:4] = True
    assert metrics.aupro(maps, masks, 1.0) == pytest.approx(
        oracle.roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-12
    )


def test_regions_are_those_of_a_flood_fill(rng):
    for density in (0.05, 0.3, 0.5):
        mask = rng.uniform(size=(30, 40)) < density
        labels = np.full(mask.shape, -1)
        labels[mask] = label_regions(mask)
        for region in regions(mask):
            assert len({labels[p] for p in region}) == 1
        assert labels.max() + 1 == len(regions(mask))


def test_pixel_metrics_equal_scikit_learn(images):
    maps, masks = images
    scores, labels = (np.concatenate([a.ravel() for a in part]) for part in (maps, masks))
    result = metrics.evaluate_maps(maps, masks)
    assert result["pixel_auroc"] == pytest.approx(oracle.roc_auc_score(labels, scores), abs=1e-12)
    assert result["pixel_ap"] == pytest.approx(oracle.average_precision_score(labels, scores), abs=1e-12)
    marked = scores > result["oracle"]
    assert result["pixel_f1max"] == pytest.approx(oracle.f1_score(labels, marked), abs=1e-12)
    assert result["iou_max"] == pytest.approx(oracle.jaccard_score(labels, marked), abs=1e-12)
    best = max(oracle.jaccard_score(labels, scores >= t) for t in np.unique(scores))
    assert result["iou_max"] == pytest.approx(best, abs=1e-12)
    assert result["aupro"] == metrics.aupro(maps, masks)
    assert result["aupro_05"] == metrics.aupro(maps, masks, 0.05)
    assert result["reasons"] == {}


@given(
    hnp.arrays(np.int8, (3, 4, 5), elements=st.integers(-4, 4)),
    hnp.arrays(bool, (3, 4, 5)),
    st.sampled_from([0.05, 0.3, 1.0]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None, database=None)
def test_properties(maps, masks, limit, random):
    maps = maps.astype(np.float32)
    if masks.all() or not masks.any():
        assert metrics.evaluate_maps(maps, masks)["aupro"] is None
        return
    value = metrics.aupro(maps, masks, limit)
    assert 0 <= value <= 1
    assert value == pytest.approx(aupro(maps, masks, limit), abs=1e-12)
    assert metrics.aupro(np.exp(maps / 2), masks, limit) == value
    order = random.sample(range(3), 3)
    assert metrics.aupro(maps[order], masks[order], limit) == pytest.approx(value, abs=1e-13)
    assert metrics.aupro([*maps, *maps], [*masks, *masks], limit) == pytest.approx(value, abs=1e-13)
    turned = metrics.aupro(maps.transpose(0, 2, 1), masks.transpose(0, 2, 1), limit)
    assert turned == pytest.approx(value, abs=1e-13)


def test_types(images):
    maps, masks = images
    value = metrics.aupro(maps, masks)
    assert metrics.aupro([m.astype(np.float64) for m in maps], [255 * g.astype(np.uint8) for g in masks]) == value
    assert metrics.aupro([jnp.asarray(m) for m in maps], [jnp.asarray(g) for g in masks]) == value
    halves = [m.astype(np.float16) for m in maps]
    assert metrics.aupro(halves, masks) == metrics.aupro([m.astype(np.float32) for m in halves], masks)
    with pytest.raises(ValueError, match="boolean first"):
        metrics.aupro(maps, [g.astype(np.float32) for g in masks])


def test_undefined_and_wrong(images):
    maps, masks = images
    good = [np.zeros_like(g) for g in masks]
    for wrong, why in ((good, "no defective pixel"), ([~g for g in good], "no normal pixel"), (None, "no masks")):
        with pytest.raises(metrics.Undefined, match=why):
            metrics.aupro(maps, wrong)
        assert why in metrics.evaluate_maps(maps, wrong)["reasons"]["aupro_05"]
    with pytest.raises(metrics.Undefined, match="no images"):
        metrics.aupro([], [])
    for place in (np.nonzero(masks[0]), np.nonzero(~masks[0])):
        broken = [m.copy() for m in maps]
        broken[0][place[0][0], place[1][0]] = np.nan
        with pytest.raises(ValueError, match="is NaN"):
            metrics.evaluate_maps(broken, masks)
    with pytest.raises(ValueError, match="image 1: maps"):
        metrics.aupro(maps, [masks[0], masks[1].T, *masks[2:]])
    with pytest.raises(ValueError, match="4 maps, 3 masks"):
        metrics.aupro(maps, masks[:3])
    with pytest.raises(ValueError, match="limit"):
        metrics.aupro(maps, masks, 0.0)


def test_infinite_scores_are_only_extreme(images):
    maps, masks = images
    value = metrics.aupro(maps, masks)
    top, bottom = max(m.max() for m in maps), min(m.min() for m in maps)
    extreme = [np.where(m == top, np.inf, np.where(m == bottom, -np.inf, m)) for m in maps]
    assert metrics.aupro(extreme, masks) == value


def test_thinned_curve_keeps_its_ends_and_its_shape(rng):
    curve = metrics.roc_curve(rng.normal(size=20000) + (np.arange(20000) % 2), np.arange(20000) % 2)
    thinned = metrics.thin(curve, 500)
    assert len(thinned.x) <= 500
    assert (thinned.x[0], thinned.y[0], thinned.x[-1], thinned.y[-1]) == (0, 0, 1, 1)
    np.testing.assert_allclose(np.interp(curve.x, thinned.x, thinned.y), curve.y, atol=0.01)
