"""The views against a plain reading of their definitions, and cases worked out by hand."""

import numpy as np
import pytest

from adjax import metrics, views
from adjax.data.details import Instance
from adjax.views import Known, measure_views, zones
from tests.metrics.plain import aupro

KINDS = (("blob", "foreign"), ("bent", "deformation"), ("film", "foreign"))


def instance(number, kind=0, **fields):
    name, family = KINDS[kind]
    unknown = dict.fromkeys(("severity", "area", "box", "crossing_distance", "on_crossing"))
    return Instance(number, name, family, **(unknown | fields))


@pytest.fixture
def scene():
    """Five images with ties: one good; instances that touch; one without a zone map."""
    rng = np.random.default_rng(5)
    maps, masks, known, labels = [], [], [], []
    for i, shape in enumerate(((14, 17), (20, 12), (16, 16), (11, 19), (15, 15))):
        label = np.zeros(shape, np.uint8)
        if i:
            label[2:5, 1:9], label[5:9, 4:6] = 1, 2
            label[rng.uniform(size=shape) < 0.05] = 2
        mask = label > 0
        count = rng.choice([0, 1, 2, 3, 5], size=shape, p=[0.9, 0.04, 0.03, 0.02, 0.01]).astype(np.uint8)
        places = np.stack([rng.uniform(0, n, 6) for n in shape[::-1]] + [np.array([5, 20, 40, 70, 89, 15.0])], axis=1)
        of = [instance(n, (i + n) % 3, severity=n / 3, area=90 * n, crossing_distance=4.0 * i) for n in (1, 2) if i]
        maps.append(np.round(rng.normal(size=shape) + mask, 1).astype(np.float32))
        masks.append(mask)
        labels.append(label)
        known.append(Known(tuple(of), label[mask] if i else None, None if i == 3 else zones(count, places)))
    return maps, masks, known, labels


def plain_ap(defect, normal):
    """Σ (R_k - R_{k-1}) P_k, one threshold after the other."""
    total = last = 0.0
    for t in sorted({*defect.tolist(), *normal.tolist()}, reverse=True):
        recall = np.mean(defect >= t)
        total += (recall - last) * np.sum(defect >= t) / (np.sum(defect >= t) + np.sum(normal >= t))
        last = recall
    return total


@pytest.mark.parametrize("by", ["family", "type", "severity", "size", "crossing_distance"])
def test_groups_equal_the_definition(scene, by):
    """All pixels of other groups ignored, every metric from its definition."""
    maps, masks, known, labels = scene
    found = measure_views(*scene[:3])["groups"][by]
    names = {views.GROUPINGS[by](i)[1] for k in known for i in k.instances}
    assert set(found) == names
    normal = np.concatenate([m[~g] for m, g in zip(maps, masks)])
    for name in names:
        own = []
        for label, k in zip(labels, known):
            numbers = [i.number for i in k.instances if views.GROUPINGS[by](i)[1] == name]
            own.append(np.isin(label, numbers) & (label > 0))
        ignore = [g & ~o for g, o in zip(masks, own)]
        defect = np.concatenate([m[o] for m, o in zip(maps, own)])
        assert found[name]["pixels"] == len(defect)
        assert found[name]["images"] == sum(o.any() for o in own)
        assert found[name]["pixel_ap"] == pytest.approx(plain_ap(defect, normal), abs=1e-12)
        assert found[name]["aupro"] == pytest.approx(aupro(maps, own, 0.3, ignore), abs=1e-12)
        for key, lowest in (("auroc_filaments", 1), ("auroc_crossings", 2)):
            zoned = [(m, g, k.zone % 5) for m, g, k in zip(maps, masks, known) if k.zone is not None]
            some = np.concatenate([m[~g & (z >= lowest)] for m, g, z in zoned])
            beaten = np.mean([np.mean(v > some) + np.mean(v == some) / 2 for v in defect])
            assert found[name][key] == pytest.approx(beaten, abs=1e-12)


def test_false_alarms_equal_a_walk_over_all_pixels(scene):
    maps, masks, known, labels = scene
    found = measure_views(*scene[:3])["places"]
    defect = np.concatenate([m[g] for m, g in zip(maps, masks)])
    peaks = [m[label == n].max() for m, label in zip(maps, labels) for n in (1, 2) if (label == n).any()]
    for unit, scores in (("pixels", defect), ("instances", np.array(peaks))):
        level = max(t for t in scores if np.mean(scores >= t) >= 0.8)
        assert found["thresholds"][unit] == level
        hits, total = {}, {}
        for m, g, k in zip(maps, masks, known):
            for y, x in np.ndindex(m.shape):
                if k.zone is None or g[y, x]:
                    continue
                n, angle = k.zone[y, x] % 5, k.zone[y, x] // 5
                names = [("pores", "filaments", "crossings", "crossings", "crossings")[n]]
                names += [("", "", "crossings of 2", "crossings of 3", "crossings of 4 or more")[n]]
                degrees = ("", "below 15°", "15 to 30°", "30 to 60°", "60° and above")[angle]
                names += [f"crossings {degrees}" if degrees else ""]
                for name in filter(None, names):
                    total[name] = total.get(name, 0) + 1
                    hits[name] = hits.get(name, 0) + (m[y, x] >= level)
        assert set(found["false_alarms"]) == set(total)
        for name, values in found["false_alarms"].items():
            assert values[unit] == pytest.approx(hits[name] / total[name], abs=1e-12)
    shares = found["false_alarms"]
    assert sum(shares[k]["share"] for k in ("pores", "filaments", "crossings")) == pytest.approx(1)


def test_one_group_alone_is_the_ordinary_metric(scene):
    """Of one type, with no other defects about, the view is `evaluate_maps` itself."""
    maps, masks, known, _ = scene
    known = [k._replace(instances=tuple(i._replace(type="blob") for i in k.instances)) for k in known]
    found = measure_views(maps, masks, known)["groups"]["type"]["blob"]
    whole = metrics.evaluate_maps(maps, masks)
    for name in ("pixel_ap", "aupro", "pixel_auroc"):
        assert found[name] == pytest.approx(whole[name], abs=1e-13)


def test_hand_made():
    """One row: normal 1 2 3 4 5 6 7 8, blob 9, film 0. The blob is perfect, the film as bad as can be."""
    scores = np.arange(10, dtype=np.float32)[None]
    mask = np.zeros((1, 10), bool)
    mask[0, [0, 9]] = True
    of = (instance(1, 0, severity=0.2, area=1), instance(2, 2, severity=0.9, area=1))
    known = [Known(of, np.array([2, 1], np.uint8), np.array([[0, 0, 0, 0, 0, 0, 1, 2, 2, 0]], np.uint8))]
    found = measure_views([scores], [mask], known)
    blob, film = found["groups"]["type"]["blob"], found["groups"]["type"]["film"]
    assert (blob["pixel_ap"], blob["aupro"], blob["pixel_auroc"]) == (1, 1, 1)
    assert (film["pixel_ap"], film["aupro"], film["pixel_auroc"]) == (pytest.approx(1 / 9), 0, 0)
    assert film["prevalence"] == pytest.approx(1 / 9)
    assert found["groups"]["severity"].keys() == {"below 0.33", "0.67 and above"}
    assert found["groups"]["size"] == {"below 100 px": found["groups"]["family"]["foreign"]}
    assert "crossing_distance" not in found["groups"]  # nobody knows it
    assert found["places"]["thresholds"] == {"pixels": 0.0, "instances": 0.0}  # 80 % of two is both
    assert found["places"]["false_alarms"]["crossings"] == {"share": 0.25, "pixels": 1.0, "instances": 1.0}
    assert "crossings of 3" not in found["places"]["false_alarms"]


def test_four_of_five_are_eighty_percent():
    scores = np.array([[9.0, 8, 7, 6, 1, 6, 5, 2, 2, 0]], np.float32)
    mask = np.arange(10)[None] < 5
    of = tuple(instance(n) for n in range(1, 6))
    known = [Known(of, np.arange(1, 6, dtype=np.uint8), np.array([[0] * 5 + [2, 2, 2, 0, 0]], np.uint8))]
    found = measure_views([scores], [mask], known)["places"]
    assert found["thresholds"] == {"pixels": 6.0, "instances": 6.0}  # a tie with a normal pixel counts as marked
    assert found["false_alarms"]["crossings"]["pixels"] == pytest.approx(1 / 3)
    assert found["false_alarms"]["pores"]["pixels"] == 0


def test_without_a_label_map_only_a_group_with_the_whole_mask_counts():
    scores, mask = np.arange(9, dtype=np.float32)[None], np.arange(9)[None] > 6
    two = (instance(1, 0, severity=0.1), instance(2, 2, severity=0.9))
    found = measure_views([scores], [mask], [Known(two, None, None)])
    assert found == {"groups": {"family": found["groups"]["family"]}, "places": None}
    assert found["groups"]["family"]["foreign"]["instances"] == 2


def test_nothing_known_gives_nothing():
    scores, mask = np.arange(9, dtype=np.float32)[None], np.arange(9)[None] > 6
    assert measure_views([scores], [mask], [Known((), None, None)]) is None
    assert measure_views([scores], [mask | True], [Known((instance(1),), None, None)]) is None


def test_zones_are_dilated_counts_with_the_angle_of_the_nearest_crossing():
    count = np.zeros((40, 60), np.uint8)
    count[20] = 1
    count[20, 10], count[20, 50] = 2, 7
    found = zones(count, np.array([[10.0, 20, 29], [50.0, 20, 60]]))
    assert found[20, 30] == 1 and found[22, 30] == 1 and found[23, 30] == 0
    assert found[18, 12] == 2 + 5 * 2 and found[18, 13] == 1 and found[22, 48] == 4 + 5 * 4
    assert zones(count, np.array([[10.0, 20 + 30, 29]]))[20, 10] == 2  # too far away to be this one's angle
    assert zones(count, np.empty((0, 3)))[20, 50] == 4
