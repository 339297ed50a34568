"""Weights as their publishers store them -> {name: array}: PyTorch (.pth, .pt, .bin), .safetensors, .npz. No torch.

Numbers keep the type they are stored in.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from adjax.backbones import pickled
from adjax.types import UserError

Weights = Mapping[str, np.ndarray]

PICKLES = (".pth", ".pt", ".bin", ".tar")
WRAPPERS = ("state_dict", "model")  # keys below which training scripts put the state dict
DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def read(path: str | Path, sha256: str = "") -> Weights:
    """`sha256`: the digest or its beginning. PyTorch's files carry it in their names: resnet18-f37072fd.pth."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    named = re.search(r"-([0-9a-f]{8,64})\.pth$", path.name)
    for digest in filter(None, (sha256, named and named[1])):
        check(path, digest)
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    if path.suffix == ".npz":
        return _read_npz(path)
    if path.suffix in PICKLES:
        return _state_dict(path, pickled.read(path))
    raise UserError(
        f"{path}: unknown kind of weights {path.suffix!r}; choose from {', '.join(PICKLES)}, .safetensors, .npz"
    )


def check(path: Path, digest: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(digest):
        raise UserError(f"{path}: its SHA-256 is {found}, not {digest}…: another or a damaged file; download it again")


def read_safetensors(path: Path) -> Weights:
    """Eight bytes (length of the header), a header in JSON (types, shapes, offsets), the numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8:start])
        header.pop("__metadata__", None)
        return {name: _tensor(memoryview(data)[start:], **entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a .safetensors file, or a damaged one ({error}); download it again") from error


def _tensor(data: memoryview, dtype: str, shape: list[int], data_offsets: list[int]) -> np.ndarray:
    if dtype not in DTYPES:
        raise ValueError(f"unknown type {dtype}")
    first, last = data_offsets
    size = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if not 0 <= first <= last <= len(data) or last - first != size:
        raise ValueError(f"{size} bytes are not at {first}:{last}")
    return np.frombuffer(data[first:last], DTYPES[dtype]).reshape(shape)


def _read_npz(path: Path) -> Weights:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not an .npz file of arrays, or a damaged one ({error})") from error


def _state_dict(path: Path, value: object) -> Weights:
    for key in WRAPPERS:
        if isinstance(value, dict) and isinstance(value.get(key), dict):
            value = value[key]
    found = {k: v for k, v in value.items() if isinstance(v, np.ndarray)} if isinstance(value, dict) else {}
    if not found:
        raise UserError(f"{path}: holds no state dict (found {type(value).__name__})")
    return found
