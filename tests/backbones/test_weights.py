"""Files of weights: what PyTorch wrote (reference.py made them), safetensors by their specification, and bad ones."""

import hashlib
import json
import os
import pathlib
import pickle
import struct
import zipfile
from collections import OrderedDict

import jax.numpy as jnp
import numpy as np
import pytest

from adjax.backbones import pickled, weights
from adjax.types import UserError

HERE = pathlib.Path(__file__).parent
NUMBERS = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize("file", ["tensors_zip.pth", "tensors_old.pth"])
def test_reads_both_formats_of_pytorch(file):
    found = pickled.read(HERE / file)["tensors"]
    expected = {
        "whole": NUMBERS,
        "transposed": NUMBERS.T,
        "part": NUMBERS[1:3, ::2],
        "parameter": np.array([1.5], np.float32),
        "scalar": np.array(7),
        "empty": np.zeros((0, 3), np.float32),
        "bfloat16": NUMBERS.astype(jnp.bfloat16),
        **{kind: NUMBERS.astype(kind) for kind in ("float64", "float16", "int64", "uint8", "bool")},
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def file_of_2017() -> bytes:
    """A state dict as PyTorch 0.1 wrote it: parameters, made by NEWOBJ and BUILD, of tensors without hooks."""
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x005X\x03\0\0\0cpuK\x06NtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\x00K\x02K\x03\x86K\x03K\x01\x86tR"
    parameter = b"ctorch.nn.parameter\nParameter\n" + tensor + b"\x85\x81\x88\x89ccollections\nOrderedDict\n)R\x87b"
    value = b"\x80\x02ccollections\nOrderedDict\n)RX\x06\0\0\0weight" + parameter + b"s."
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = b"".join(pickle.dumps(v, 2) for v in (pickled.MAGIC, pickled.PROTOCOL, system))
    numbers = np.arange(6, dtype="<f4")
    return head + value + pickle.dumps(["5"], 2) + struct.pack("<q", 6) + numbers.tobytes()


def test_reads_parameters_as_files_of_2017_have_them(tmp_path):
    (tmp_path / "w.pth").write_bytes(file_of_2017())
    np.testing.assert_array_equal(weights.read(tmp_path / "w.pth")["weight"], NUMBERS.ravel()[:6].reshape(2, 3))


@pytest.mark.parametrize("file", ["tensors_zip.pth", "tensors_old.pth"])
def test_finds_the_state_dict_in_a_checkpoint(file):
    found = weights.read(HERE / file)
    np.testing.assert_array_equal(found["weight"], [[1, 2]])
    np.testing.assert_array_equal(found["bias"], [3])
    assert len(found) == 2


def safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, value) in tensors.items():
        block = value.tobytes()
        header[name] = {"dtype": dtype, "shape": value.shape, "data_offsets": [len(data), len(data) + len(block)]}
        data += block
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_reads_safetensors(tmp_path):
    types = {"F32": np.float32, "F16": np.float16, "BF16": jnp.bfloat16, "I64": np.int64}
    safetensors(tmp_path / "w.safetensors", {kind: (kind, NUMBERS.astype(dtype)) for kind, dtype in types.items()})
    found = weights.read(tmp_path / "w.safetensors")
    assert found.keys() == types.keys()
    for kind, dtype in types.items():
        assert found[kind].dtype == dtype
        np.testing.assert_array_equal(found[kind], NUMBERS.astype(dtype))


def test_refuses_damaged_safetensors(tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors(path, {"a": ("F32", NUMBERS)})
    for damaged in (path.read_bytes()[:-4], path.read_bytes()[4:], b"", b"\xff" * 40):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"w.safetensors: not a .safetensors file, or a damaged one"):
            weights.read(path)


def test_reads_npz_without_objects(tmp_path):
    np.savez(tmp_path / "w.npz", a=NUMBERS)
    np.testing.assert_array_equal(weights.read(tmp_path / "w.npz")["a"], NUMBERS)
    np.savez(tmp_path / "w.npz", a=np.array([{}]))
    with pytest.raises(UserError, match=r"w.npz: not an .npz file of arrays"):
        weights.read(tmp_path / "w.npz")


class Runs:
    """Unpickled without care, it makes a file."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


def saved(path, value, *, old=False):
    """`value` where PyTorch has the state dict."""
    if old:
        head = b"".join(pickle.dumps(v, 2) for v in (pickled.MAGIC, pickled.PROTOCOL, {}))
        path.write_bytes(head + pickle.dumps(value, 2) + pickle.dumps([], 2))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(value, 2))
    return path


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("call", [os.system, eval, exec])
def test_a_pickle_runs_no_code(tmp_path, call, old):
    trap = tmp_path / "trap"
    command = f"mkdir {trap}" if call is os.system else f"__import__('os').mkdir({str(trap)!r})"
    path = saved(tmp_path / "w.pth", {"a": Runs(call, command)}, old=old)
    pickle.loads(pickle.dumps(Runs(call, command)))
    trap.rmdir()  # so it would have run
    with pytest.raises(UserError, match=r"w.pth: the file asks for [\w.]+: only tensors are read"):
        weights.read(path)
    assert not trap.exists()


@pytest.mark.parametrize("name", ["torch.load", "torch._utils._rebuild_qtensor", "collections.deque", "torch.Tensor"])
def test_a_pickle_gets_nothing_but_tensors(tmp_path, name):
    module, _, attribute = name.rpartition(".")
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("archive/data.pkl", f"c{module}\n{attribute}\n.".encode())
    with pytest.raises(UserError, match=f"asks for {name}: only tensors"):
        weights.read(tmp_path / "w.pth")


def test_a_pickle_changes_no_class(tmp_path):
    """The instruction BUILD sets attributes of what it is given, here of OrderedDict itself."""
    code = b"\x80\x02ccollections\nOrderedDict\nN}X\x03\x00\x00\x00popNs\x86b."
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("archive/data.pkl", code)
    with pytest.raises(UserError, match="not a file of PyTorch, or a damaged one"):
        weights.read(tmp_path / "w.pth")
    assert OrderedDict.pop is not None


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (5,), (1,)), (2, (3,), (1,)), (-1, (1,), (1,)), (0, (2,), (9,)), (3, (2,), (-1,))],
)
def test_a_tensor_reaches_not_beyond_its_storage(offset, size, stride):
    tensor = pickled.Tensor(pickled.Storage("0", np.dtype(np.float32)), offset, size, stride)
    with pytest.raises(ValueError, match="beyond its storage"):
        pickled._array(tensor, np.zeros(4, np.float32))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no", b"<html>not found</html>", pickle.dumps(3, 2)])
def test_refuses_what_is_no_file_of_pytorch(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match="w.pth: not a file of PyTorch, or a damaged one"):
        weights.read(tmp_path / "w.pth")


def test_refuses_a_truncated_file(tmp_path):
    for file in ("tensors_zip.pth", "tensors_old.pth"):
        content = (HERE / file).read_bytes()
        (tmp_path / "w.pth").write_bytes(content[:-40])
        with pytest.raises(UserError, match="w.pth: not a file of PyTorch, or a damaged one"):
            weights.read(tmp_path / "w.pth")


def test_names_missing_files_and_unknown_kinds(tmp_path):
    with pytest.raises(UserError, match="w.pth: no such file of weights"):
        weights.read(tmp_path / "w.pth")
    (tmp_path / "w.onnx").write_bytes(b"")
    with pytest.raises(UserError, match=r"unknown kind of weights '.onnx'; choose from .pth"):
        weights.read(tmp_path / "w.onnx")
    with pytest.raises(UserError, match="holds no state dict"):
        weights.read(saved(tmp_path / "w.pth", {"epoch": 3}))


def test_checks_the_digest_given_or_named(tmp_path):
    content = (HERE / "tensors_zip.pth").read_bytes()
    path = tmp_path / "net-0123abcd.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not 0123abcd…"):
        weights.read(path)
    path = path.rename(tmp_path / "net.pth")
    with pytest.raises(UserError, match="not ffff…"):
        weights.read(path, "ffff")
    weights.read(path, hashlib.sha256(content).hexdigest())
