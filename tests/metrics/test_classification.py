"""AUROC, AP and F1-max against scikit-learn, with half of the scores tied."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from adjax import metrics
from adjax.metrics.ranking import rank_scores


def tied(rng, n=400):
    """Half of the scores share a few values with others, of both classes."""
    scores = rng.normal(size=n)
    scores[: n // 2] = np.round(scores[: n // 2])
    labels = rng.uniform(size=n) < 0.3
    return rng.permutation(scores) + 0.0 * labels, labels.astype(int)


def test_equals_scikit_learn_with_ties(rng):
    for n in (10, 57, 400, 2000):
        scores, labels = tied(rng, n)
        assert abs(metrics.auroc(scores, labels) - oracle.roc_auc_score(labels, scores)) < 1e-12
        expected = oracle.average_precision_score(labels, scores)
        assert abs(metrics.average_precision(scores, labels) - expected) < 1e-12
        precision, recall, _ = oracle.precision_recall_curve(labels, scores)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
        value, threshold = metrics.f1max(scores, labels)
        assert abs(value - f1.max()) < 1e-12
        assert abs(oracle.f1_score(labels, scores > threshold) - value) < 1e-12


@pytest.mark.parametrize("n", [6, 7, 8, 400])
def test_roc_curve_runs_through_scikit_learns_points(rng, n):
    for _ in range(5):
        scores, labels = tied(rng, n)
        labels[:2] = 0, 1
        ours = metrics.roc_curve(scores, labels)
        fpr, tpr, _ = oracle.roc_curve(labels, scores)
        low, high = (np.interp(fpr + step, ours.x, ours.y) for step in (-1e-9, 1e-9))
        assert np.all((tpr >= low - 1e-6) & (tpr <= high + 1e-6))
        assert [v[0] for v in ours] == [0, 0, np.inf] and ours.score[-1] == scores.min()
        assert metrics.area(ours) == pytest.approx(metrics.auroc(scores, labels), abs=1e-12)
        for x, y, s in zip(*ours):
            assert (x, y) == (np.mean(scores[labels == 0] >= s), np.mean(scores[labels == 1] >= s))


def test_ranking_gives_each_threshold_by_three_names(rng):
    scores, labels = tied(rng, 60)
    ranking = rank_scores(scores, labels)
    for score, threshold, before, above in zip(*ranking[:4]):
        np.testing.assert_array_equal(scores > threshold, scores >= score)
        np.testing.assert_array_equal(scores >= before, scores > score)
        assert above == np.sum(scores[labels == 0] > score)


def test_pr_curve_is_scikit_learns_where_recall_grows(rng):
    scores, labels = tied(rng)
    ours = metrics.pr_curve(scores, labels)
    precision, recall, score = oracle.precision_recall_curve(labels, scores)
    theirs = {s: (r, p) for r, p, s in zip(recall, precision, score)}
    np.testing.assert_allclose([theirs[s] for s in ours.score], np.stack(ours[:2], 1), atol=1e-12)
    np.testing.assert_allclose(np.sum(np.diff(ours.x, prepend=0) * ours.y), metrics.average_precision(scores, labels))


def test_float16_and_integers(rng):
    scores, labels = tied(rng)
    half = scores.astype(np.float16)
    assert metrics.auroc(half, labels) == metrics.auroc(half.astype(np.float64), labels)
    assert metrics.auroc(np.round(100 * scores).astype(int), labels) == metrics.auroc(np.round(100 * scores), labels)


def test_best_threshold_leaves_the_next_lower_score_unmarked():
    assert metrics.f1max([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1]) == (1.0, 2.0)
    value, threshold = metrics.f1max(np.float32([0.5, 0.5]), [0, 1])
    assert value == pytest.approx(2 / 3) and threshold == np.nextafter(np.float32(0.5), np.float32(0))


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=30))
@settings(max_examples=50, deadline=None, database=None)
def test_properties(pairs):
    scores, labels = np.array([s for s, _ in pairs], float), np.array([y for _, y in pairs])
    if labels.all() or not labels.any():
        with pytest.raises(metrics.Undefined):
            metrics.auroc(scores, labels)
        return
    first = metrics.evaluate_scores(scores, labels)
    bent = metrics.evaluate_scores(np.exp(scores / 3), labels)
    turned = metrics.evaluate_scores(scores[::-1], labels[::-1])
    for name in ("image_auroc", "image_ap", "image_f1max"):
        assert 0 <= first[name] <= 1
        assert first[name] == bent[name] == turned[name]
    assert metrics.auroc(-scores, labels) == pytest.approx(1 - first["image_auroc"], abs=1e-12)


def test_undefined_and_wrong():
    with pytest.raises(metrics.Undefined, match="no defective image"):
        metrics.auroc([1.0, 2.0], [0, 0])
    with pytest.raises(metrics.Undefined, match="no normal image"):
        metrics.average_precision([1.0, 2.0], [1, 1])
    with pytest.raises(ValueError, match="defective image is NaN"):
        metrics.f1max([1.0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="normal image is NaN"):
        metrics.f1max([np.nan, 1.0], [0, 1])
    with pytest.raises(ValueError, match=r"not \[-1\]"):
        metrics.auroc([1.0, 2.0, 3.0], [0, 1, -1])
    with pytest.raises(ValueError, match="3 scores but 2 labels"):
        metrics.auroc([1.0, 2.0, 3.0], [0, 1])
    with pytest.raises(ValueError, match="real numbers"):
        metrics.auroc(["a", "b"], [0, 1])


def test_summary_says_why():
    result = metrics.evaluate_scores([1.0, 2.0], [0, 0])
    assert result["image_auroc"] is None and result["oracle"] is None
    assert result["reasons"]["image_ap"] == "there is no defective image"
