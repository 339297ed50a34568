"""Numbers, verdicts and promises as words; the thinning of curves."""

import numpy as np
import pytest

from adjax.report import figures, wording


@pytest.mark.parametrize(
    "value, text",
    [(0.5, "0.500"), (1.0, "1.000"), (0.0, "0.000"), (0.9996, "0.9996"), (0.00002, "0.00002"), (None, "–")],
)
def test_an_imperfect_metric_never_looks_perfect(value, text):
    assert wording.metric(value) == text


def test_amounts():
    texts = [wording.amount(value) for value in (0.123456, 1834.2, 123456.0, 1e12, -2.5e-7, None)]
    assert texts == ["0.1235", "1834", "123,456", "1e+12", "-2.5e-07", "–"]


def test_verdicts():
    own = {"image_auroc": 0.9, "aupro": 0.8, "pixel_ap": None}
    low, high = {"image_auroc": 0.5, "aupro": 0.5, "pixel_ap": 0.9}, {"image_auroc": 0.9, "aupro": None}
    assert wording.verdict(own, {"low": low}) == ("good", "Better than every baseline on all 2 metrics.")
    tone, words = wording.verdict(own, {"low": low, "high": high})
    assert tone == "mixed" and words.endswith("on 1 of 2 metrics, but not on Image AUROC (0.900; high 0.900).")
    assert wording.verdict({"image_auroc": 0.4}, {"low": low})[0] == "bad"
    assert wording.verdict(own, {})[0] == "plain"


def test_promises_say_what_is_guaranteed_and_what_is_not():
    def say(pixel=False, **threshold):
        return wording.promise({"value": 0.5} | threshold, pixel=pixel)

    assert "at most 5 % of good images like these are wrongly called" in say(kind="conformal", alpha=0.05, n=19)
    assert "18 are too few to promise alpha = 0.05, which takes 19" in say(kind="conformal", alpha=0.05, n=18)
    assert "1 % of the pixels of good images" in say(kind="conformal", alpha=0.01, n=200, pixel=True)
    assert "without a guarantee" in say(kind="quantile", alpha=0.01, n=20)
    assert "normally distributed" in say(kind="gaussian_tail", alpha=0.01, n=20)
    assert "at most 1 in 20 good images like these exceeds" in say(kind="max", parameter=None, n=19)
    assert "(alpha = 0.05) set on 19" in say(kind="conformal", parameter=0.05, n=19)
    assert "(q = 0.95)" in say(kind="quantile", parameter=0.95, n=9) and "about 5 %" in say(
        kind="quantile", parameter=0.95
    )
    assert "no rate of good images above it is promised" in say(kind="fixed", alpha=0.1, n=1)
    assert "no rate" in say(kind="conformal")


def test_pooling_rules():
    assert wording.pooling("top:0.0005") == "mean of the highest 0.05 % of its map"
    assert [wording.pooling(rule) for rule in ("max", "other")] == ["maximum of its map", "other"]


def test_thin_curves_are_the_curve():
    x = np.linspace(0, 1, 100_000)
    y = x**0.05  # almost all of its rise lies in the first few points
    thin_x, thin_y = figures.thin(x, y)
    assert len(thin_x) <= figures.POINTS + 2 and (thin_x[0], thin_x[-1]) == (0, 1)
    np.testing.assert_allclose(thin_y, thin_x**0.05, rtol=1e-12)
    np.testing.assert_allclose(np.trapezoid(thin_y, thin_x), np.trapezoid(y, x), atol=1e-3)
    short = figures.average(np.stack([np.arange(1e5), np.arange(1e5)], axis=1))
    assert len(short) <= figures.POINTS and short.mean() == pytest.approx((1e5 - 1) / 2)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0], [1e-3, 1, 1, 2, 1e5], [-1.0, 5.0], [0.0]])
def test_bins_hold_every_score(values):
    values = np.array(values)
    edges, _ = figures.bin_edges(values)
    assert (np.diff(edges) > 0).all() and np.histogram(values, edges)[0].sum() == len(values)
