"""SSIM against scikit-image and its closed forms, MS-SSIM against SciPy, the filters against autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from adjax.losses import LOSSES, filters, map_ms_ssim, map_ssim, structure, term_ms_ssim
from adjax.types import UserError

C1, C2 = 1e-4, 9e-4

ssim = jax.jit(map_ssim)
ms_ssim = jax.jit(term_ms_ssim)


def photograph(shape, seed=0, sigma=2.0):
    """Smooth noise over the whole of [0, 1]."""
    image = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), (0, sigma, sigma, 0))
    return ((image - image.min()) / (image.max() - image.min())).astype(np.float32)


def test_ssim_agrees_with_scikit_image():
    x = photograph((2, 40, 50, 3))
    y = np.clip(x + 0.2 * photograph(x.shape, 1, 0.7) - 0.1, 0, 1)
    ours = 1 - np.asarray(ssim(x, y))
    for i in range(2):
        _, theirs = structural_similarity(
            x[i].astype(np.float64),
            y[i].astype(np.float64),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            channel_axis=-1,
            full=True,
        )
        np.testing.assert_allclose(ours[i, 5:-5, 5:-5], theirs.mean(-1)[5:-5, 5:-5], atol=2e-5)


def test_ssim_reflects_its_borders():
    x, y = photograph((1, 20, 24, 1)), photograph((1, 20, 24, 1), 1)
    px, py = (np.pad(v, ((0, 0), (5, 5), (5, 5), (0, 0)), mode="reflect") for v in (x, y))
    np.testing.assert_allclose(ssim(x, y), ssim(px, py)[:, 5:-5, 5:-5], atol=1e-5)


def test_ssim_is_symmetric_and_bounded():
    x, y = photograph((2, 16, 16, 1)), np.round(photograph((2, 16, 16, 1), 1))
    np.testing.assert_allclose(ssim(x, y), ssim(y, x), atol=1e-6)
    assert float(ssim(x, y).min()) >= 0 and float(ssim(x, y).max()) <= 2
    assert float(ssim(x, 1 - x).max()) > 1.5  # opposite structure


@pytest.mark.parametrize(("mean", "offset"), [(0.0, 0.3), (0.2, 0.1), (0.9, 0.1)])
def test_ssim_of_constants(mean, offset):
    x = np.full((1, 12, 12, 1), mean, np.float32)
    other = mean + offset
    expected = 1 - (2 * mean * other + C1) / (mean**2 + other**2 + C1)
    np.testing.assert_allclose(ssim(x, x + np.float32(offset)), expected, atol=1e-6)


def test_ssim_sees_a_faint_difference_on_a_bright_image():
    """Where 1 - SSIM is far below float32's resolution near 1."""
    x = np.full((1, 12, 12, 1), 0.9, np.float32)
    y = x + 1e-5 * photograph(x.shape)
    _, theirs = structural_similarity(
        x[0, ..., 0].astype(np.float64),
        y[0, ..., 0].astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    np.testing.assert_allclose(ssim(x, y)[0, 5:-5, 5:-5], 1 - theirs[5:-5, 5:-5], rtol=0.05)


def test_too_small_for_the_window():
    x = np.zeros((1, 30, 10, 1), np.float32)
    for loss in (LOSSES["ssim"], LOSSES["ms_ssim"]):
        for function in loss:
            with pytest.raises(UserError, match="30x10 pixels is smaller than SSIM's window of 11x11"):
                function(x, x)


@pytest.mark.parametrize(
    ("side", "scales"), [(11, 1), (20, 1), (21, 2), (41, 3), (81, 4), (128, 4), (161, 5), (999, 5)]
)
def test_scales_that_fit(side, scales):
    weights = structure.scale_weights(side)
    assert len(weights) == scales
    assert sum(weights) == pytest.approx(1)
    assert weights[0] / weights[-1] == pytest.approx(0.0448 / structure.SCALE_WEIGHTS[scales - 1])


def slow_ms_ssim(x, y, scales):
    """Wang's definition on h w in double precision, with SciPy's Gaussian, windows inside the image."""
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333][:scales])
    weights /= weights.sum()
    window = lambda v: ndimage.gaussian_filter(v, 1.5, truncate=3.5)[5:-5, 5:-5]
    product = 1.0
    for j, weight in enumerate(weights):
        mx, my = window(x), window(y)
        vx, vy, cov = window(x * x) - mx**2, window(y * y) - my**2, window(x * y) - mx * my
        product *= ((2 * cov + C2) / (vx + vy + C2)).mean() ** weight
        if j == scales - 1:
            product *= ((2 * mx * my + C1) / (mx**2 + my**2 + C1)).mean() ** weight
        x, y = (ndimage.uniform_filter(v, 2, origin=-1)[::2, ::2] for v in (x, y))
    return product


def test_ms_ssim_agrees_with_its_definition():
    x = photograph((2, 88, 104, 2))
    y = np.clip(x + 0.3 * photograph(x.shape, 1, 1.0) - 0.1, 0, 1)
    x64, y64 = x.astype(np.float64), y.astype(np.float64)
    expected = [np.mean([slow_ms_ssim(x64[i, ..., c], y64[i, ..., c], 4) for c in range(2)]) for i in range(2)]
    np.testing.assert_allclose(1 - ms_ssim(x, y), expected, atol=1e-5)


def test_ms_ssim_of_one_scale_and_its_map():
    """One 11x11 window: l and cs at its centre."""
    x, y = photograph((1, 11, 11, 1)), photograph((1, 11, 11, 1), 1)
    y = 0.5 * x + 0.5 * y
    expected = ssim(x, y)[0, 5, 5]
    np.testing.assert_allclose(ms_ssim(x, y)[0], expected, atol=1e-5)
    np.testing.assert_allclose(jax.jit(map_ms_ssim)(x, y)[0, 5, 5], expected, atol=1e-5)


def test_filters_gradient_is_the_transpose():
    """Against autodiff of a plain convolution, for taps that are not symmetric."""
    taps = (0.5, 0.0, -0.2, 0.1)
    x = jnp.asarray(photograph((2, 9, 7, 2)))
    for axis in (1, 2):
        plain = lambda v, axis=axis: jnp.apply_along_axis(
            lambda row: jnp.convolve(row, jnp.asarray(taps[::-1]), mode="valid"), axis, v
        )
        ours = lambda v, axis=axis: filters.correlate(v, taps, axis)
        np.testing.assert_allclose(ours(x), jax.jit(plain)(x), atol=1e-6)
        square = lambda f: jax.jit(jax.grad(lambda v: (f(v) ** 2).sum()))(x)
        np.testing.assert_allclose(square(ours), square(plain), atol=1e-5)


def test_pyramid_keeps_its_register():
    """A ramp comes back in place after one halving, whatever the parity of the size."""
    for h, w in ((16, 16), (17, 15)):
        ramp = np.broadcast_to(np.arange(w, dtype=np.float32), (1, h, w))[..., None]
        back = filters.enlarge(filters.halve(ramp), 1, h, w)
        assert back.shape == ramp.shape
        np.testing.assert_allclose(back[:, :, 1 : w - 3], ramp[:, :, 1 : w - 3], atol=1e-5)


def test_median_is_the_median():
    x = np.random.default_rng(0).random((1, 12, 13, 1)).astype(np.float32)
    expected = ndimage.median_filter(x[0, ..., 0], 3, mode="nearest")
    np.testing.assert_array_equal(jax.jit(filters.median3)(x)[0, ..., 0], expected)
