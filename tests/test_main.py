"""The command from end to end: outputs, exact evaluation from the checkpoint, prediction, bad input of all kinds."""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import weakref

import folders
import numpy as np
import pytest

from adjax import parallel, run
from adjax.config import base, finish
from adjax.main import FAILED, UNREADABLE, execute
from adjax.report.maps import read_map
from adjax.trained import restore
from adjax.types import UserError

REPO = pathlib.Path(__file__).parent.parent
COMPILED = REPO / ".cache/xla"


def settings(root, **data):
    config = base()
    config.method = {"name": "conv_ae", "latent": 16, "width": 0.25, "loss": "l2", "score": ""}
    config.data.update(dataset="folder", root=str(root), validation=0.4, tile=32, stride=16, **data)
    config.threshold.image = "max"
    config.fit = {"steps": {"train": 6}, "batch_size": 4, "log_every": 2, "save_every": 3}
    return finish(config, None)


def job(out, config=None, overrides=None, images=None):
    return run.Job(pathlib.Path(out), config, overrides or {}, images and str(images), "test")


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("main")
    root = folders.make(folder / "images")
    assert execute("train_eval", job(folder / "out", settings(root))) == 0
    return root, folder / "out"


@pytest.fixture
def images(tmp_path):
    return folders.make(tmp_path / "images")


def test_outputs_have_their_fixed_names_and_fields(trained):
    _, out = trained
    results = json.loads((out / "results.json").read_text())
    assert {"dataset", "category", "method", "seed", "image_size", "n_train", "n_test", "metrics", "per_defect"} <= set(
        results
    )
    assert {"baselines", "threshold", "timing", "versions", "command"} <= set(results)
    assert set(results["timing"]) >= {"fit_s", "score_images_per_s", "compile_s", "peak_memory_mb"}
    assert set(results["baselines"]) == {"intensity", "local_median"}
    table = rows(out / "scores.csv")
    assert list(table[0]) == ["id", "path", "split", "label", "defect", "score", "threshold", "decision"]
    assert [r["split"] for r in table] == ["validation"] * 3 + ["test"] * 6
    assert all(r["decision"] == str(int(float(r["score"]) > float(r["threshold"]))) for r in table)
    assert list(out.glob("events.out.tfevents.*"))


def test_eval_from_the_checkpoint_alone_gives_the_same_digits(trained, tmp_path):
    _, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    assert execute("eval", job(tmp_path)) == 0
    assert (tmp_path / "scores.csv").read_bytes() == (out / "scores.csv").read_bytes()
    again, first = (json.loads((p / "results.json").read_text()) for p in (tmp_path, out))
    for name in ("metrics", "per_defect", "baselines", "threshold"):
        assert again[name] == first[name]


def test_accelerators_share_batches_of_any_size(trained, tmp_path, monkeypatch):
    """All of them score, where a CPU would use as many devices as divide the batch."""
    _, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    monkeypatch.setattr(parallel, "mesh_for", lambda *sizes, own: parallel.mesh())
    assert execute("eval", job(tmp_path, overrides={"score.batch_size": 3})) == 0
    assert (tmp_path / "scores.csv").read_bytes() == (out / "scores.csv").read_bytes()


def test_predict_scores_a_folder_like_the_test(trained, tmp_path):
    root, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    assert execute("predict", job(tmp_path, settings(root), {"maps": "npy"}, root / "test/square")) == 0
    found = {r["path"]: r["score"] for r in rows(tmp_path / "predict/scores.csv")}
    wanted = {r["path"]: r["score"] for r in rows(out / "scores.csv") if r["defect"] == "square"}
    assert found == wanted
    assert read_map(tmp_path / "predict/maps/000.npy").shape == (48, 48)
    assert "<table" in (tmp_path / "predict/report/index.html").read_text()


def test_predict_holds_the_maps_of_few_images(trained, tmp_path, monkeypatch):
    _, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    (tmp_path / "new").mkdir()
    for seed in range(run.MAPS + 30):
        folders.write(tmp_path / "new" / f"{seed:02}.png", folders.stripes(seed, 48, seed % 2 == 0))
    held, most, predict = [], [], run.scoring.predict

    def watched(*args, **kwargs):
        for scored in predict(*args, **kwargs):
            held.append(weakref.ref(scored.map))
            yield scored
            most.append(sum(map() is not None for map in held))

    monkeypatch.setattr(run.scoring, "predict", watched)
    assert execute("predict", job(tmp_path, images=tmp_path / "new")) == 0
    assert len(most) == run.MAPS + 30 and max(most) <= run.MAPS + 1
    assert [r["id"] for r in rows(tmp_path / "predict/scores.csv")] == [f"{i:02}.png" for i in range(run.MAPS + 30)]
    page = (tmp_path / "predict/report/index.html").read_text()
    assert page.count('aria-label="anomaly map"') == page.count('<article class="case') == 12


def test_predict_skips_what_it_cannot_read_and_says_so(trained, tmp_path, caplog):
    _, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    new = tmp_path / "new"
    new.mkdir()
    folders.write(new / "fine.png", folders.stripes(1, 48, False))
    folders.write(new / "colour.png", np.zeros((48, 48, 3), np.uint8))
    (new / "torn.png").write_bytes((new / "fine.png").read_bytes()[:900])
    assert execute("predict", job(tmp_path, images=new)) == UNREADABLE
    assert [r["id"] for r in rows(tmp_path / "predict/scores.csv")] == ["fine.png"]
    assert "torn.png" in caplog.text
    assert "colour.png: has 3 channels, the model learned from 1" in caplog.text


def test_what_is_ignored_counts_nowhere(images, tmp_path):
    """From the folder to the metrics: with every defect ignored there is none left to be found."""
    mark = np.zeros((48, 48), np.uint8)
    mark[8:22, 8:22] = 255
    for part, number in (("train/good", 8), ("test/square", 3)):
        (images / "ignore" / part).mkdir(parents=True)
        for i in range(number):
            folders.write(images / f"ignore/{part}/{i:03d}_ignore.png", mark)
    config = settings(images, cache_dir=str(tmp_path / "cache"), crops=2).unlock()
    config.baselines = ("intensity",)
    assert execute("train_eval", job(tmp_path / "out", config)) == 0
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["metrics"]["pixel_auroc"] is None and "no defective pixel" in results["reasons"]["pixel_auroc"]
    assert results["baselines"]["intensity"]["image_auroc"] < 1  # it saw the bright squares before
    assert list((tmp_path / "cache").glob("*.raw"))


def test_training_again_keeps_a_finished_run(trained, caplog):
    root, out = trained
    before = (out / "scores.csv").read_bytes()
    assert execute("train_eval", job(out, settings(root))) == 0
    assert "already trained" in caplog.text
    assert (out / "scores.csv").read_bytes() == before


def test_a_run_of_another_configuration_is_not_continued(trained, caplog):
    root, out = trained
    before = (out / "config.json").read_bytes()
    other = settings(root).unlock()
    other.seed, other.maps = 5, "npy"
    fails(caplog, "train", job(out, other), "seed was 0 and is 5", "another --workdir")
    assert "maps was" not in caplog.text
    assert (out / "config.json").read_bytes() == before


def test_what_is_known_of_defects_becomes_views(trained, tmp_path):
    root, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "out/checkpoints")
    shutil.copytree(root, tmp_path / "images")
    (tmp_path / "images/meta/square").mkdir(parents=True)
    for i in range(3):
        known = {"family": "shape", "instances": [{"number": 1, "area": 100, "severity": i / 2}]}
        (tmp_path / f"images/meta/square/{i:03d}.json").write_text(json.dumps(known))
    assert execute("eval", job(tmp_path / "out", settings(root), {"data.root": str(tmp_path / "images")})) == 0
    with_views, without = (json.loads((p / "results.json").read_text()) for p in (tmp_path / "out", out))
    assert "views" not in without and set(with_views["views"]) == {"conv_ae", "intensity", "local_median"}
    for name, metrics in ({"conv_ae": with_views["metrics"]} | with_views["baselines"]).items():
        groups = with_views["views"][name]["groups"]
        assert set(groups) == {"family", "type", "severity", "size"}
        # Of the only type there is, nothing is left out.
        for metric in ("pixel_ap", "aupro", "pixel_auroc"):
            assert groups["type"]["square"][metric] == pytest.approx(metrics[metric], abs=1e-12)
    assert "Pixels by group of defects" in (tmp_path / "out/report/index.html").read_text()
    assert "Pixels by group of defects" not in (out / "report/index.html").read_text()


def test_eval_warns_of_other_data(trained, tmp_path, caplog):
    root, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "out/checkpoints")
    shutil.copytree(root, tmp_path / "images")
    folders.write(tmp_path / "images/test/good/000.png", folders.stripes(77, 48, False))
    assert execute("eval", job(tmp_path / "out", settings(root), {"data.root": str(tmp_path / "images")})) == 0
    assert "test/good/000.png" in caplog.text


def fails(caplog, mode, task, *words):
    assert execute(mode, task) == FAILED
    for word in words:
        assert word in caplog.text
    assert "Traceback" not in caplog.text


def test_missing_folder(tmp_path, caplog):
    fails(caplog, "train", job(tmp_path / "out", settings(tmp_path / "nowhere")), "nowhere")


def test_empty_folder(tmp_path, caplog):
    (tmp_path / "void").mkdir()
    fails(caplog, "train", job(tmp_path / "out", settings(tmp_path / "void")), "void", "no images")


def test_truncated_image(images, tmp_path, caplog):
    torn = images / "train/good/003.png"
    torn.write_bytes(torn.read_bytes()[:900])
    fails(caplog, "train", job(tmp_path / "out", settings(images)), "train/good/003.png")


def test_mask_of_another_size(images, tmp_path, caplog):
    folders.write(images / "ground_truth/square/001_mask.png", np.zeros((20, 20), np.uint8))
    fails(caplog, "train", job(tmp_path / "out", settings(images)), "001_mask.png", "48×48")


def test_mask_without_an_image(images, tmp_path, caplog):
    (images / "test/square/001.png").unlink()
    fails(caplog, "train", job(tmp_path / "out", settings(images)), "001_mask.png")


def test_mixed_channels(images, tmp_path, caplog):
    folders.write(images / "train/good/099.png", np.zeros((48, 48, 3), np.uint8))
    fails(caplog, "train", job(tmp_path / "out", settings(images)), "099.png", "channels")


def test_nan_pixels(images, tmp_path, caplog):
    import tifffile

    for path in list(images.rglob("*.png")):
        if "ground_truth" not in str(path):
            pixels = folders.stripes(1, 48, False).astype(np.float32)
            pixels[3, 3] = np.nan if path.name == "002.png" else 1.0
            tifffile.imwrite(path.with_suffix(".tif"), pixels)
            path.unlink()
    fails(caplog, "train", job(tmp_path / "out", settings(images, range=(0, 255))), "002.tif", "NaN")


def test_checkpoint_of_another_method(trained, tmp_path, caplog):
    root, out = trained
    shutil.copytree(out / "checkpoints", tmp_path / "checkpoints")
    other = settings(root).unlock()
    other.method, other.fit.steps = {"name": "intensity"}, {}
    fails(caplog, "eval", job(tmp_path, other), "'conv_ae'", "'intensity'")


def test_no_training_yet(tmp_path, caplog):
    fails(caplog, "eval", job(tmp_path), "no finished training", "--mode=train")


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("threshold.image", "conformal:0.01", "99"),
        ("threshold.pixel", "conformal:0.01", "99"),
        ("score.rule", "top:2", "top:2"),
        ("data.stride", 64, "stride 64"),
        ("baselines", ("median",), "median"),
        ("maps", "jpg", "jpg"),
    ],
)
def test_what_would_end_a_run_afterwards_is_said_before_it_learns(images, tmp_path, caplog, key, value, word):
    config = settings(images).unlock()
    config.update_from_flattened_dict({key: value})
    fails(caplog, "train_eval", job(tmp_path / "out", config), word)
    assert not (tmp_path / "out/checkpoints").exists()


def test_thresholds_may_change_until_they_are_decided(images, tmp_path, monkeypatch, caplog):
    config = settings(images).unlock()
    config.update(maps="", baselines=())
    with monkeypatch.context() as patch:
        patch.setattr(run, "_decide", lambda *_: (_ for _ in ()).throw(UserError("not enough memory")))
        fails(caplog, "train", job(tmp_path, config), "not enough memory")
    config.threshold.update(image="quantile:0.5", pixel="")
    config.score.update(batch_size=1, chunk=2)
    assert execute("train", job(tmp_path, config)) == 0
    assert restore(tmp_path, None, {}).thresholds["image"].kind == "quantile"
    config.threshold.image = "max"
    fails(caplog, "train", job(tmp_path, config), "threshold.image was 'quantile:0.5' and is 'max'")


def command(*arguments, blocks="unlimited"):
    """`blocks` of 1,024 bytes are the most that one file may have."""
    line = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash", sys.executable, "-m", "adjax.main", *arguments]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(COMPILED), "PYTHONPATH": str(REPO)}
    if blocks != "unlimited":  # programs that are cut off, too, and kept would fail who reads them
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    return subprocess.run(line, cwd=REPO, env=environment, capture_output=True, text=True)


@pytest.mark.budget(60)
def test_a_config_key_that_does_not_exist(tmp_path):
    found = command("--config=configs/folder.py:test", f"--workdir={tmp_path}", "--config.data.rot=x")
    assert found.returncode != 0
    assert "rot" in found.stderr


@pytest.mark.budget(60)
def test_a_full_disk_ends_in_a_message_and_keeps_what_was_written(images, tmp_path):
    """A limit on the size of files stands in for the disk: config.json fits.

    The state does not, however its arrays are put together: the largest alone, of 128 KiB, does not.
    """
    arguments = ("--config=configs/folder.py:test", f"--workdir={tmp_path / 'out'}", f"--config.data.root={images}")
    arguments += ("--config.method.width=0.5",)
    began = time.time()
    found = command(*arguments, blocks=100)
    assert found.returncode == FAILED
    kept = (path.stat() for path in COMPILED.glob("jit_init*"))
    assert not any(entry.st_mtime >= began and entry.st_size == 100 * 1024 for entry in kept)
    # The writing threads complain too, but the last word is the message. What ends after the failure says nothing: it
    # would be printed at any time.
    assert "Event loop is closed" not in found.stderr
    last = found.stderr.strip().splitlines()[-1]
    assert "checkpoints: cannot write a checkpoint (File too large" in last
    assert "no checkpoint was written before. Free space there" in last
    assert json.loads((tmp_path / "out/config.json").read_text())["method"]["name"] == "conv_ae"
