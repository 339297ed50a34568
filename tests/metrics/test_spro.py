"""sPRO against the definition written plainly, and against AUPRO where both are the same."""

import numpy as np
import pytest

from adjax import metrics
from adjax.metrics import Region
from tests.metrics.plain import area


def plain_spro(maps, regions, limit):
    """min(|marked ∩ C| / A, 1), one threshold after the other."""
    free = [~np.any([r.mask for r in of_image], axis=0) if of_image else np.ones(m.shape, bool)
            for m, of_image in zip(maps, regions)]  # fmt: skip
    points = [(0.0, 0.0)]
    for t in sorted({s for m in maps for s in m.ravel().tolist()}, reverse=True):
        fpr = sum(((m >= t) & f).sum() for m, f in zip(maps, free)) / sum(f.sum() for f in free)
        found = []
        for m, of_image in zip(maps, regions):
            for r in of_image:
                pixels = int(r.mask.sum())
                a = int(r.threshold * pixels) if r.relative else min(int(r.threshold), pixels)
                found.append(min(((m >= t) & r.mask).sum() / max(a, 1), 1.0))
        points.append((float(fpr), float(np.mean(found))))
    return area(points, limit)


@pytest.fixture
def loco(rng):
    """Overlapping, disconnected, tiny and saturating regions; one good image."""
    maps = [np.round(rng.normal(size=shape), 1) for shape in ((8, 9), (7, 7), (6, 10), (9, 5))]
    masks = [[rng.uniform(size=m.shape) < 0.3 for _ in range(2)] for m in maps]
    rules = [(0.5, True), (4.0, False), (1.0, True), (1e-3, True), (1000.0, False), (0.25, True)]
    regions = [[Region(g, *rules[2 * i + j]) for j, g in enumerate(pair)] for i, pair in enumerate(masks[:3])]
    return maps, [*regions, ()]


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_equals_the_definition(loco, limit):
    assert metrics.spro(*loco, limit) == pytest.approx(plain_spro(*loco, limit), abs=1e-13)


def test_without_saturation_it_is_aupro(rng):
    maps = rng.normal(size=(3, 8, 8)).astype(np.float32)
    masks = np.zeros(maps.shape, bool)
    masks[0, 1:4, 2:5] = masks[1, 5:8, 0:3] = True
    regions = [[Region(g)] if g.any() else () for g in masks]
    assert metrics.spro(maps, regions, 0.3) == pytest.approx(metrics.aupro(maps, masks, 0.3), abs=1e-14)


def test_a_saturated_region_is_found_by_its_part():
    """Half of the mask is marked before any good pixel; that is all that saturation at a half asks for."""
    mask = np.zeros((4, 4), bool)
    mask[:, :2] = True
    scores = np.array([[3, 0, 1, 1]] * 4, float)
    assert metrics.spro([scores], [[Region(mask, 0.5)]], 1.0) == pytest.approx(1, abs=1e-14)
    assert metrics.spro([scores], [[Region(mask, 4, relative=False)]], 1.0) == pytest.approx(1, abs=1e-14)
    assert metrics.spro([scores], [[Region(mask)]], 1.0) == pytest.approx(0.5, abs=1e-14)


def test_logical_and_structural_each_with_the_good_images(loco):
    maps, regions = loco
    types = ["logical_anomalies", "structural_anomalies", "logical_anomalies", "good"]
    result = metrics.spro_loco(maps, regions, types, 0.3)
    logical = plain_spro([maps[i] for i in (0, 2, 3)], [regions[i] for i in (0, 2, 3)], 0.3)
    structural = plain_spro([maps[i] for i in (1, 3)], [regions[i] for i in (1, 3)], 0.3)
    assert result["logical_anomalies"] == pytest.approx(logical, abs=1e-13)
    assert result["structural_anomalies"] == pytest.approx(structural, abs=1e-13)
    assert result["mean"] == pytest.approx((logical + structural) / 2, abs=1e-13)


def test_ignored_pixels_lower_the_area(loco, rng):
    maps, regions = loco
    ignore = [rng.uniform(size=m.shape) < 0.3 for m in maps]
    seen = [[Region(r.mask & ~o, *r[1:]) for r in of_image] for of_image, o in zip(regions, ignore)]
    curve = metrics.spro_curve(maps, regions, ignore)
    free = [~o & ~np.any([np.zeros(o.shape, bool), *[r.mask for r in of_image]], axis=0)
            for of_image, o in zip(regions, ignore)]  # fmt: skip
    for x, y, t in list(zip(*curve))[:20]:
        assert x == pytest.approx(sum((m[f] >= t).sum() for m, f in zip(maps, free)) / sum(f.sum() for f in free))
        shares = [min(((m >= t) & r.mask).sum() / r.saturation(int(r.mask.sum())), 1)
                  for m, of_image in zip(maps, seen) for r in of_image]  # fmt: skip
        assert y == pytest.approx(np.mean(shares))


def test_undefined_and_wrong(loco):
    maps, regions = loco
    with pytest.raises(metrics.Undefined, match="no defective pixel"):
        metrics.spro(maps, [(), (), (), ()])
    with pytest.raises(metrics.Undefined, match="no defective image"):
        metrics.spro_loco(maps, regions, ["good"] * 4)
    with pytest.raises(ValueError, match="4 maps but regions of 1 images"):
        metrics.spro(maps, regions[:1])
    with pytest.raises(ValueError, match="a region has shape"):
        metrics.spro(maps, [regions[1], regions[0], *regions[2:]])
