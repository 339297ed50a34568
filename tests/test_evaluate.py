"""Labels meet scores: what is ignored enters no metric of pixels and no threshold on them. Axes: h height, w width."""

import numpy as np
import pytest

from adjax import evaluate, metrics, threshold
from adjax.data import DATASETS, headers
from adjax.predict import Scored
from tests.data.trees import TREES
from tests.folders import make


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Two good and two bad images; of the first of each the left quarter is ignored, where scores are nonsense."""
    root = make(tmp_path_factory.mktemp("images"))
    random, found, masks = np.random.default_rng(0), [], []
    for label, part in enumerate(("good", "square")):
        for i in range(2):
            record = headers.record(root / f"test/{part}/00{i}.png", root, label=label, defect=part, category="")
            mask = np.zeros((48, 48), bool)
            mask[10:20, 10:20] = label
            values = (random.normal(size=(48, 48)) + mask).astype(np.float32)
            ignore = np.zeros((48, 48), bool)
            ignore[:, :12] = True
            if i == 0:
                values[ignore] = 100.0
            found.append(Scored(record, float(values[:, 12:].max()), values, ignore if i == 0 else None))
            masks.append(mask)
    return found, masks


def test_ignored_pixels_enter_no_metric(scored):
    found, masks = scored
    cut = [slice(12 if s.ignore is not None else 0, None) for s in found]
    want = metrics.evaluate_maps([s.map[:, c] for s, c in zip(found, cut)], [m[:, c] for m, c in zip(masks, cut)])
    measured = evaluate.measure(found, masks).metrics
    for name in ("pixel_auroc", "pixel_ap", "pixel_f1max", "aupro", "aupro_05"):
        assert measured[name] == pytest.approx(want[name], abs=1e-12)
    unaware = evaluate.measure([s._replace(ignore=None) for s in found], masks).metrics
    assert unaware["pixel_ap"] < 0.8 * measured["pixel_ap"]


def test_masks_of_another_resolution(scored):
    """A map of half the size: ignored is whatever an ignored pixel of it flows into."""
    found, masks = scored
    half = [s._replace(map=s.map[::2, ::2], ignore=None if s.ignore is None else s.ignore[::2, ::2]) for s in found]
    ignore = [None if s.ignore is None else np.pad(s.ignore, ((0, 0), (0, 1)), mode="edge")[:, 1:] for s in found]
    ignore = [None if m is None else np.arange(48)[None] + np.zeros((48, 1)) < 13 for m in ignore]
    want = metrics.evaluate_maps([evaluate.resize(s.map, (48, 48)) for s in half], masks, ignore)
    assert evaluate.measure(half, masks).metrics["aupro"] == want["aupro"]


def test_a_threshold_on_pixels_is_fitted_on_those_that_count(scored):
    found, _ = scored
    good = [evaluate.counted(s) for s in found[:2]]
    assert [g.size for g in good] == [48 * 36, 48 * 48]
    for kind, settings in (("max", {}), ("quantile", {"q": 0.99}), ("conformal", {"alpha": 0.4})):
        fitted = threshold.fit(kind, good, **settings)
        assert fitted.value < 10 and fitted.applies == "pixel"


def test_each_category_counts_by_itself(scored):
    """Far apart in level, two categories are easy each and impossible together."""
    found, masks = scored
    assert evaluate.per_category(found, masks) == {}
    other = [s._replace(record=s.record._replace(category="b"), score=s.score + 1000, map=s.map + 1000) for s in found]
    table = evaluate.per_category([*found, *other], [*masks, *masks])
    assert list(table) == ["", "b", "mean"] and [row["n"] for row in table.values()] == [4, 4, 8]
    for name, alone in (("", found), ("b", other)):
        want = evaluate.measure(alone, masks).metrics
        assert {metric: table[name][metric] for metric in want} == want
    assert table["mean"]["pixel_ap"] == pytest.approx((table[""]["pixel_ap"] + table["b"]["pixel_ap"]) / 2)
    assert evaluate.measure([*found, *other], [*masks, *masks]).metrics["pixel_ap"] < 0.8 * table["mean"]["pixel_ap"]
    assert evaluate.per_category([*found, *other], None)["mean"]["pixel_ap"] is None


def test_an_item_counts_by_the_worst_of_its_images(scored):
    """Two views of a defective item, of which the good-looking one ranks higher; two of a good one; one of another."""
    found = [
        scored[0][0]._replace(score=score, record=scored[0][0].record._replace(id=name, label=label, meta=meta))
        for name, score, label, meta in (
            ("a0", 0.7, 0, {"group": "a"}),
            ("a1", 0.2, 1, {"group": "a"}),
            ("b0", 0.1, 0, {"group": "b"}),
            ("b1", 0.9, 0, {"group": "b"}),
            ("c", 0.5, 0, {}),
        )
    ]
    assert evaluate.per_item(found)[""] | {"image_f1max": 0} == {
        "n": 3,
        "image_auroc": 0.5,  # above c, below b
        "image_ap": 0.5,
        "image_f1max": 0,
    }
    assert evaluate.per_item(found[1:3]) == {}


def test_half_a_region_is_enough_where_it_saturates(tmp_path):
    """The curve is a line from what is found without a false alarm to (1, 1)."""
    TREES["mvtec_loco"].make(tmp_path)
    test = DATASETS["mvtec_loco"](root=str(tmp_path), category="breakfast_box").test
    found = []
    for record in test:
        values = np.zeros((40, 48), np.float32)
        values[8:20, 10:20] = record.label  # half of the square
        if record.id.endswith("logical_anomalies/000.png"):
            values[30:40, 0:5] = 1  # half of its second region
        found.append(Scored(record, float(record.label), values, None))
    table = evaluate.saturated(found)
    for limit in (0.05, 0.3):
        line = lambda start, limit=limit: start + (1 - start) * limit / 2
        assert table[str(limit)]["structural_anomalies"] == pytest.approx(line(1 / 2))
        assert table[str(limit)]["logical_anomalies"] == pytest.approx(line((1 + 1 + 1 / 2) / 3))
    assert evaluate.saturated([s._replace(map=None) for s in found]) == {}
