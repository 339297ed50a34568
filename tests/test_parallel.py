"""Which devices a run takes."""

import os
import subprocess
import sys

import jax
import pytest

from adjax import parallel

COUNT = "from adjax import parallel; parallel.start(); import jax; print(jax.local_device_count())"


@pytest.mark.parametrize(("sizes", "devices"), [((4, 6), 2), ((4, 3), 1), ((1,), 1), ((), 2)])
def test_a_cpu_takes_as_many_devices_as_share_every_batch(sizes, devices):
    assert parallel.mesh_for(*sizes).size == devices


@pytest.mark.parametrize(("devices", "size", "parts"), [(2, 6, 2), (2, 3, 1), (4, 36, 12), (4, 8, 4), (1, 8, 1)])
def test_no_part_of_a_batch_lies_on_two_devices_of_any_mesh(devices, size, parts, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: devices)
    assert parallel.parts(size) == parts
    meshes = [n for n in range(1, devices + 1) if size % n == 0]
    assert all(parts % n == 0 for n in meshes) and size % parts == 0


def test_an_accelerator_takes_all_its_devices_or_says_why_not(monkeypatch):
    monkeypatch.setattr(parallel.jax, "process_count", lambda: 2)
    assert parallel.mesh_for(3).size == jax.device_count()


@pytest.mark.parametrize(
    ("environment", "several"),
    [
        ({}, False),
        ({"SLURM_STEP_NUM_TASKS": "1", "OMPI_COMM_WORLD_SIZE": "1", "TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"SLURM_STEP_NUM_TASKS": "2"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "8"}, True),
        ({"TPU_WORKER_HOSTNAMES": "t0,t1"}, True),
        ({"JAX_COORDINATOR_ADDRESS": "host:1234"}, True),
    ],
)
def test_launchers_tell_of_several_processes(environment, several):
    assert parallel.several(environment) == several


@pytest.mark.parametrize(("name", "value", "devices"), [("JAX_NUM_CPU_DEVICES", "3", 3), ("", "", None)])
def test_every_processor_is_a_device_unless_the_environment_says_how_many(name, value, devices):
    kept = {k: v for k, v in os.environ.items() if k not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    line = [sys.executable, "-c", COUNT]
    found = subprocess.run(line, env=kept | {name: value} if name else kept, capture_output=True, text=True, check=True)
    assert int(found.stdout) == (devices or min(parallel.processors(), parallel.CPU_DEVICES))
