"""Checked in processes of their own: what malloc is told holds until a process ends."""

import subprocess
import sys

from adjax import malloc

FAULTS = """
import ctypes, resource
from adjax import malloc
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: one huge page would count as one
counts = []
for _ in range(2):
    where = libc.malloc(1 << 26)
    ctypes.memset(where, 1, 1 << 26)
    libc.free(where)
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(counts[1] - counts[0])
"""


def faults(first: str) -> int:
    """Pages that a second use of 64 MB needs from the system."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(first=first)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_memory_is_used_again():
    assert faults("assert malloc.keep()") < 100 < faults("")


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(malloc.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(malloc.ctypes, "CDLL", None)
    assert malloc.keep() is False
