"""AUPIMO against the definition: overlap at the threshold of each false-positive rate, integrated over its log."""

import numpy as np
import pytest

from adjax import metrics

BOUNDS = (0.02, 0.3)


def plain_aupimo(maps, masks, low, high):
    """Segment by segment between the distinct scores of the good images, with plain loops."""
    good = [m for m, g in zip(maps, masks) if not g.any()]
    scores = sorted({s for m in good for s in m.ravel().tolist()}, reverse=True)
    rates = [float(np.mean([np.mean(m >= t) for m in good])) for t in scores]
    values = []
    for m, g in zip(maps, masks):
        if not g.any():
            continue
        total = 0.0
        for t, before, after in zip(scores[1:], rates, rates[1:]):
            start, end = np.mean(m[g] > t), np.mean(m[g] >= t)
            a, b = max(before, low), min(after, high)
            if a < b:
                at = [start + (end - start) * np.log(x / before) / np.log(after / before) for x in (a, b)]
                total += np.log(b / a) * np.mean(at)
        values.append(total / np.log(high / low))
    return values


@pytest.fixture
def mixed(rng):
    """Good images of two sizes, so that their pixels weigh differently; many ties."""
    shapes = [(10, 12), (20, 15), (9, 9), (15, 15), (10, 10)]
    maps = [np.round(rng.normal(size=s), 1).astype(np.float32) for s in shapes]
    masks = [np.zeros(s, bool) for s in shapes]
    for i in (2, 3, 4):
        masks[i][2:6, 3:7] = True
        maps[i][masks[i]] += i / 2
    return maps, masks


def test_equals_the_definition(mixed):
    result = metrics.aupimo(*mixed, bounds=BOUNDS)
    np.testing.assert_allclose(result.per_image, plain_aupimo(*mixed, *BOUNDS), atol=1e-12)
    assert result.mean == pytest.approx(np.mean(result.per_image))
    np.testing.assert_array_equal(result.images, [2, 3, 4])


def test_up_to_rate_one(mixed):
    result = metrics.aupimo(*mixed, bounds=(0.05, 1.0))
    np.testing.assert_allclose(result.per_image, plain_aupimo(*mixed, 0.05, 1.0), atol=1e-12)


def test_continuous_scores_by_quantiles(rng):
    """Without ties the overlap at a rate f is that above the good pixels' (1 - f)-quantile."""
    maps = [rng.normal(size=(200, 200)) for _ in range(3)]
    masks = [np.zeros((200, 200), bool) for _ in range(3)]
    masks[2][50:150, 50:150] = True
    maps[2] += 2.0
    good = np.sort(np.concatenate([m.ravel() for m in maps[:2]]))[::-1]
    rates = np.exp(np.linspace(np.log(1e-3), np.log(1e-2), 2001))
    overlap = [np.mean(maps[2][masks[2]] > good[int(f * good.size)]) for f in rates]
    result = metrics.aupimo(maps, masks, bounds=(1e-3, 1e-2))
    assert result.mean == pytest.approx(np.mean(overlap), abs=1e-3)


def test_normal_pixels_of_defective_images_count_nowhere(mixed, rng):
    maps, masks = mixed
    changed = [np.where(g | (not g.any()), m, rng.normal(size=m.shape).astype(np.float32)) for m, g in zip(maps, masks)]
    first, second = (metrics.aupimo(m, masks, bounds=BOUNDS) for m in (maps, changed))
    np.testing.assert_array_equal(first.per_image, second.per_image)


def test_properties(mixed):
    maps, masks = mixed
    value = metrics.aupimo(maps, masks, bounds=BOUNDS)
    bent = metrics.aupimo([np.exp(m) for m in maps], masks, bounds=BOUNDS)
    np.testing.assert_allclose(bent.per_image, value.per_image, atol=1e-13)
    turned = metrics.aupimo(maps[::-1], masks[::-1], bounds=BOUNDS)
    np.testing.assert_allclose(turned.per_image[::-1], value.per_image, atol=1e-13)
    perfect = metrics.aupimo([100 * g + m for m, g in zip(maps, masks)], masks, bounds=BOUNDS)
    assert perfect.mean == pytest.approx(1, abs=1e-14)
    hidden = [np.zeros(g.shape, bool) for g in masks]
    hidden[0][:] = True
    del maps[0], masks[0]
    without = metrics.aupimo(maps, masks, bounds=BOUNDS)
    again = metrics.aupimo([np.zeros((10, 12)), *maps], [hidden[0] & False, *masks], BOUNDS, hidden)
    np.testing.assert_array_equal(again.per_image, without.per_image)


def test_undefined(mixed):
    maps, masks = mixed
    with pytest.raises(metrics.Undefined, match="false-positive rate of"):
        metrics.aupimo(maps, masks)  # 1e-5 needs 100,000 good pixels
    with pytest.raises(metrics.Undefined, match="no good image"):
        metrics.aupimo(maps[2:], masks[2:])
    with pytest.raises(metrics.Undefined, match="no defective image"):
        metrics.aupimo(maps[:2], masks[:2])
    with pytest.raises(ValueError, match="bounds"):
        metrics.aupimo(maps, masks, bounds=(0.5, 0.1))
    maps[1][0, 0] = np.nan
    with pytest.raises(ValueError, match="image 1 is NaN"):
        metrics.aupimo(maps, masks, bounds=BOUNDS)
