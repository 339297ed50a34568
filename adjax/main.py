"""The one command: `python -m adjax.main --config=configs/<x>.py --workdir=DIR`. Flags and exit codes; no logic.

Exit codes: 0 done; 1 an error that the message explains; 3 predicted, but some images were unreadable.
"""

import logging
import pathlib
import sys

import jax
from absl import app, flags
from ml_collections import config_flags

from adjax import malloc, outcome, parallel, run, workdir
from adjax.types import UserError

MODES = {"train_eval": run.train_eval, "train": run.train, "eval": run.evaluate, "predict": run.predict}
FAILED, UNREADABLE = 1, 3

CONFIG = config_flags.DEFINE_config_file("config", None, "The recipe, configs/<name>.py or configs/<name>.py:test.")
WORKDIR = flags.DEFINE_string("workdir", None, "Where checkpoints, results and the report go.", required=True)
MODE = flags.DEFINE_enum("mode", "train_eval", list(MODES), "What to do; eval and predict need only the checkpoint.")
INPUT = flags.DEFINE_string("input", None, "predict: an image, or a folder of images. No labels needed.")


def execute(mode: str, job: run.Job) -> int:
    """The exit code of one job; what the user can mend ends in a message, not in a traceback."""
    outcome.loaded()
    with workdir.log_to(job.workdir):
        try:
            unreadable = MODES[mode](job)
        except UserError as error:
            logging.error("%s", error)
            return FAILED
    return UNREADABLE if unreadable else 0


def main(argv: list[str]) -> int:
    recipe = CONFIG.value
    overrides = config_flags.get_override_values(flags.FLAGS["config"]) if recipe is not None else {}
    command = " ".join(["python -m adjax.main", *argv[1:]])
    return execute(MODE.value, run.Job(pathlib.Path(WORKDIR.value).absolute(), recipe, overrides, INPUT.value, command))


def cli() -> None:
    malloc.keep()
    jax.config.update("jax_numpy_rank_promotion", "raise")
    parallel.start()
    command = list(sys.argv)
    app.run(lambda _: parallel.together(lambda: main(command), FAILED))


if __name__ == "__main__":
    cli()
