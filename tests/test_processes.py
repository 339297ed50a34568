"""Several processes of one job, as a launcher starts them: they learn what one process learns, and end together."""

import csv
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import folders
import numpy as np
import pytest

from adjax.main import FAILED, execute
from adjax.run import Job
from configs import ae_kde


def resolves() -> bool:
    try:
        socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not resolves(), reason="processes on CPUs find each other by the name of their host")
REPO = pathlib.Path(__file__).parent.parent
LIMIT_S = 240


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return folders.make(tmp_path_factory.mktemp("images"))


def start(out, images, number: int, port: int, steps: int = 6) -> subprocess.Popen:
    command = ["adjax.main", f"--workdir={out}", "--config=configs/ae_kde.py:test", f"--config.data.root={images}"]
    return launch([*command, f"--config.fit.steps.train={steps}", "--config.baselines=()"], number, port)


def launch(command: list[str], number: int, port: int) -> subprocess.Popen:
    """One of two processes with a device each, and with the variables that Slurm's srun sets."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1", "PYTHONPATH": str(REPO)}
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(REPO / ".cache/xla")}
    environment |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment |= {"JAX_COORDINATOR_ADDRESS": f"localhost:{port}", "SLURM_JOB_ID": "1", "SLURM_STEP_NUM_NODES": "1"}
    environment |= {"SLURM_STEP_NODELIST": "localhost", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2"}
    environment |= {"SLURM_PROCID": str(number), "SLURM_LOCALID": "0"}
    environment["MODE"] = "test"  # of the distillation
    line = [sys.executable, "-m", *command]
    return subprocess.Popen(line, cwd=REPO, env=environment, stderr=subprocess.PIPE, text=True)


def ended(*processes: subprocess.Popen) -> list[int]:
    try:
        said = [process.communicate(timeout=LIMIT_S)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    print(*said, sep="\n")
    return [process.returncode for process in processes]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def scores(out) -> dict[str, float]:
    rows = csv.DictReader((out / "scores.csv").read_text().splitlines())
    return {row["id"]: float(row["score"]) for row in rows}


@pytest.mark.budget(LIMIT_S)
def test_two_processes_learn_what_one_learns(images, tmp_path):
    port = free_port()
    assert ended(*(start(tmp_path / "two", images, number, port) for number in range(2))) == [0, 0]
    config = ae_kde.get_config("test")
    config.update_from_flattened_dict({"data.root": str(images), "fit.steps.train": 6, "baselines": ()})
    assert execute("train_eval", Job(tmp_path / "one", config, {}, None, "test")) == 0
    one, two = scores(tmp_path / "one"), scores(tmp_path / "two")
    assert one.keys() == two.keys()
    np.testing.assert_allclose(list(two.values()), list(one.values()), rtol=1e-5)
    left_one, left_two = (sorted(p.name.split(".")[0] for p in (tmp_path / name).iterdir()) for name in ("one", "two"))
    assert left_one == left_two
    said_one, said_two = (len((tmp_path / name / "log.txt").read_text().splitlines()) for name in ("one", "two"))
    assert said_one == said_two


@pytest.mark.slow
@pytest.mark.budget(LIMIT_S)
def test_a_process_that_fails_ends_the_others(images, tmp_path):
    """The first one waits for half a minute until it gives the other up."""
    port = free_port()
    processes = (start(tmp_path, (images, "nowhere")[number], number, port) for number in range(2))
    assert ended(*processes) == [FAILED, FAILED]


@pytest.mark.slow
@pytest.mark.budget(LIMIT_S)
def test_a_distillation_that_fails_ends_the_others(images, tmp_path):
    port = free_port()
    command = ["experiments.distill_teacher.run", f"--out={tmp_path}/teacher.npz", f"--workdir={tmp_path}/run"]
    command += ["--source=folder", "--root"]
    processes = (launch([*command, str((images, "nowhere")[number])], number, port) for number in range(2))
    assert ended(*processes) == [FAILED, FAILED]
    assert not (tmp_path / "teacher.npz").exists()


@pytest.mark.slow
@pytest.mark.budget(LIMIT_S)
def test_one_that_is_told_to_end_ends_all_with_a_checkpoint(images, tmp_path):
    port, deadline = free_port(), time.monotonic() + LIMIT_S
    processes = [start(tmp_path, images, number, port, steps=10**6) for number in range(2)]
    while not (tmp_path / "config.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    processes[1].send_signal(signal.SIGTERM)
    assert ended(*processes) == [FAILED, FAILED]
    (saved,) = (int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    assert saved > 0
    said = (tmp_path / "log.txt").read_text()
    assert f"told to end, by SIGTERM: {tmp_path}/checkpoints holds checkpoint {saved}" in said
