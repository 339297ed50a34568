"""Times several ways to do the same work, one after another and again: a slow while of the machine meets all."""

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping

from adjax import malloc, parallel

PAUSE_S = 0.3
FORMATS = {"contiguous": "contiguous_format", "channels_last": "channels_last"}  # our names of PyTorch's
KEPT = ", memory kept"
Run = Callable[[], object]  # ends when its result is there


def in_turns(runs: Mapping[str, Run], turns: int, repeats: int = 1) -> dict[str, list[float]]:
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


@contextlib.contextmanager
def elsewhere(
    makers: Mapping[str, Callable[[], Run]], kept: tuple[bool, ...] = (False, True)
) -> Iterator[dict[str, Run]]:
    """PyTorch's runs in processes of their own, one for each of `kept`: whether malloc is as adjax's main sets it,
    or as it comes. What a maker makes is called there; makers have to be picklable.
    """
    context, started = multiprocessing.get_context("spawn"), []

    def begin(make: Callable[[], Run], keep: bool) -> Run:
        here, there = context.Pipe()
        started.append(context.Process(target=_serve, args=(there, make, keep), daemon=True))
        started[-1].start()

        def run() -> None:
            here.send(None)
            here.recv()

        return run

    try:
        yield {name + (KEPT if keep else ""): begin(make, keep) for name, make in makers.items() for keep in kept}
    finally:
        for process in started:
            process.terminate()
            process.join()


def _serve(link, make: Callable[[], Run], keep: bool) -> None:
    import torch

    if keep:
        malloc.keep()
    torch.set_num_threads(parallel.processors())
    run = make()
    while True:
        link.recv()
        run()
        link.send(None)
