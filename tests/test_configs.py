"""Every recipe runs in `:test` mode, from data to report, and says how to start it."""

import importlib.util
import json
import pathlib

import folders
import pytest

from adjax import config as cfg
from adjax import run
from adjax.types import Info

CONFIGS = sorted(pathlib.Path(__file__).parent.parent.glob("configs/*.py"))
# Other settings or images of what another recipe runs.
SIBLINGS = ("filaments", "elpv_poly", "crackforest_patches", "kolektor_sdd")
SIBLINGS += ("vae_attention", "vae_projected", "ae_kde", "ddad", "repaint", "diffusion_ad")
# Another method on the same way from data to report; the matrix runs the method.
SIBLINGS += ("memae", "stain_ae", "filtering_ae", "riad", "stfpm", "reverse_distillation", "mahalanobis", "reconpatch")
SIBLINGS += ("similarity", "self_similarity", "spade", "colour_forest", "local_median", "vae", "inpainting")
SIBLINGS += ("uninformed_students", "anoddpm", "padim", "anomaly_dino")
OUTPUTS = ("config.json", "results.json", "scores.csv", "log.txt", "report/index.html")


def recipe(path: pathlib.Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_siblings(paths: list[pathlib.Path]):
    slow = lambda path: [pytest.mark.slow] if path.stem in SIBLINGS else []
    return [pytest.param(path, id=path.stem, marks=slow(path)) for path in paths]


@pytest.mark.parametrize("path", with_siblings(CONFIGS))
@pytest.mark.budget(45)  # cold, the filament renderer alone takes half of it to compile
def test_recipe_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("ADJAX_CACHE", str(tmp_path / "cache"))
    config = recipe(path).get_config("test")
    if config.data.dataset == "folder":
        config.data.root = str(folders.make(tmp_path / "images"))
    if path.stem != "folder":
        config.baselines = ()  # they are the same in all recipes, and compile as long as some methods
    from adjax.main import execute

    job = run.Job(tmp_path / "out", config, {}, None, "test")
    assert execute("train_eval", job) == 0
    assert all((tmp_path / "out" / name).is_file() for name in OUTPUTS)
    results = json.loads((tmp_path / "out/results.json").read_text())
    for name, value in results["metrics"].items():
        assert (0 <= value <= 1) if value is not None else results["reasons"][name]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_recipe_names_what_its_method_takes(path):
    """Not shrunk: settings and phases are the method's."""
    config = recipe(path).get_config()
    counts = {"train": 100, "calibration": 100}
    info = Info(counts, cfg.steps(config, counts), config.fit.batch_size)
    assert set(info.steps) == set(cfg.make_method(config, info, restored=True).phases)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_recipe_is_short_and_names_its_command(path):
    module, text = recipe(path), path.read_text()
    assert f"--config=configs/{path.name}" in module.__doc__
    assert text.count("\n") <= 40
