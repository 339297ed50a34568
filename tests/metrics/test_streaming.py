"""The streaming form: exact while few scores differ, within its own bound after that, and blind to batches."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjax import metrics
from adjax.metrics import streaming

NAMES = ("pixel_auroc", "pixel_ap", "pixel_f1max", "iou_max", "aupro", "aupro_05")


def total(maps, masks, ignore=None, capacity=2**18):
    return streaming.tally(maps, masks, ignore, capacity=capacity)


def same(first, second):
    """Equal counts at equal ranges; the overlap up to rounding."""
    for field in ("key", "normal", "defect"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    np.testing.assert_allclose(first.overlap, second.overlap, rtol=1e-12)
    assert first[4:] == second[4:]


@pytest.fixture
def continuous(rng):
    """Scores of both signs and of very different sizes, no two alike."""
    maps = (rng.normal(size=(6, 20, 24)) ** 3).astype(np.float32)
    masks = np.zeros(maps.shape, bool)
    masks[0, 2:9, 3:9] = masks[1, 12:14, 1:20] = masks[1, 3, 3] = masks[4, 10:18, 10:18] = True
    return maps + masks, masks


def test_exact_while_few_scores_differ(images):
    result = streaming.compute(total(*images))
    exact = metrics.evaluate_maps(*images)
    for name in NAMES:
        assert result[name].error == 0
        assert result[name].value == pytest.approx(exact[name], abs=1e-13)


@pytest.mark.parametrize("capacity", [2, 8, 30, 150, 1000])
def test_exact_value_lies_within_the_bound(continuous, capacity):
    state = total(*continuous, capacity=capacity)
    assert state.key.size <= capacity and state.dropped > 0
    exact = metrics.evaluate_maps(*continuous)
    for name, (value, error) in streaming.compute(state).items():
        assert abs(value - exact[name]) <= error + 1e-12
        assert 0 <= value <= 1


def test_bound_shrinks_and_is_not_idle(continuous):
    errors = [streaming.compute(total(*continuous, capacity=c))["pixel_auroc"].error for c in (16, 128, 1024)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0
    assert errors[2] < 0.005


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 17, 60, 10**5]))
@settings(max_examples=25, deadline=None, database=None)
def test_batches_and_order_do_not_matter(seed, capacity):
    rng = np.random.default_rng(seed)
    maps = [rng.normal(size=rng.integers(1, 8, size=2)).astype(np.float32) for _ in range(6)]
    masks = [rng.uniform(size=m.shape) < 0.4 for m in maps]
    whole = total(maps, masks, capacity=capacity)
    parts = [total([maps[i]], [masks[i]], capacity=capacity) for i in rng.permutation(6)]
    same(reduce(streaming.merge, parts), whole)
    left = streaming.merge(streaming.merge(parts[0], parts[1]), parts[2])
    right = streaming.merge(parts[0], streaming.merge(parts[1], parts[2]))
    same(left, right)
    same(streaming.merge(parts[1], parts[0]), streaming.merge(parts[0], parts[1]))
    same(streaming.merge(whole, streaming.empty(capacity)), whole)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
@settings(max_examples=40, deadline=None, database=None)
def test_bound_holds_for_any_data(seed, capacity):
    rng = np.random.default_rng(seed)
    maps = (rng.normal(size=(3, 6, 6)) * 10.0 ** rng.integers(-3, 4, size=(3, 6, 6))).astype(np.float32)
    masks = rng.uniform(size=maps.shape) < 0.3
    exact = metrics.evaluate_maps(maps, masks)
    for name, (value, error) in streaming.compute(total(maps, masks, capacity=capacity)).items():
        assert abs(value - exact[name]) <= error + 1e-12


def test_ignored_pixels(images, rng):
    maps, masks = images
    ignore = [rng.uniform(size=m.shape) < 0.3 for m in maps]
    exact = metrics.evaluate_maps(maps, masks, ignore)
    for name, (value, _) in streaming.compute(total(maps, masks, ignore)).items():
        assert value == pytest.approx(exact[name], abs=1e-13)


def test_keys_keep_the_order_of_floats():
    extreme = [-np.inf, -3e38, -1.0, -1e-40, 0.0, 1e-40, 1.0, 3e38, np.inf]
    keys = streaming._keys(np.float32(extreme))
    assert np.all(np.diff(keys.astype(np.int64)) > 0)
    np.testing.assert_array_equal(streaming._scores(keys), np.float32(extreme))
    assert streaming._keys(np.float32([-0.0])) == streaming._keys(np.float32([0.0]))


def test_curves_pass_through_points_of_the_exact_ones(continuous):
    """At the edge of a range nothing is rounded; only where the curve runs between two edges is."""
    maps, masks = continuous
    curve = streaming.curves(total(maps, masks, capacity=60))["pixel_roc"]
    for x, y, score in zip(*curve):
        assert x == pytest.approx(np.mean(maps[~masks] >= score), abs=1e-12)
        assert y == pytest.approx(np.mean(maps[masks] >= score), abs=1e-12)


def test_thresholds_mark_what_is_counted(images):
    maps, masks = images
    defect = np.concatenate([m[g] for m, g in zip(maps, masks)])
    for capacity in (10**4, 20):
        ranking = streaming.ranking_of(total(maps, masks, capacity=capacity))
        np.testing.assert_array_equal([np.sum(defect > t) for t in ranking.threshold], ranking.found)
        np.testing.assert_array_equal([np.sum(defect >= t) for t in ranking.score], ranking.found)


def test_minus_infinity_among_coarse_ranges(continuous):
    maps, masks = continuous
    maps = np.where(maps == maps.min(), -np.inf, maps)
    ranking = streaming.ranking_of(total(maps, masks, capacity=8))
    assert ranking.lowest == -np.inf and not np.isnan(ranking.score).any()


def test_errors(images):
    maps, masks = images
    with pytest.raises(metrics.Undefined, match="no normal pixel"):
        streaming.compute(streaming.empty())
    with pytest.raises(metrics.Undefined, match="no defective pixel"):
        streaming.compute(total(maps[2:3], masks[2:3]))
    with pytest.raises(ValueError, match="capacity 4 and 8"):
        streaming.merge(streaming.empty(4), streaming.empty(8))
    with pytest.raises(ValueError, match="at least 2"):
        streaming.empty(1)
    maps[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        total(maps, masks)
