"""Caches keep what they were asked to, know when it is stale, and say beforehand when there is no room."""

import logging as standard
from collections import Counter, namedtuple
from pathlib import Path

import numpy as np
import pytest

from adjax.data import decode, memory, pipeline
from adjax.data.view import View
from adjax.tiling import Grid
from adjax.types import UserError
from tests.data.files import good_images, pixels, record, save

GRID = Grid(16, 8)


@pytest.fixture
def records(tmp_path):
    return [record(p) for p in good_images(tmp_path / "images", 6, shape=(40, 48))]


@pytest.fixture
def decoded(monkeypatch):
    calls = Counter()
    plain = decode.decode
    monkeypatch.setattr(decode, "decode", lambda r: calls.update([r.id]) or plain(r))
    return calls


def sweep(records, view=View(), **options):
    return np.concatenate([b["image"] for b in pipeline.sweep(records, view, batch_size=5, grid=GRID, **options)])


def test_what_is_on_disk_is_decoded_once_for_all_runs(records, decoded, tmp_path):
    want = sweep(records)
    decoded.clear()
    for _ in range(3):
        np.testing.assert_array_equal(sweep(records, cache_dir=str(tmp_path / "cache")), want)
    assert decoded == {r.id: 1 for r in records}
    assert sum(file.stat().st_size for file in (tmp_path / "cache").iterdir()) == 6 * 40 * 48


def test_another_view_or_a_changed_file_is_stored_anew(records, decoded, tmp_path):
    cache = str(tmp_path / "cache")
    sweep(records, cache_dir=cache)
    sweep(records, View(size=(32, 32)), cache_dir=cache)
    assert set(decoded.values()) == {2}
    save(tmp_path / "images/003.png", pixels((40, 48), seed=77))
    np.testing.assert_array_equal(sweep(records, cache_dir=cache), sweep(records))
    assert decoded["003.png"] == 4 and decoded["000.png"] == 3


def test_a_broken_image_is_not_stored(records, tmp_path):
    path = tmp_path / "images/002.png"
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(UserError, match=r"002\.png cannot be decoded"):
        sweep(records, cache_dir=str(tmp_path / "cache"))
    assert not any(f.stat().st_size != 40 * 48 for f in (tmp_path / "cache").iterdir())


def test_a_full_disk_is_told_before_anything_is_written(records, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda folder: usage(0, 0, 5000))
    with pytest.raises(UserError, match=r"6 images take 0 MB decoded.*data\.cache_dir=.*has 0 MB free"):
        sweep(records, cache_dir=str(tmp_path / "cache"))
    assert not any((tmp_path / "cache").iterdir())
    monkeypatch.undo()
    sweep(records, cache_dir=str(tmp_path / "cache"))
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda folder: usage(0, 0, 5000))
    sweep(records, cache_dir=str(tmp_path / "cache"))  # all is there: nothing is needed


def test_too_little_memory_is_told_before_it_is_taken(records, monkeypatch):
    monkeypatch.setattr(memory, "free_memory_mb", lambda: 0.005)
    with pytest.raises(UserError, match=r"data\.cache_mb=1024 would keep 0 of them and the machine has 0 MB"):
        sweep(records)
    sweep(records, cache_mb=0.004)
    monkeypatch.setattr(memory, "free_memory_mb", lambda: 10_000.0)
    sweep(records)


def test_what_does_not_fit_is_logged_with_what_is_there(records, caplog):
    with caplog.at_level(standard.INFO, "absl"):
        sweep(records, cache_mb=0.004)
    assert "6 images take 0 MB decoded and data.cache_mb is 0" in caplog.text and "of memory are free" in caplog.text


def test_free_memory_is_a_limit_that_the_system_states():
    lines = Path("/proc/meminfo").read_text().splitlines()
    total = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal")) / 2**10
    assert 0 < memory.free_memory_mb() < total


def test_a_containers_limit_counts_without_what_it_gives_back(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    for name, text in (("max", "90000000"), ("current", "80000000"), ("stat", "anon 7\ninactive_file 30000000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.free_memory_mb() == 40e6 / 2**20


def test_the_budget_bounds_what_is_kept():
    loads = Counter()
    fetch = memory.remember(lambda i: loads.update([i]) or np.zeros(10, np.uint8), 35, 2)
    for _ in range(4):
        for i in range(8):
            assert fetch(i).nbytes == 10
    assert [loads[i] for i in range(8)] == [1] * 3 + [4] * 5
