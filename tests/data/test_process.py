"""What only a process of its own can show: lazy imports, and an end while batches are still being made."""

import subprocess
import sys

from tests.data.files import good_images

LAZY = """
import sys
import adjax.data, adjax.data.pipeline, adjax.data.masks, adjax.data.decode
assert "tensorflow" not in sys.modules
data = adjax.data.load(dataset="folder", root=sys.argv[1], seed=0, calibration=0, validation=0)
assert "tensorflow" not in sys.modules
"""

UNFINISHED = """
import sys, time
from adjax.data import decode, load, pipeline
from adjax.data.view import View
records = load(dataset="folder", root=sys.argv[1], seed=0, calibration=0, validation=0).splits["train"]
plain = decode.decode
decode.decode = lambda record: time.sleep(0.02) or plain(record)
stream = pipeline.stream(records, View(), batch_size=8, seed=0, cache_mb=0)
next(stream)
sys.modules["kept"] = stream
raise ValueError("the end")
"""


def python(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)


def test_tensorflow_is_imported_with_the_first_batch_only(tmp_path):
    good_images(tmp_path, 2)
    done = python(LAZY, str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_a_process_may_end_while_batches_are_being_made(tmp_path):
    """Threads of TensorFlow that call Python while it shuts down would hang here for ever."""
    good_images(tmp_path, 20)
    done = python(UNFINISHED, str(tmp_path))
    assert done.returncode == 1 and done.stderr.rstrip().endswith("ValueError: the end")
