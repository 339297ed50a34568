"""Every data set from its own layout to the report, by the recipe for one's own images."""

import csv
import json
import pathlib

import pytest

from adjax import data, run
from adjax.config import make_dataset
from adjax.data import fingerprint, prepare
from adjax.main import execute
from adjax.trained import Trained
from tests.data.trees import TREES
from tests.test_configs import CONFIGS, recipe

FOLDER = pathlib.Path(__file__).parent.parent / "configs/folder.py"
# Grey and colour are mixed in it.
NEEDS = {"aitex": {"channels": 1}}


def measure(name: str, categories, out, **needs) -> dict:
    root = out / "images"
    root.mkdir()
    TREES[name].make(root)
    config = recipe(FOLDER).get_config("test")
    config.data.update(dataset=name, root=str(root), category=",".join(categories), **NEEDS.get(name, {}), **needs)
    assert execute("train_eval", run.Job(out, config, {}, None, "test")) == 0
    return json.loads((out / "results.json").read_text())


@pytest.mark.budget(30)  # all of train_eval, compiled cold
def test_two_categories_make_one_model_reported_by_category(tmp_path):
    """In grey, so that the programs are those that the recipe for folders compiles."""
    results = measure("visa", ("candle", "pcb1"), tmp_path, channels=1)
    assert (results["dataset"], results["category"], results["n_test"]) == ("visa", "candle,pcb1", 4)
    assert list(results["per_category"]) == ["candle", "pcb1", "mean"]
    assert "By category" in (tmp_path / "report/index.html").read_text()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_takes_any_data_set_and_its_options(path, tmp_path):
    TREES["mvtec_ad2"].make(tmp_path)
    config = recipe(path).get_config()
    given = {"data.dataset": "mvtec_ad2", "data.root": str(tmp_path), "data.category": "can"}
    config.update_from_flattened_dict(given | {"data.options.mvtec_ad2.lighting": "shift_2"})
    splits = make_dataset(config).splits
    assert len(splits["validation"]) == 2 and [r.label for r in splits["test"]] == [0]


@pytest.mark.slow
@pytest.mark.budget(30)  # cold, the first of them compiles for all
@pytest.mark.parametrize("name", TREES)
def test_every_data_set_goes_through(name, tmp_path):
    results = measure(name, TREES[name].categories[:1], tmp_path)
    assert results["n_train"] and results["n_test"]
    assert set(results["au_spro"]) == ({"0.05", "0.3"} if name == "mvtec_loco" else set())
    if name == "real_iad":
        assert results["per_item"]["audiojack"]["n"] == 2
        assert "By item" in (tmp_path / "report/index.html").read_text()
    for metric, value in results["metrics"].items():
        assert (0 <= value <= 1) if value is not None else results["reasons"][metric]


@pytest.mark.slow
@pytest.mark.budget(30)
def test_shards_are_evaluated_to_the_same_digits(tmp_path, caplog):
    """A model trained on files meets the same data packed: equal scores, and no word about other data."""
    measure("visa", ("candle", "pcb1"), tmp_path, channels=1)
    before = (tmp_path / "scores.csv").read_text()
    prepare.prepare("visa", str(tmp_path / "images"), "candle,pcb1", {}, tmp_path / "shards", 1)
    caplog.clear()
    packed = {"data.dataset": "shards", "data.root": str(tmp_path / "shards")}
    assert execute("eval", run.Job(tmp_path, None, packed, None, "test")) == 0
    columns = lambda text: [(r["id"], r["score"], r["decision"]) for r in csv.DictReader(text.splitlines())]
    assert columns((tmp_path / "scores.csv").read_text()) == columns(before)
    assert "has changed" not in caplog.text and "is missing" not in caplog.text


def test_of_many_files_that_differ_only_the_first_are_named(tmp_path, caplog):
    TREES["folder"].make(tmp_path)
    dataset = data.load(dataset="folder", root=str(tmp_path / "mine"), seed=0, calibration=0, validation=0.2)
    saved = {name: fingerprint.fingerprint(records) for name, records in dataset.splits.items()}
    other = {name: {f"{i}.png": "1:0" for i in range(20)} if name == "test" else kept for name, kept in saved.items()}
    for meta, lines in ((saved, 0), (other, run.DIFFERENCES + 1)):
        caplog.clear()
        run._check_fingerprint(Trained(None, None, None, {}, {"fingerprint": meta}), dataset)
        assert len(caplog.records) == lines
    assert "test: and 14 more differ from the training run" in caplog.text
