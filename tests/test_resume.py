"""A short form of experiments/resume: SIGKILL, start again, compare every byte."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

REPO = pathlib.Path(__file__).parent.parent


@pytest.mark.budget(120)
def test_a_killed_run_ends_with_the_same_bytes(tmp_path):
    command = [sys.executable, "experiments/resume/run.py", "--kills=1", "--seed=1", f"--out={tmp_path / 'found.json'}"]
    command += ["--moments", "renamed", "--config.fit.steps.train=10", "--config.fit.steps.calibrate=6"]
    environment = os.environ | {"PYTHONPATH": str(REPO), "JAX_COMPILATION_CACHE_DIR": str(REPO / ".cache/xla")}
    environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["kills"] == 1
    (killed,) = found["trials"][0]["kills"]
    assert any(name.isdigit() for name in killed["checkpoints"])  # from which the run went on
    assert found["same"]
