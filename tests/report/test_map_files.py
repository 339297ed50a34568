"""Maps as files."""

import numpy as np
import pytest
from PIL import Image

from adjax.report.maps import read_map, write_map
from adjax.types import UserError


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-3e4, 7e5), (1e-9, 2e-9), (1000.0, 1000.1)])
def test_sixteen_bits_recover_the_values_to_half_a_level(tmp_path, low, high):
    values = np.random.default_rng(0).uniform(low, high, (37, 53)).astype(np.float32)
    write_map(tmp_path / "m.png", values, "png")
    back = read_map(tmp_path / "m.png")
    half = (float(values.max()) - float(values.min())) / 65535 / 2
    assert back.dtype == np.float32 and back.shape == values.shape
    rounding = np.spacing(np.abs(values).max())
    assert np.abs(back.astype(np.float64) - values).max() <= half * 1.000001 + rounding
    assert back.min() == values.min() and back.max() == values.max()


def test_the_file_is_plain_sixteen_bit_grey_with_its_range_as_text(tmp_path):
    write_map(tmp_path / "m.png", np.array([[0.25, 0.75], [0.5, 0.25]], np.float32), "png")
    blob = (tmp_path / "m.png").read_bytes()
    assert blob[24:26] == bytes([16, 0])  # bit depth 16, colour type grey
    with Image.open(tmp_path / "m.png") as image:
        assert image.info["minimum"] == "0.25" and image.info["maximum"] == "0.75"
        assert np.asarray(image).tolist() == [[0, 65535], [32768, 0]]


def test_constant_maps_and_raw_floats_are_exact(tmp_path):
    constant = np.full((3, 4), 0.1, np.float32)
    write_map(tmp_path / "c.png", constant, "png")
    np.testing.assert_array_equal(read_map(tmp_path / "c.png"), constant)
    values = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    write_map(tmp_path / "m.npy", values, "npy")
    np.testing.assert_array_equal(read_map(tmp_path / "m.npy"), values)
    assert np.load(tmp_path / "m.npy").dtype == np.float32


def test_what_cannot_be_written_or_read_is_named(tmp_path):
    values = np.zeros((2, 2), np.float32)
    with pytest.raises(UserError, match="unknown map format 'tiff'; choose from npy"):
        write_map(tmp_path / "m.tiff", values, "tiff")
    with pytest.raises(ValueError, match=r"named \*\.png"):
        write_map(tmp_path / "m.npy", values, "png")
    for bad in (np.full((2, 2), np.nan), np.zeros((2, 2, 1)), np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r"m\.png"):
            write_map(tmp_path / "m.png", bad, "png")
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "other.png")
    with pytest.raises(ValueError, match=r"other\.png: not a 16-bit PNG"):
        read_map(tmp_path / "other.png")
