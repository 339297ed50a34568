"""Thresholds against their definitions, and the conformal guarantees by simulation."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from adjax import threshold
from adjax.types import UserError


def test_kinds_against_numpy(rng):
    scores = rng.normal(size=101).astype(np.float32)
    assert threshold.fit("max", scores).value == scores.max()
    assert threshold.fit("quantile", scores, q=0.9).value == np.sort(scores)[math.ceil(0.9 * 101) - 1]
    tail = threshold.fit("gaussian_tail", scores, p=0.0013498980316300957)
    np.testing.assert_allclose(tail.value, scores.mean() + 3 * scores.std(ddof=1), rtol=1e-6)


def test_is_plain_json(rng):
    fitted = threshold.fit("conformal", rng.normal(size=(30, 4, 5)), alpha=0.1)
    assert threshold.Threshold(**json.loads(json.dumps(fitted._asdict()))) == fitted
    assert fitted[2:] == (0.1, 30, "pixel")
    assert threshold.fit("max", [1.0, 2.0]) == ("max", 2.0, None, 2, "image")


@pytest.mark.parametrize(
    "n, alpha, place", [(19, 0.05, 19), (99, 0.01, 99), (100, 0.1, 91), (20, 0.5, 11), (9, 0.1, 9), (9, 0.3, 7)]
)
def test_conformal_image_is_the_order_statistic(n, alpha, place, rng):
    scores = rng.normal(size=n)
    assert threshold.fit("conformal", scores, alpha=alpha).value == np.sort(scores)[place - 1]


@pytest.mark.parametrize("alpha, needed", [(0.01, 99), (0.05, 19), (0.1, 9), (0.07, 14)])
def test_too_few_images_says_how_many(alpha, needed):
    threshold.fit("conformal", np.zeros(needed), alpha=alpha)
    with pytest.raises(UserError, match=f"at least {needed} held-out good images, there are {needed - 1}"):
        threshold.fit("conformal", np.zeros(needed - 1), alpha=alpha)
    with pytest.raises(UserError, match=f"at least {needed} "):
        threshold.fit("conformal", np.zeros((needed - 1, 2, 2)), alpha=alpha)


def test_the_alpha_it_proposes_works():
    for n in range(1, 40):
        with pytest.raises(UserError) as error:
            threshold.fit("conformal", np.zeros(n), alpha=1e-3)
        threshold.fit("conformal", np.zeros(n), alpha=float(str(error.value).split()[-1]))


def test_conformal_pixel_by_trying_every_score(rng):
    """The definition of risk control, with images of different sizes and many ties."""
    for _ in range(20):
        maps = [np.round(rng.normal(size=(rng.integers(1, 5), 6)), 1) for _ in range(12)]
        alpha = rng.choice([0.1, 0.25, 0.5])
        candidates = np.unique(np.concatenate([m.ravel() for m in maps]))
        risk = [(sum((m > t).mean() for m in maps) + 1) / 13 for t in candidates]
        expected = candidates[np.flatnonzero(np.array(risk) <= alpha + 1e-12)[0]]
        assert threshold.fit("conformal", maps, alpha=alpha).value == expected


def test_conformal_pixel_uses_all_it_is_allowed():
    """Three images of two sizes at alpha 1/2: the marked shares may sum to exactly 1."""
    maps = [np.array([[1.0, 4.0]]), np.array([[0.0, 1.0, 2.0, 3.0]]), np.array([[0.0, 1.0, 2.0, 5.0]])]
    assert threshold.fit("conformal", maps, alpha=0.5).value == 2.0


def test_one_pixel_per_image_equals_image(rng):
    scores = rng.normal(size=57).astype(np.float32)
    maps = [np.full((1 + i % 2, 3), s) for i, s in enumerate(scores)]
    assert threshold.fit("conformal", maps, alpha=0.1).value == threshold.fit("conformal", scores, alpha=0.1).value


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n, alpha", [(19, 0.05), (25, 0.1), (120, 0.01)])
def test_false_alarms_of_new_images(n, alpha, ties, rng):
    """With the truth known the false-alarm rate of each trial is exact, so that 2,000 trials are enough."""
    rates = []
    for _ in range(2000):
        scores = rng.uniform(size=n)
        scores = np.ceil(10 * scores) / 10 if ties else scores
        value = threshold.fit("conformal", scores, alpha=alpha).value
        rates.append(1 - value)  # P(uniform > value), and P(its grade > value)
    mean, error = np.mean(rates), np.std(rates) / math.sqrt(len(rates))
    assert mean <= alpha + 3 * error
    if not ties:
        exact = 1 - math.ceil((n + 1) * (1 - alpha) - 1e-9) / (n + 1)
        assert abs(mean - exact) < 4 * error


def test_marked_share_of_new_images(rng):
    """Images differ in level, so that pixels of one image are far from independent."""
    shares = []
    for _ in range(1500):
        level = rng.normal(size=(31, 1, 1))
        maps = level + 0.3 * rng.normal(size=(31, 4, 4))
        fitted = threshold.fit("conformal", maps[:30], alpha=0.1)
        shares.append(threshold.decide(fitted, maps[30]).mean())
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / math.sqrt(len(shares))
    assert np.mean(shares) > 0.04  # and not by marking nothing


def test_a_score_at_the_threshold_is_no_alarm():
    fitted = threshold.fit("max", [0.25, 0.5])
    np.testing.assert_array_equal(threshold.decide(fitted, np.array([0.5, 0.50001])), [False, True])
    assert threshold.decide(fitted, jnp.float32(0.75))


def test_errors():
    with pytest.raises(UserError, match="choose from max, quantile, gaussian_tail, conformal"):
        threshold.fit("median", [1.0])
    with pytest.raises(UserError, match="takes \\['alpha'\\], not \\['q'\\]"):
        threshold.fit("conformal", [1.0], q=0.1)
    with pytest.raises(UserError, match="between 0 and 1, not 5"):
        threshold.fit("conformal", [1.0], alpha=5)
    with pytest.raises(UserError, match="image 1 is not finite"):
        threshold.fit("max", [1.0, math.nan])
    with pytest.raises(UserError, match="there are none"):
        threshold.fit("max", [])
    with pytest.raises(UserError, match="at least 2"):
        threshold.fit("gaussian_tail", [1.0], p=0.1)
    with pytest.raises(ValueError, match="rank"):
        threshold.fit("max", np.zeros((2, 2, 2, 2)))


@pytest.fixture
def rng():
    return np.random.default_rng(0)
