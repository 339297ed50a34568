"""What a run leaves in its working directory: names, and writes that are whole or not there at all.

config.json, checkpoints/, results.json, scores.csv, maps/, report/index.html, TensorBoard events, log.txt; predictions
without labels go to predict/ (scores.csv, maps/, report/index.html).
"""

import contextlib
import csv
import json
import logging
import os
import pathlib
import sys

import absl.logging

from adjax import parallel
from adjax.types import UserError

SCORES = ("id", "path", "split", "label", "defect", "score", "threshold", "decision")


@contextlib.contextmanager
def replacing(path: pathlib.Path):
    """Yields a temporary path beside `path` that takes its place at the end; a failure leaves the old file whole."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot write it ({error.strerror or error}); what was there before is intact"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: pathlib.Path, value) -> None:
    with replacing(path) as temporary:
        # allow_nan=False: a NaN in a result is a defect, not a value.
        temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_scores(path: pathlib.Path, rows: list[dict]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.DictWriter(file, SCORES)
        table.writeheader()
        table.writerows(rows)


@contextlib.contextmanager
def log_to(workdir: pathlib.Path):
    """INFO and above to log.txt, appended, and to the terminal, while the context lasts. Of several processes the
    first one does so; the others' warnings go to the terminal."""
    workdir.mkdir(parents=True, exist_ok=True)
    # Orbax warns of its own defaults through absl, jax of accelerators that are not there.
    logging.getLogger("absl").setLevel(logging.ERROR)
    logging.getLogger("jax").setLevel(logging.WARNING)
    root = logging.getLogger()
    first = parallel.leads()
    root.setLevel(logging.INFO if first else logging.WARNING)
    root.removeHandler(absl.logging.get_absl_handler())  # it would say everything twice
    lines = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
    handlers = ([_File(workdir / "log.txt")] if first else []) + [logging.StreamHandler(sys.stderr)]
    for handler in handlers:
        handler.setFormatter(lines)
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


class _File(logging.FileHandler):
    """Says once, on the terminal, that it cannot be written: a run goes on without its log, a failure is reported."""

    failed = False

    def handleError(self, record) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.failed:
            self.failed = True
            print(f"{self.baseFilename}: cannot write it ({error.strerror or error})", file=sys.stderr)

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            if not self.failed:
                raise
