"""The C library's allocator, told to keep what programs use again and again."""

import ctypes
import platform

SETTINGS = {-8: 1, -4: 0, -1: 2**31 - 1}  # M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD of glibc's malloc.h


def keep() -> bool:
    """From now on freed memory stays with this process: one heap, nothing mapped by itself, nothing trimmed.

    Each run of a compiled program asks for its large buffers anew. glibc maps and returns them, and the system blanks
    every page of them each time, in every training step on CPUs. To be called before there are threads. False, and
    nothing is changed, where the C library isn't glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(name, value) for name, value in SETTINGS.items())
