"""Every file type comes through exact, and every broken file ends in a message that names it."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from adjax.data import decode, headers
from adjax.data.tensorflow import tf
from adjax.data.view import View
from adjax.types import UserError
from tests.data.files import pixels, record, save, save_png16

GREY, COLOUR, ALPHA, DEEP = pixels((9, 11)), pixels((9, 11, 3)), pixels((9, 11, 4)), pixels((9, 11), "uint16")
REAL = pixels((9, 11, 5), "uint16").astype(np.float32) / 7 - 100
BITS = GREY > 127
PALETTE = Image.fromarray(COLOUR).quantize(8)


def tiff(array, **options):
    return lambda path: tifffile.imwrite(path.with_suffix(".tif"), array, **options) or path.with_suffix(".tif")


def pillow(image, suffix, **options):
    def write(path):
        image.save(path.with_suffix(suffix), **options)
        return path.with_suffix(suffix)

    return write


def png16(channels):
    return lambda path: save_png16(path.with_suffix(".png"), pixels((9, 11, channels), "uint16"))


CASES = {  # what is written, what must be read
    "png grey": (pillow(Image.fromarray(GREY), ".png"), GREY),
    "png colour": (pillow(Image.fromarray(COLOUR), ".PNG"), COLOUR),
    "png alpha": (pillow(Image.fromarray(ALPHA), ".png"), ALPHA),
    "png grey alpha": (pillow(Image.fromarray(ALPHA[..., :2], "LA"), ".png"), ALPHA[..., :2]),
    "png bits": (pillow(Image.fromarray(BITS), ".png"), BITS * np.uint8(255)),
    "png palette": (pillow(PALETTE, ".png"), np.asarray(PALETTE.convert("RGB"))),
    "png 16": (pillow(Image.fromarray(DEEP), ".png"), DEEP),
    "png 16 colour": (png16(3), pixels((9, 11, 3), "uint16")),
    "png 16 alpha": (png16(4), pixels((9, 11, 4), "uint16")),
    "bmp grey": (pillow(Image.fromarray(GREY), ".bmp"), GREY),
    "bmp colour": (pillow(Image.fromarray(COLOUR), ".BMP"), COLOUR),
    "bmp bits": (pillow(Image.fromarray(BITS), ".bmp"), BITS * np.uint8(255)),
    "bmp palette": (pillow(PALETTE, ".bmp"), np.asarray(PALETTE.convert("RGB"))),
    "bmp named png": (pillow(Image.fromarray(COLOUR), ".png", format="BMP"), COLOUR),
    "tiff 8": (tiff(GREY), GREY),
    "tiff 16": (tiff(DEEP), DEEP),
    "tiff big-endian": (tiff(DEEP, byteorder=">"), DEEP),
    "tiff colour": (tiff(COLOUR, compression="zlib"), COLOUR),
    "tiff float": (tiff(REAL[..., 0]), REAL[..., 0]),
    "tiff double": (tiff(REAL[..., 0].astype(np.float64)), REAL[..., 0]),
    "tiff 5 channels": (tiff(REAL, photometric="minisblack", planarconfig="contig"), REAL),
    "tiff 5 planes": (tiff(np.moveaxis(REAL, -1, 0), photometric="minisblack", planarconfig="separate"), REAL),
    "tiff 5 pages": (tiff(np.moveaxis(REAL, -1, 0), photometric="minisblack"), REAL),
    "tiff 5 unnamed": (tiff(REAL), REAL),
    "tiff axes of one": (tiff(DEEP[None, None], imagej=True), DEEP),
    "tiff white is zero": (tiff(GREY, photometric="miniswhite"), 255 - GREY),
    "tiff bits": (tiff(BITS), BITS * np.uint8(255)),
    "tiff lzw": (pillow(Image.fromarray(DEEP), ".tif", compression="tiff_lzw"), DEEP),
}


@pytest.mark.parametrize("case", CASES)
def test_pixels_come_through_exact(tmp_path, case):
    write, want = CASES[case]
    path = write(tmp_path / "x")
    want = want[..., None] if want.ndim == 2 else want
    assert headers.read_header(path) == (want.shape, want.dtype.name)
    got = decode.decode(record(path))
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("array", [GREY, COLOUR], ids=["grey", "colour"])
def test_jpeg_as_pillow_reads_it(tmp_path, array):
    path = save(tmp_path / "x.JPG", array)
    np.testing.assert_array_equal(np.squeeze(decode.decode(record(path))), np.asarray(Image.open(path)))


REFUSED = {
    "gif": (pillow(Image.fromarray(GREY), ".png", format="GIF"), "GIF file; save it as PNG"),
    "cmyk": (pillow(Image.fromarray(ALPHA, "CMYK"), ".jpg"), "mode CMYK; save it as grey or RGB"),
    "int32": (tiff(GREY.astype(np.int32)), "holds int32 pixels; save it as uint8"),
    "long stack": (tiff(pixels((40, 50, 60)), photometric="minisblack"), "one file per image"),
    "palette": (pillow(PALETTE, ".tif"), "palette TIFF"),
    "text": (lambda p: p.with_suffix(".png").write_text("no image") and p.with_suffix(".png"), "not a readable image"),
    "empty": (lambda p: p.with_suffix(".tif").write_bytes(b"") or p.with_suffix(".tif"), "not a readable image"),
    "short tiff": (lambda p: p.with_suffix(".tif").write_bytes(b"II*\0") and p.with_suffix(".tif"), "not a readable"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_header_refused_with_the_name_and_a_way_out(tmp_path, case):
    write, message = REFUSED[case]
    path = write(tmp_path / "x")
    with pytest.raises(UserError, match=message) as caught:
        headers.read_header(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("case", ["png grey", "bmp colour", "tiff 16", "tiff colour", "png 16 colour"])
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_truncated_file_is_named(tmp_path, case, keep):
    path = CASES[case][0](tmp_path / "x")
    whole, data = record(path), path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(UserError, match="replace or remove it") as caught:
        decode.decode(whole)
    assert str(path) in str(caught.value)


def test_truncated_jpeg_is_named(tmp_path):
    path = save(tmp_path / "x.jpg", pixels((64, 64, 3)))
    whole = record(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"x\.jpg cannot be decoded"):
        decode.decode(whole)


def test_damaged_png_is_noticed(tmp_path):
    path = save(tmp_path / "x.png", pixels((64, 64)))
    whole, data = record(path), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.png cannot be decoded"):
        decode.decode(whole)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number_is_named(tmp_path, value):
    image = REAL.copy()
    image[3, 4, 1] = value
    path = tiff(image)(tmp_path / "x")
    with pytest.raises(UserError, match=r"x\.tif holds NaN or infinite pixels"):
        decode.decode(record(path))


def test_changed_file_is_named(tmp_path):
    listed = record(save(tmp_path / "x.png", GREY))
    save(tmp_path / "x.png", pixels((5, 6)))
    with pytest.raises(UserError, match=r"x\.png was uint8 \(9, 11, 1\) when it was listed"):
        decode.decode(listed)


def test_every_16_bit_value_stays_apart():
    image = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    got = decode.to_unit(image, View())
    assert got.dtype == np.float32 and got.min() == 0 and got.max() == 1
    assert np.unique(got).size == 65536
    np.testing.assert_array_equal(got, image.astype(np.float32) / np.float32(65535))


def test_floats_are_mapped_by_the_stated_range_and_clipped(tmp_path):
    image = np.array([[-20.0, -10.0, 0.0, 10.0, 30.0, 40.0]], np.float32)
    path = tiff(image)(tmp_path / "x")
    got = decode.read_image(record(path), View(range=(-10, 30)))
    np.testing.assert_allclose(got[0, :, 0], [0, 0, 0.25, 0.5, 1, 1], atol=1e-7)
    with pytest.raises(UserError, match=r"x\.tif holds float pixels.*data\.range"):
        decode.read_image(record(path), View())


def test_channels_are_converted_as_stated(tmp_path):
    grey, colour = record(save(tmp_path / "g.png", GREY)), record(save(tmp_path / "c.png", COLOUR))
    alpha = record(save(tmp_path / "a.png", ALPHA))
    np.testing.assert_array_equal(decode.read_image(grey, View(channels=3)), np.stack([GREY / np.float32(255)] * 3, -1))
    luma = np.asarray(Image.fromarray(COLOUR).convert("L"), np.float32) / 255
    np.testing.assert_allclose(decode.read_image(colour, View(channels=1))[..., 0], luma, atol=1.01 / 255)
    np.testing.assert_array_equal(decode.read_image(alpha, View(channels=3)), ALPHA[..., :3] / np.float32(255))
    assert decode.read_image(alpha, View()).shape == (9, 11, 4)
    five = record(tiff(REAL)(tmp_path / "five"))
    with pytest.raises(UserError, match=r"five\.tif has 5 channels, which cannot become data\.channels=3"):
        View(channels=3, range=(0, 1)).check([five])
    # Four measured channels are not an alpha.
    four = record(tiff(REAL[..., :4], photometric="minisblack", planarconfig="contig")(tmp_path / "four"))
    with pytest.raises(UserError, match="has 4 channels"):
        View(channels=3, range=(0, 1)).check([four])


@pytest.mark.parametrize("size", [(5, 7), (18, 30), (9, 4)])
def test_resizing_agrees_with_an_antialiased_bilinear_filter(size):
    image = decode.to_unit(COLOUR, View())
    want = tf().image.resize(image, size, method="bilinear", antialias=True).numpy()
    np.testing.assert_allclose(decode.resize(image, size), want, atol=1e-6)
