"""Pixel losses against their closed forms."""

import numpy as np
import pytest

from adjax.losses import map_charbonnier, map_l1, map_l2, map_smooth_l1


def images(error: float):
    target = np.full((2, 3, 4, 2), 0.25, np.float32)
    return target + np.float32(error), target


@pytest.mark.parametrize("error", [-0.5, 0.0, 0.03, 2.0])
def test_closed_forms(error):
    pred, target = images(error)
    np.testing.assert_allclose(map_l2(pred, target), error**2, atol=1e-6)
    np.testing.assert_allclose(map_l1(pred, target), abs(error), atol=1e-6)
    np.testing.assert_allclose(map_charbonnier(pred, target), np.hypot(error, 1e-3) - 1e-3, atol=1e-6)
    huber = 0.5 * error**2 if abs(error) < 1 else abs(error) - 0.5
    np.testing.assert_allclose(map_smooth_l1(pred, target), huber, atol=1e-6)


def test_channels_are_averaged():
    pred, target = images(0.0)
    pred[..., 1] += 0.5
    np.testing.assert_allclose(map_l2(pred, target), 0.125)
    np.testing.assert_allclose(map_l1(pred, target), 0.25)


def test_limits_of_the_charbonnier_loss():
    pred, target = images(0.1)
    np.testing.assert_allclose(map_charbonnier(pred, target, epsilon=1e-6), 0.1, rtol=1e-4)
    np.testing.assert_allclose(map_charbonnier(pred, target, epsilon=10.0), 0.1**2 / 20, rtol=0.01)


def test_limits_of_the_smooth_l1_loss():
    pred, target = images(0.1)
    np.testing.assert_allclose(map_smooth_l1(pred, target, beta=1e-6), 0.1, rtol=1e-4)
    np.testing.assert_allclose(map_smooth_l1(pred, target, beta=0.2), 0.1**2 / 0.4, rtol=1e-5)
