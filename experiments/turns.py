"""Times several ways to do the same work, one after another and again: a slow while of the machine meets all."""

import time
from collections.abc import Callable, Mapping

PAUSE_S = 0.3


def in_turns(runs: Mapping[str, Callable[[], object]], turns: int, repeats: int = 1) -> dict[str, list[float]]:
    """Seconds of one of `repeats` calls of each, by turn; a turn before the first warms up.

    No one's waiting threads disturb the next: OpenMP's, which PyTorch has, keep a processor busy for a while after
    their work.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            time.sleep(PAUSE_S)
            began = time.monotonic()
            for _ in range(repeats):
                run()
            if turn:
                seconds[name].append((time.monotonic() - began) / repeats)
    return seconds
