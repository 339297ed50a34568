"""Drives a tf.data pipeline whose batches NumPy makes, and passes exceptions through it unchanged."""

import atexit
import functools
import weakref
from collections.abc import Callable, Iterator

import numpy as np

from adjax import parallel
from adjax.data.tensorflow import tf

AHEAD = 2  # batches ready before they are asked for
IN_FLIGHT = 2**29  # bytes of batches being made at once, unless a single batch is larger
_TYPES = {
    "image": "float32",
    "_mask": "bool",
    "_ignore": "bool",
    "target": "bool",
    "_size": "int32",
    "reasons": "string",
}


def run(
    data, make: Callable, names: tuple[str, ...], batch_bytes: int, workers: int | None
) -> Iterator[dict[str, np.ndarray]]:
    """Maps `make` over the elements of a tf.data.Dataset, in order, by `workers` threads (None: one per processor).

    An exception in `make` is raised where its batch would have come, be it the first to happen or not. It travels
    around TensorFlow, which would turn it into one of its own: in its place comes its number, as the image.
    """
    failures: list[BaseException] = []

    def guarded(*arguments):
        try:
            return make(*arguments)
        except BaseException as error:
            failures.append(error)
            number = next(i for i, failure in enumerate(failures) if failure is error)
            empty = (np.zeros(0, tf().as_dtype(_TYPES[name]).as_numpy_dtype) for name in names[1:])
            return np.float32([number]), *empty

    def step(*arguments):
        return dict(zip(names, tf().numpy_function(guarded, arguments, [_TYPES[name] for name in names])))

    threads = threads_for(workers, batch_bytes)
    data = data.map(step, num_parallel_calls=threads, deterministic=True)
    batches = _batches(data.prefetch(min(AHEAD, threads)), failures)
    _open().add(batches)
    return batches


def threads_for(workers: int | None, batch_bytes: int) -> int:
    return max(1, min(workers or parallel.processors(), IN_FLIGHT // batch_bytes))


def _batches(data, failures: list[BaseException]) -> Iterator[dict[str, np.ndarray]]:
    for batch in data.as_numpy_iterator():
        if batch["image"].ndim != 4:
            raise failures[int(batch["image"][0])]
        yield batch


@functools.cache
def _open() -> weakref.WeakSet:
    """Iterators that are in use. They end before the interpreter does: a thread of TensorFlow that calls Python while
    it shuts down hangs the process."""
    batches = weakref.WeakSet()
    atexit.register(lambda: [each.close() for each in list(batches)])
    return batches
