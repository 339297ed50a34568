"""The local median by histogram, against SciPy's sort."""

import jax
import numpy as np
from scipy.ndimage import median_filter

from adjax.methods.local_median import median


def test_median_equals_scipys_to_one_bin():
    image = np.array(jax.random.uniform(jax.random.key(0), (2, 40, 33)))
    image[1] = image[1].round(1)  # ties
    found = median(image, 7, 64)
    wanted = median_filter(image, size=(1, 7, 7), mode="reflect")
    np.testing.assert_allclose(found, wanted, atol=1 / 64 + 1e-6)


def test_median_of_extremes():
    for value in (0.0, 1.0):
        np.testing.assert_allclose(median(np.full((1, 9, 9), value, np.float32), 5, 64), value, atol=1 / 64)
