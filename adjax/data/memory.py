"""Keeps what fits in memory, so that an image is decoded once and not for every tile that is cut from it."""

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

RECENT = 4  # images kept beyond the budget: neighbouring tiles come from the same image


def remember(load: Callable[[int], np.ndarray], budget_bytes: int) -> Callable[[int], np.ndarray]:
    """`load`, remembering its results until `budget_bytes` are full; after that only the RECENT last ones.

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
                    while len(recent) > RECENT:
                        recent.popitem(last=False)
            return found

    return fetch
