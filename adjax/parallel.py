"""Mesh, shardings and multi-host start: the only file that names devices.

One axis, "data": batches are split along it, states are whole on every device. A processor is split into devices, too:
XLA runs most of a program on one thread. Processes of a job learn together on the devices of all of them; what is done
with the result each does for itself, and the first one writes it down.
"""

import collections
import contextlib
import math
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from adjax.types import Batch, State, UserError

DATA = PartitionSpec("data")
WHOLE = PartitionSpec()
CPU_DEVICES = 4  # at most: each holds a whole state
PATIENCE_S = 7 * 24 * 3600  # of the processes that have nothing left to do
MOMENT_S = 10


def start() -> None:
    """To be called before any device is used. Joins the processes of a job, where a launcher tells of several; else
    makes a CPU as many devices as it has processors, unless the environment says how many.
    """
    if several(os.environ):
        # At the end all wait for the first one, which scores and reports.
        jax.distributed.initialize(shutdown_timeout_seconds=PATIENCE_S)
    elif "JAX_NUM_CPU_DEVICES" not in os.environ and "device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", min(processors(), CPU_DEVICES))


def several(environment: Mapping[str, str]) -> bool:
    """Whether this is one of several processes: as Slurm's srun, Open MPI's mpirun and TPU hosts say it, and others by
    the variable of jax itself."""
    counts = [int(environment.get(name, 1)) for name in ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")]
    hosts = "," in environment.get("TPU_PROCESS_ADDRESSES", environment.get("TPU_WORKER_HOSTNAMES", ""))
    return max(counts) > 1 or hosts or "JAX_COORDINATOR_ADDRESS" in environment


def leads() -> bool:
    """Whether this process writes what all of them would write alike."""
    return jax.process_index() == 0


def together(job: Callable[[], int], failed: int) -> int:
    """The exit code of this process's part of a job; of several that `start` joined, `failed` for an exception, too.

    One that failed waits a moment for the others to fail alike, then ends: on its usual way out it would wait for them,
    and they for it.
    """
    if not jax.distributed.is_initialized():
        return job()
    code = failed
    try:
        code = job()
    except Exception:
        traceback.print_exc()
    if code == failed:
        leave = threading.Thread(target=jax.distributed.shutdown, daemon=True)
        leave.start()
        leave.join(MOMENT_S)
        sys.stderr.flush()
        os._exit(failed)
    return code


@contextlib.contextmanager
def told_to_end() -> Iterator[Callable[[int], bool]]:
    """While it lasts SIGTERM, by which clusters say that they will take a machine away, ends nothing by itself: it
    makes true what is to be asked after every step, by its number. Of several processes one that is told so is enough,
    and all get to know at the same step."""
    told = threading.Event()
    here = threading.current_thread() is threading.main_thread() and not jax.distributed.is_initialized()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set()) if here else None
    try:
        yield lambda step: told.is_set() or multihost_utils.reached_preemption_sync_point(step)
    finally:
        if here:
            signal.signal(signal.SIGTERM, before)


def processors() -> int:
    """Those this process may use, where the system can say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mesh(devices=None) -> Mesh:
    """All devices in one row. Auto axes: the compiler places what is not stated."""
    devices = jax.devices() if devices is None else devices
    return Mesh(np.asarray(devices), ("data",), axis_types=(AxisType.Auto,))


def mesh_for(*batch_sizes: int, own: bool = False) -> Mesh:
    """All devices, or this process's own; of a CPU's, which are no more than threads, as many as divide every one of
    the batch sizes."""
    devices = jax.local_devices() if own else jax.devices()
    if devices[0].platform != "cpu" or (jax.process_count() > 1 and not own):
        return mesh(devices)
    fits = [n for n in range(1, len(devices) + 1) if not any(size % n for size in batch_sizes)]
    return mesh(devices[: fits[-1]])


def parts(size: int) -> int:
    """Into how many equal parts a batch of that size can be cut so that none lies on two devices, whichever of
    `mesh_for` has it.
    """
    return math.lcm(*(n for n in range(1, jax.device_count() + 1) if size % n == 0))


def shard() -> tuple[int, int]:
    """(this process, number of processes): which rows of a global batch this host reads."""
    return jax.process_index(), jax.process_count()


def put(batch: Batch, grid: Mesh) -> Batch:
    """Host rows to a global batch, split over the devices."""
    processes = {device.process_index for device in grid.devices.flat}
    size = next(iter(batch.values())).shape[0] * len(processes)
    if size % grid.size:
        raise UserError(
            f"batch_size {size} does not divide among {grid.size} devices; choose a multiple of {grid.size}, or hide "
            "devices, as by CUDA_VISIBLE_DEVICES=0"
        )
    sharding = NamedSharding(grid, DATA)
    return {name: jax.make_array_from_process_local_data(sharding, rows) for name, rows in batch.items()}


def ahead(batches: Iterable[Batch], grid: Mesh, number: int = 2) -> Iterator[Batch]:
    """The batches by `put`, `number` of them on the devices before they are asked for."""
    ready: collections.deque[Batch] = collections.deque()
    for batch in batches:
        ready.append(put(batch, grid))
        if len(ready) > number:
            yield ready.popleft()
    yield from ready


def whole(grid: Mesh) -> NamedSharding:
    """The sharding of a state: a copy on every device."""
    return NamedSharding(grid, WHOLE)


def moved(state: State, grid: Mesh) -> State:
    """A state that is whole on every device, to those of another mesh; as it is in a job of one process, which has
    all devices at hand."""
    if jax.process_count() == 1:
        return state
    put = lambda leaf: jax.make_array_from_process_local_data(whole(grid), np.asarray(leaf))
    return jax.tree.map(put, state)


def per_image(function, grid: Mesh):
    """`function(state, batch, keys)` that is pure per image, run on every device's own rows without communication."""
    return jax.shard_map(function, mesh=grid, in_specs=(WHOLE, DATA, DATA), out_specs=DATA, check_vma=False)


def peak_memory_mb() -> float:
    """High-water mark in MB: of the accelerator's memory where it keeps one, else of this process."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"] / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
