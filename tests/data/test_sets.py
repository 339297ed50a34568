"""Every data set's miniature becomes the records it should: ids, labels, splits, masks, and its own quirks."""

from collections import Counter

import numpy as np
import pytest

from adjax import data
from adjax.data import DATASETS, mvtec_loco
from adjax.data.masks import read_mask
from adjax.metrics.spro import spro_loco
from adjax.types import UserError
from tests.data.trees import SHAPE, SQUARE, TREES


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """{data set: the root of its miniature}"""
    made = {}
    for name, tree in TREES.items():
        made[name] = tmp_path_factory.mktemp("trees") / name
        made[name].mkdir()
        tree.make(made[name])
    return made


def source(name, root, category=None, **options):
    return DATASETS[name](
        root=str(root), category=TREES[name].categories[0] if category is None else category, **options
    )


def load(name, root, category=None, **options):
    fields = {"seed": 0, "calibration": 0.2, "validation": 0.2, "channels": 1 if name == "aitex" else None} | options
    category = TREES[name].categories[0] if category is None else category
    return data.load(dataset=name, root=str(root), category=category, **fields)


def test_every_data_set_has_a_miniature():
    assert set(TREES) == set(DATASETS) - {"filaments", "shards"}  # rendered; packed from any other


@pytest.mark.parametrize("name", TREES)
def test_counts_labels_and_ids(name, roots):
    found = source(name, roots[name])
    counts = Counter({"learn": len(found.learn)}) + Counter(r.defect for r in found.test)
    if found.validation is not None:
        counts["validation"] = len(found.validation)
    assert counts == TREES[name].counts
    every = [*found.learn, *found.test, *(found.validation or ())]
    assert len({r.id for r in every}) == len(every)
    assert all(r.path == str(roots[name] / r.id) for r in every)
    assert all(r.label == (r.defect != "good") for r in every)
    assert {r.label for r in found.learn} == {0}
    assert {r.category for r in every} == {TREES[name].categories[0]}


@pytest.mark.parametrize("name", [name for name in TREES if name != "elpv"])
def test_every_defect_is_where_it_was_planted(name, roots):
    for r in source(name, roots[name]).test:
        marked = read_mask(r)
        assert marked.shape == r.shape[:2]
        assert marked[SQUARE].all() if r.label else not marked.any()


@pytest.mark.parametrize("name", TREES)
def test_splits_never_overlap(name, roots):
    splits = load(name, roots[name]).splits
    ids = [r.id for part in ("train", "calibration", "validation") for r in splits[part]]
    assert all(splits[part] for part in ("train", "calibration", "validation"))
    assert len({*ids, *(r.id for r in splits["test"])}) == len(ids) + len(splits["test"])
    assert splits["test"] == load(name, roots[name], seed=1).splits["test"]


@pytest.mark.parametrize("name", TREES)
def test_an_unknown_category_comes_with_the_choices(name, roots):
    if name == "folder":
        return  # any folder may be one: what is said of them is tested there
    with pytest.raises(UserError, match=f"unknown data.category 'zebra' of data set '{name}'; choose from ") as caught:
        source(name, roots[name], "zebra")
    assert all(category in str(caught.value) for category in TREES[name].categories)


@pytest.mark.parametrize("name", [name for name in TREES if name not in ("folder", "elpv")])
def test_a_wrong_level_names_the_one_that_works(name, roots, tmp_path):
    root = roots[name]
    (tmp_path / "unzipped").mkdir()
    (tmp_path / "unzipped/once").symlink_to(root, target_is_directory=True)
    with pytest.raises(UserError, match=f"too high for data set '{name}': use data.root={tmp_path}/unzipped/once$"):
        source(name, tmp_path)
    low = next(p for p in sorted(root.iterdir()) if p.is_dir())
    with pytest.raises(UserError, match=f"too low for data set '{name}': use data.root={root}( |$)"):
        source(name, low)
    with pytest.raises(UserError, match="needs data.root"):
        DATASETS[name](root=None, category="")
    (tmp_path / "other/things").mkdir(parents=True)
    with pytest.raises(UserError, match=f"is not data set '{name}': it has no .*, only things"):
        source(name, tmp_path / "other")


def test_a_category_given_for_the_root_is_named(roots):
    with pytest.raises(UserError, match=f"use data.root={roots['mvtec_ad']} data.category=bottle$"):
        source("mvtec_ad", roots["mvtec_ad"] / "bottle")


@pytest.mark.parametrize("name", ["mvtec_ad", "visa", "btad", "dagm", "elpv", "folder"])
def test_categories_in_one_run_have_what_they_would_have_alone(name, roots):
    categories = TREES[name].categories
    channels = 3 if name == "mvtec_ad" else None
    both = load(name, roots[name], ",".join(categories), channels=channels)
    assert both.category == ",".join(categories)
    assert both == load(name, roots[name], categories, channels=channels)
    for split, records in both.splits.items():
        alone = [r for c in categories for r in load(name, roots[name], c, channels=channels).splits[split]]
        assert list(records) == alone


def test_grey_and_colour_together_ask_for_channels(roots):
    with pytest.raises(UserError, match="state data.channels=1 or data.channels=3"):
        load("mvtec_ad", roots["mvtec_ad"], "bottle, grid")


def test_lighting_is_known_and_can_be_chosen(roots):
    found = source("mvtec_ad2", roots["mvtec_ad2"])
    assert Counter(r.meta["lighting"] for r in found.test)["regular"] == 2
    assert not any("private" in r.id or "ground_truth" in r.id for r in (*found.test, *found.learn))
    assert {r.meta["lighting"] for r in (*found.learn, *found.validation)} == {"regular"}
    only = source("mvtec_ad2", roots["mvtec_ad2"], lighting="shift_1")
    assert [r.id for r in only.test] == ["can/test_public/good/000_shift_1.png"]
    with pytest.raises(UserError, match="unknown data.options.mvtec_ad2.lighting 'dim' .*choose from regular, over"):
        source("mvtec_ad2", roots["mvtec_ad2"], lighting="dim")


def test_regions_carry_their_saturation(roots):
    test = source("mvtec_loco", roots["mvtec_loco"]).test
    first, second = mvtec_loco.regions(next(r for r in test if r.id.endswith("logical_anomalies/000.png")))
    assert (first.mask.sum(), first.saturation(240)) == (240, 50)
    assert (second.mask.sum(), second.saturation(100)) == (100, 50)
    assert mvtec_loco.regions(test[0]) == ()
    maps = [read_mask(r).astype(np.float32) for r in test]
    scores = spro_loco(maps, [mvtec_loco.regions(r) for r in test], [r.defect for r in test])
    assert scores == {"logical_anomalies": 1, "structural_anomalies": 1, "mean": 1}


def test_a_value_that_nothing_explains_is_named(roots):
    bad = next(r for r in source("mvtec_loco", roots["mvtec_loco"]).test if r.label)
    with pytest.raises(UserError, match="has the value 255, which"):
        mvtec_loco.regions(bad._replace(meta={"saturation": ()}))


def test_views_of_a_sample_stay_together(roots):
    splits = load("real_iad", roots["real_iad"], calibration=0).splits
    groups = [{r.meta["group"] for r in splits[part]} for part in ("train", "validation")]
    assert len(splits["train"]) == 15 and len(splits["validation"]) == 5 and not groups[0] & groups[1]
    bad = [r for r in source("real_iad", roots["real_iad"]).test if r.meta["anomaly_class"] == "AK"]
    assert [r.label for r in bad] == [1, 1, 0, 0, 0]


def test_noise_among_the_good_is_for_its_protocol_alone(roots, tmp_path):
    noisy = source("real_iad", roots["real_iad"], protocol="realiad_jsons_fuiad_0.1")
    assert [(r.label, r.defect, r.meta["anomaly_class"]) for r in noisy.learn[-2:]] == [(0, "good", "AK")] * 2
    for name, value, choices in (("resolution", "2048", "1024"), ("protocol", "sv", "realiad_jsons, realiad_jsons_f")):
        with pytest.raises(UserError, match=f"real_iad.{name} '{value}' .*choose from {choices}"):
            source("real_iad", roots["real_iad"], **{name: value})


def test_the_reorganised_tree_of_visa_is_read_as_a_folder(tmp_path):
    TREES["mvtec_ad"].make(tmp_path / "visa_pytorch")
    for given in (tmp_path, tmp_path / "visa_pytorch"):
        with pytest.raises(UserError, match=f"use data.dataset=folder data.root={tmp_path}/visa_pytorch$"):
            source("visa", given)


def test_the_reorganised_tree_inside_the_raw_one_does_not_matter(tmp_path):
    TREES["visa"].make(tmp_path)
    TREES["mvtec_ad"].make(tmp_path / "visa_pytorch")
    assert len(source("visa", tmp_path).learn) == 6


def test_items_are_either_learned_from_or_tested(roots):
    found = source("kolektor_sdd", roots["kolektor_sdd"])
    assert not {r.meta["group"] for r in found.learn} & {r.meta["group"] for r in found.test}
    tiles = source("magnetic_tile", roots["magnetic_tile"])
    assert not {r.meta["group"] for r in tiles.learn} & {r.meta["group"] for r in tiles.test if not r.label}


def test_soft_borders_and_second_masks(roots):
    soft = next(r for r in source("magnetic_tile", roots["magnetic_tile"]).test if r.label)
    want = np.zeros(SHAPE, bool)
    want[8:24, 10:30] = True
    np.testing.assert_array_equal(read_mask(soft), want)
    double = next(r for r in source("aitex", roots["aitex"]).test if r.defect == "019")
    assert len(double.masks) == 2 and read_mask(double)[:8, 60:70].all()


def test_a_normal_image_can_be_held_out(roots):
    found = source("nanotwice", roots["nanotwice"], held_out=1)
    assert (len(found.learn), sum(r.label == 0 for r in found.test)) == (4, 1)
