"""Tensors from the files that torch.save writes, without torch, and without running what a pickle may ask to run.

Both formats are read: the zip archive of PyTorch 1.6 and later, and the stream of pickles before it. Of a pickle only
ordered dictionaries, tensors and their storages are accepted; every name stands for something of ours.
"""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from adjax.types import UserError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the old format
STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


class Storage(NamedTuple):
    key: str
    dtype: np.dtype


class Tensor(NamedTuple):
    """A view of a storage that is read later. Offset and stride count elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def __setstate__(self, state: Any) -> None:
        """Of a parameter as files of 2017 have it: whether it needs a gradient, and hooks. Nothing to keep."""


class Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # A pickle can set attributes of what it is given: these functions are made for it, a name has none, and
        # Python protects OrderedDict.
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: Tensor(storage, offset, tuple(size), tuple(stride))
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if (module, name) == ("torch.nn.parameter", "Parameter"):
            return type("Parameter", (), {"__new__": lambda cls, tensor, *_: tensor})
        if module == "torch" and name in STORAGES:
            return name
        raise UserError(
            f"the file asks for {module}.{name}: only tensors are read. In PyTorch, load a file that you trust and "
            "save its state dict: torch.save(model.state_dict(), path)"
        )

    def persistent_load(self, pid: Any) -> Storage:
        kind, name, key, *_ = pid
        if kind != "storage" or name not in STORAGES:
            raise pickle.UnpicklingError(f"unknown object {kind!r} {name!r}")
        part = pid[5] if len(pid) > 5 else None  # of another storage; the old format allows it
        if part is not None:
            raise pickle.UnpicklingError("storages within storages are not supported")
        return Storage(str(key), np.dtype(STORAGES[name]))


def read(path: Path) -> Any:
    """What was saved, with arrays for tensors."""
    try:
        return _read_zip(path) if zipfile.is_zipfile(path) else _read_stream(path)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # what a broken pickle raises can be anything
        raise UserError(f"{path}: not a file of PyTorch, or a damaged one ({error}); download it again") from error


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickled = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(pickled) != 1:
            raise ValueError("it holds no data.pkl")
        top = pickled[0].removesuffix("data.pkl")
        order = archive.read(f"{top}byteorder") if f"{top}byteorder" in archive.namelist() else b"little"
        if order != b"little":
            raise ValueError(f"byte order {order!r}")
        value = Unpickler(io.BytesIO(archive.read(pickled[0]))).load()
        return _filled(value, lambda storage: archive.read(f"{top}data/{storage.key}"))


def _read_stream(path: Path) -> Any:
    with path.open("rb") as file:
        load = lambda: Unpickler(file, encoding="utf-8").load()
        if load() != MAGIC or load() != PROTOCOL:
            raise ValueError("wrong magic number")
        load()  # of the system it was written on
        value, keys = load(), load()
        start = file.tell()
        dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in _tensors(value)}
        blocks, view = {}, memoryview(path.read_bytes())
        for key in keys:
            (count,) = struct.unpack_from("<q", view, start)
            # A storage that no tensor uses can't be measured: none of the known writers makes one.
            size = count * dtypes[key].itemsize
            blocks[key] = view[start + 8 : start + 8 + size]
            start += 8 + size
    return _filled(value, lambda storage: blocks[storage.key])


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _filled(value: Any, block) -> Any:
    """`value` with arrays for its tensors."""
    if isinstance(value, Tensor):
        return _array(value, np.frombuffer(block(value.storage), value.storage.dtype))
    if isinstance(value, dict):
        return {key: _filled(part, block) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_filled(part, block) for part in value)
    return value


def _array(tensor: Tensor, data: np.ndarray) -> np.ndarray:
    """A copy. The bounds are checked here: `as_strided` would read beyond the storage."""
    _, offset, size, stride = tensor
    whole = all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride)) and len(size) == len(stride)
    if not whole or (0 not in size and offset + sum((n - 1) * s for n, s in zip(size, stride)) >= len(data)):
        raise ValueError(f"a tensor of size {size} reaches beyond its storage")
    strides = [s * data.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(data[offset:], size, strides, writeable=False).copy()
