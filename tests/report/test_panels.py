"""The pixels of the cases, decoded again."""

import base64
import io

import matplotlib
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.measure import block_reduce

from adjax.data import headers
from adjax.data.decode import read_image
from adjax.data.view import View
from adjax.report import panels
from adjax.report.cases import Case


def decode(uri: str, mode: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert(mode))


def case(image, mask=None, map=None) -> Case:
    return Case("i", 1, "d", 1.0, True, image, mask, map)


def test_fit_keeps_maxima_when_it_shrinks_and_repeats_when_it_enlarges():
    values = np.random.default_rng(0).random((60, 90))
    np.testing.assert_array_equal(panels.fit(values, (20, 18)), block_reduce(values, (3, 5), np.max))
    np.testing.assert_array_equal(panels.fit(values, (180, 90)), np.kron(values, np.ones((3, 1))))
    assert panels.fit(values, (37, 41)).max() == values.max()


@pytest.mark.parametrize("size, shown", [((1250, 500), (512, 205)), ((300, 400), (300, 400)), ((64, 32), (256, 128))])
def test_canvas(size, shown):
    assert panels.canvas(*size) == shown


def test_one_defective_pixel_survives_shrinking():
    mask = np.zeros((2000, 2000), bool)
    mask[777, 1313] = True
    drawn = panels.draw_case(case(np.zeros((2000, 2000, 1), np.float32), mask), panels.Scale((0, 1), None, None))
    layer = decode(drawn["truth_layer"], "RGBA")
    (row, column), *others = np.argwhere((layer == panels.LAYER_RGBA[panels.TRUTH]).all(axis=-1))
    assert not others and abs(row - 777 * 0.256) <= 1 and abs(column - 1313 * 0.256) <= 1


def test_the_outline_lies_just_outside_of_the_mask():
    mask = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(220, 220)), 12) > 0.01
    inner = ndimage.binary_dilation(mask, np.ones((3, 3)))
    outer = ndimage.binary_dilation(inner, np.ones((3, 3)))
    expected = np.where(inner & ~mask, panels.OUTLINE, np.where(outer & ~inner, panels.CASING, panels.CLEAR))
    np.testing.assert_array_equal(panels.trace(mask), expected)


def test_all_maps_share_one_scale_and_its_colours():
    rng = np.random.default_rng(0)
    maps = [rng.random((256, 256)).astype(np.float32) * high for high in (1.0, 4.0)]
    cases = [case(rng.random((256, 256, 1), np.float32), map=values) for values in maps]
    scale = panels.choose_scale(cases, None)
    assert scale.map == pytest.approx((min(m.min() for m in maps), np.quantile(np.stack(maps), 0.999)))
    assert panels.choose_scale(cases, 9.0).map[1] == 9.0 and panels.choose_scale(cases, 1.0).map[1] < 4.1
    flat = panels.draw_case(cases[0]._replace(map=np.full((256, 256), 2.0, np.float32)), scale)
    level = (2.0 - scale.map[0]) / (scale.map[1] - scale.map[0])
    expected = np.array(matplotlib.colormaps["inferno"](level, bytes=True)[:3], int)
    assert np.abs(decode(flat["map"], "RGB").reshape(-1, 3) - expected).max() <= 2


def test_marked_pixels_are_those_above_the_threshold():
    values = np.random.default_rng(0).random((256, 256)).astype(np.float32)
    scale = panels.Scale((0, 1), (0, 1), 0.7)
    drawn = panels.draw_case(case(np.zeros((256, 256, 1), np.float32), map=values), scale)
    np.testing.assert_array_equal(decode(drawn["marked"], "RGBA")[..., 3] > 0, values > 0.7)
    assert drawn["marked_share"] == pytest.approx((values > 0.7).mean())
    assert drawn["peak"] == pytest.approx(values.max())


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_photographs_of_any_number_of_channels(channels):
    image = np.random.default_rng(0).random((300, 260, channels)).astype(np.float32)
    picture = panels.photograph(image, (300, 260), (0.0, 1.0))
    expected = image if channels == 3 else image.mean(axis=-1)
    np.testing.assert_allclose(picture, expected * 255, atol=0.51)


def test_a_dark_range_is_stretched_for_all_cases_alike():
    dark = [case(np.full((8, 8, 1), value, np.float32)) for value in (0.01, 0.06)]
    assert panels.choose_scale(dark, None).grey == pytest.approx((0.01, 0.06))
    bright = [case(np.full((8, 8, 1), value, np.float32)) for value in (0.01, 0.9)]
    assert panels.choose_scale(bright, None).grey == (0.0, 1.0)
    assert panels.choose_scale(dark[:1], None).grey == (0.0, 1.0)


def test_sixteen_bits_are_not_crushed_to_eight_before_they_are_stretched(tmp_path):
    """256 neighbouring grey values of 65,536 are one or two of 256; the report shows all of them apart."""
    values = (30_000 + np.arange(256, dtype=np.uint16)).repeat(256).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "deep.png")
    deep = headers.record(tmp_path / "deep.png", tmp_path, label=0, defect="good", category="")
    image = read_image(deep, View())
    scale = panels.choose_scale([case(image)], None)
    shown = decode(panels.draw_case(case(image), scale)["photo"], "L")
    np.testing.assert_array_equal(shown, np.arange(256)[:, None].repeat(256, 1))
