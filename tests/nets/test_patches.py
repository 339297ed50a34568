"""Patches: means of neighbourhoods, and the way to pixels against SciPy's filter."""

import jax
import numpy as np
from scipy.ndimage import gaussian_filter

from adjax.nets import patches


def test_means_count_zeros_beyond_the_border():
    found = patches.neighbourhood_mean(np.full((1, 4, 4, 1), 9, np.float32))[0, :, :, 0]
    np.testing.assert_allclose(found[:2, :2], [[4, 6], [6, 9]])


def test_maps_are_smoothed_as_scipy_does():
    scores = np.random.default_rng(0).normal(size=(2, 40, 30)).astype(np.float32)
    found = jax.jit(patches.to_pixels, static_argnums=(1, 2))(scores, (40, 30), 4.0)
    np.testing.assert_allclose(found, [gaussian_filter(s, 4.0) for s in scores], atol=1e-6)


def test_the_first_pass_ends_with_its_last_image():
    batch = {"_mask": np.array([True, False, True, True])}
    rows, left = patches.first_pass(np.int32(2), batch)
    assert rows.tolist() == [True, False, True, False]
    assert left == 0
    assert patches.first_pass(left, batch)[0].sum() == 0


def test_padding_and_ignored_pixels_are_no_patches():
    batch = {"image": np.zeros((1, 8, 8, 1), np.float32), "_size": np.array([[8, 4]], np.int32)}
    assert patches.valid_patches(batch, (2, 2))[0].tolist() == [[True, False], [True, False]]
