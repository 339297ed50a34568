"""Bootstrap intervals: against resampling by hand, stratified, seeded, and covering as often as they say."""

import numpy as np
import pytest

from adjax import metrics


def test_one_replicate_is_the_metric_of_the_drawn_images(images):
    """With one image in each stratum every replicate draws the set itself."""
    maps, masks = images
    strata = ["a", "b", "good", "c"]
    exact = metrics.evaluate_maps(maps, masks)
    for name, (low, high, error) in metrics.bootstrap_maps(maps, masks, strata=strata, replicates=3).items():
        assert low == high == pytest.approx(exact[name], abs=1e-12)
        assert error == 0


def test_intervals_by_hand(images):
    """The same draws of whole images, evaluated one by one by the exact metrics."""
    maps, masks = images
    result = metrics.bootstrap_maps(maps, masks, replicates=40, seed=3)
    draws = np.random.default_rng(3)
    draws.multinomial(1, [1.0], 40)  # the good image's stratum comes first
    values = []
    for times in draws.multinomial(3, np.full(3, 1 / 3), 40):
        drawn = [2, *np.repeat([0, 1, 3], times)]
        values.append(metrics.evaluate_maps([maps[i] for i in drawn], [masks[i] for i in drawn]))
    for name, interval in result.items():
        expected = np.quantile([v[name] for v in values], [0.025, 0.975])
        np.testing.assert_allclose(interval[:2], expected, atol=1e-12)


def test_rounding_is_bounded(rng):
    maps = rng.normal(size=(8, 16, 16)).astype(np.float32)
    masks = np.zeros(maps.shape, bool)
    masks[:5, 4:8, 4:8] = True
    maps += masks
    fine = metrics.bootstrap_maps(maps, masks, replicates=30, capacity=10**5)
    coarse = metrics.bootstrap_maps(maps, masks, replicates=30, capacity=64)
    for name in fine:
        assert fine[name].error == 0 and 0 < coarse[name].error < 0.3
        assert abs(fine[name].low - coarse[name].low) <= coarse[name].error
        assert abs(fine[name].high - coarse[name].high) <= coarse[name].error


def test_scores_by_hand(rng):
    scores, labels = np.round(rng.normal(size=30), 1), np.arange(30) % 3 == 0
    result = metrics.bootstrap_scores(scores, labels, replicates=25, seed=1)
    draws = np.random.default_rng(1)
    good, defective = (draws.multinomial(n, np.full(n, 1 / n), 25) for n in (20, 10))
    values = []
    for times in zip(good, defective):
        drawn = np.concatenate([np.repeat(np.flatnonzero(labels == y), t) for y, t in enumerate(times)])
        values.append(metrics.evaluate_scores(scores[drawn], labels[drawn]))
    for name, interval in result.items():
        np.testing.assert_allclose(interval[:2], np.quantile([v[name] for v in values], [0.025, 0.975]))


def test_seeded_and_wider_with_level(rng):
    scores, labels = rng.normal(size=40), np.arange(40) % 2
    first = metrics.bootstrap_scores(scores, labels, replicates=100, seed=5)
    assert first == metrics.bootstrap_scores(scores, labels, replicates=100, seed=5)
    assert first != metrics.bootstrap_scores(scores, labels, replicates=100, seed=6)
    narrow = metrics.bootstrap_scores(scores, labels, replicates=100, seed=5, level=0.5)["image_auroc"]
    wide = first["image_auroc"]
    assert wide.low < narrow.low < narrow.high < wide.high


def test_covers_the_truth(rng):
    """AUROC of two normals one deviation apart is Φ(1/√2) = 0.7602; 90 % intervals of 60 + 60 images."""
    hits = 0
    for trial in range(60):
        labels = np.arange(120) % 2
        interval = metrics.bootstrap_scores(
            rng.normal(size=120) + labels, labels, replicates=100, seed=trial, level=0.9
        )["image_auroc"]
        hits += interval.low <= 0.76025 <= interval.high
    assert 46 <= hits <= 60


def test_errors(images):
    maps, masks = images
    with pytest.raises(metrics.Undefined):
        metrics.bootstrap_maps(maps[2:3], masks[2:3])
    with pytest.raises(metrics.Undefined):
        metrics.bootstrap_scores([1.0, 2.0], [0, 0])
    with pytest.raises(ValueError, match="level"):
        metrics.bootstrap_scores([1.0, 2.0], [0, 1], level=95)
    with pytest.raises(ValueError, match="1 strata but 4 images"):
        metrics.bootstrap_maps(maps, masks, strata=["a"])
