"""The bytes of a file, or of a part of a shard: the one place where pixels come from disk.

A part of a shard has the path <shard>.tfrecord@<offset>+<length>/<id>, which every reader below `decode`, `masks` and
`fingerprint` takes as it takes a file's: what it holds are the file's own bytes.
"""

import os
import re
from pathlib import Path

from adjax.types import UserError

PART = re.compile(r"(?P<shard>.+\.tfrecord)@(?P<offset>\d+)\+(?P<length>\d+)/")


def read(path: str | os.PathLike) -> bytes:
    """Of a part no more is read than that part."""
    part = PART.match(str(path))
    if not part:
        return Path(path).read_bytes()
    with open(part["shard"], "rb") as file:
        file.seek(int(part["offset"]))
        data = file.read(int(part["length"]))
    if len(data) < int(part["length"]):
        raise UserError(f"ends {int(part['length']) - len(data)} bytes early; copy {part['shard']} again")
    return data


def part(shard: Path, offset: int, length: int, name: str) -> str:
    return f"{shard}@{offset}+{length}/{name}"


def container(path: str) -> str:
    """The file on disk."""
    part = PART.match(path)
    return part["shard"] if part else path
