"""Keeps decoded images, in memory or on disk, so that an image is decoded once and not for every tile cut from it."""

import hashlib
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from adjax.data import files
from adjax.types import UserError

RECENT = 4  # images kept beyond the budget: neighbouring tiles come from the same image
GROUP = Path("/sys/fs/cgroup")  # where a container's own limit stands
FORMAT = 1  # of what is stored: to be raised when the same file would be decoded to other pixels


class Cache(NamedTuple):
    mb: float = 1024  # memory for decoded images
    folder: str | os.PathLike | None = None  # keeps all of them there instead, for later runs too
    recent: int = RECENT


def check_memory(sizes: Sequence[int], mb: float) -> None:
    """Says where not all images can be kept; raises UserError where not even `mb` of them find room."""
    needed, free = sum(sizes) / 2**20, free_memory_mb()
    if min(needed, mb) > free:
        raise UserError(
            f"{len(sizes)} images take {needed:.0f} MB decoded, data.cache_mb={mb:.0f} would keep "
            f"{min(needed, mb):.0f} of them and the machine has {free:.0f} MB of memory free; lower data.cache_mb, or "
            "keep them on disk by data.cache_dir"
        )
    if needed > mb:
        logging.info(
            "%d images take %.0f MB decoded and data.cache_mb is %.0f (%.0f MB of memory are free): "
            "the others are decoded anew each time",
            len(sizes), needed, mb, free,
        )  # fmt: skip


def check_disk(sizes: Sequence[int], paths: Sequence[Path]) -> None:
    """Says what is stored already; raises UserError where the rest has no room."""
    folder = paths[0].parent
    needed = sum(size for size, path in zip(sizes, paths) if not path.exists()) / 2**20
    free = shutil.disk_usage(folder).free / 2**20
    if needed > free:
        raise UserError(
            f"{len(sizes)} images take {needed:.0f} MB decoded beside what is stored, and data.cache_dir={folder} has "
            f"{free:.0f} MB free; free some, choose another disk, or leave data.cache_dir empty"
        )
    logging.info(
        "%s holds all but %.0f of the %.0f MB that %d images take decoded; %.0f MB are free",
        folder, needed, sum(sizes) / 2**20, len(sizes), free,
    )  # fmt: skip


def free_memory_mb() -> float:
    """What may still be taken without swapping; infinite where the system does not say."""
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) / 2**10
        limit = GROUP / "memory.max"
        if limit.exists() and (most := limit.read_text().strip()) != "max":
            pages = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
            used = int((GROUP / "memory.current").read_text()) - int(pages["inactive_file"])  # these it gives back
            free = min(free, (int(most) - used) / 2**20)
        return free
    except (OSError, KeyError, ValueError):
        return float("inf")


def remember(
    load: Callable[[int], np.ndarray], budget_bytes: int, most_recent: int = RECENT
) -> Callable[[int], np.ndarray]:
    """`load`, remembering its results until `budget_bytes` are full; after that only the `most_recent` last ones.

    Nothing is evicted from the budget: under random access a fixed part serves more hits than the latest does.
    Threads that want the same result wait for one of them to load it.
    """
    kept: dict[int, np.ndarray] = {}
    recent: OrderedDict[int, np.ndarray] = OrderedDict()
    locks = [threading.Lock() for _ in range(64)]
    shared = threading.Lock()
    room = budget_bytes

    def find(index: int) -> np.ndarray | None:
        return kept.get(index, recent.get(index))

    def fetch(index: int) -> np.ndarray:
        nonlocal room
        found = find(index)
        if found is not None:
            return found
        with locks[index % len(locks)]:
            found = find(index)  # another thread may have loaded it meanwhile
            if found is not None:
                return found
            found = load(index)
            with shared:
                if found.nbytes <= room:
                    kept[index] = found
                    room -= found.nbytes
                else:
                    recent[index] = found
                    while len(recent) > most_recent:
                        recent.popitem(last=False)
            return found

    return fetch


class Raw(NamedTuple):
    """One stored array and all that it depends on."""

    shape: tuple[int, ...]
    dtype: str
    files: tuple[str, ...]
    settings: tuple

    def path(self, folder: Path) -> Path:
        """The name follows from all of these and from the files' sizes and times: what has changed is stored anew."""
        stamps = [(s.st_size, s.st_mtime_ns) if (s := _stat(file)) else None for file in self.files]
        return folder / f"{hashlib.sha256(repr((FORMAT, self, stamps)).encode()).hexdigest()[:32]}.raw"


def on_disk(
    load: Callable[[int], np.ndarray], arrays: Sequence[Raw], paths: Sequence[Path]
) -> Callable[[int], np.ndarray]:
    """`load`, its results kept as raw pixels and mapped from there: a tile reads only its own pages.

    Written aside and renamed: processes may share a folder, and a killed one leaves no half image under its name.
    """

    def fetch(index: int) -> np.ndarray:
        array, path = arrays[index], paths[index]
        if not path.exists():
            image = load(index)
            aside = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
            try:
                np.ascontiguousarray(image).tofile(aside)
                os.replace(aside, path)
            except OSError as error:
                aside.unlink(missing_ok=True)
                raise UserError(f"{aside} cannot be written ({error}); free space, or change data.cache_dir") from error
        return np.asarray(np.memmap(path, array.dtype, "r", shape=array.shape))

    return fetch


def _stat(path: str) -> os.stat_result | None:
    """None for a file that is gone: reading it will say so."""
    try:
        return os.stat(files.container(path))
    except OSError:
        return None
