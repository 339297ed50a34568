"""Segmentation losses against plain NumPy on probabilities, and a one-pixel object."""

import functools

import jax
import numpy as np
import pytest

from adjax import losses

rng = np.random.default_rng(0)
LOGITS = rng.normal(scale=2, size=(3, 6, 7)).astype(np.float32)
TARGET = (rng.random((3, 6, 7)) < 0.3).astype(np.float32)
P = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))

TERMS = {
    "cross_entropy": losses.term_cross_entropy,
    "focal": losses.term_focal,
    "balanced": functools.partial(losses.term_balanced_cross_entropy, class_weights=(0.5, 2000.0)),
    "dice": losses.term_dice,
    "dice, hardly smoothed": functools.partial(losses.term_dice, smooth=1e-5),
    "dice_focal": losses.term_dice_focal,
    "dice_cross_entropy": losses.term_dice_cross_entropy,
    "tversky": losses.term_tversky,
    "tversky, hardly smoothed": functools.partial(losses.term_tversky, smooth=1e-5),
    "focal_tversky": losses.term_focal_tversky,
    "focal_tversky, hardly smoothed": functools.partial(losses.term_focal_tversky, smooth=1e-5),
}
each_term = pytest.mark.parametrize("name", TERMS)


@functools.cache
def value_and_gradient(name):
    def both(logits, target):
        return TERMS[name](logits, target), jax.grad(lambda x: TERMS[name](x, target).sum())(logits)

    return jax.jit(both)


def slow(name):
    """The losses by their definitions, image by image."""
    entropy = -(TARGET * np.log(P) + (1 - TARGET) * np.log(1 - P))
    right = np.where(TARGET == 1, P, 1 - P)
    focal = (-((1 - right) ** 2) * np.log(right)).mean((1, 2))
    weight = np.where(TARGET == 1, 2000.0, 0.5)
    tp, fp, fn = ((x).sum((1, 2)) for x in (P * TARGET, P * (1 - TARGET), (1 - P) * TARGET))
    smooth = 1e-5 if "hardly" in name else 1.0
    dice = 1 - (2 * tp + smooth) / (P.sum((1, 2)) + TARGET.sum((1, 2)) + smooth)
    tversky = 1 - (tp + smooth) / (tp + 0.3 * fp + 0.7 * fn + smooth)
    return {
        "cross_entropy": entropy.mean((1, 2)),
        "focal": focal,
        "balanced": (weight * entropy).sum((1, 2)) / weight.sum((1, 2)),
        "dice": dice,
        "dice_focal": dice + focal,
        "dice_cross_entropy": dice + entropy.mean((1, 2)),
        "tversky": tversky,
        "focal_tversky": tversky**0.75,
    }[name.split(",")[0]]


@each_term
def test_agrees_with_its_definition(name):
    np.testing.assert_allclose(value_and_gradient(name)(LOGITS, TARGET)[0], slow(name), atol=4e-5, rtol=1e-5)


@each_term
def test_is_zero_for_the_mask_itself_and_pulls_towards_it(name):
    value, _ = value_and_gradient(name)(200 * (TARGET - 0.5), TARGET)
    np.testing.assert_allclose(value, 0, atol=1e-6)
    _, gradient = value_and_gradient(name)(0 * LOGITS, TARGET)
    np.testing.assert_array_equal(np.sign(gradient), np.sign(0.5 - TARGET))


@each_term
@pytest.mark.parametrize("object_", ["none", "one pixel", "all"])
def test_small_objects_do_not_explode(name, object_):
    """Whatever the logits, the loss stays within their size and no pixel's gradient exceeds 2."""
    target = np.zeros((1, 64, 64), np.float32)
    if object_ == "one pixel":
        target[0, 20, 30] = 1
    elif object_ == "all":
        target[:] = 1
    found = np.where(target == 1, 3, -9).astype(np.float32)
    for logits in (np.zeros_like(target), found, -found, np.full_like(target, -100), np.full_like(target, 100)):
        value, gradient = value_and_gradient(name)(logits, target)
        assert np.isfinite(value).all() and 0 <= value[0] <= 101.1
        assert np.isfinite(gradient).all() and np.abs(gradient).max() <= 2


def test_a_missed_pixel_is_noticed():
    """Missing the only anomalous pixel: a 4096th of the cross-entropy, but a half of Dice."""
    target = np.zeros((1, 64, 64), np.float32)
    target[0, 20, 30] = 1
    missed = np.full_like(target, -20)
    np.testing.assert_allclose(losses.term_dice(missed, target), 0.5, atol=1e-4)
    np.testing.assert_allclose(losses.term_cross_entropy(missed, target), 20 / 4096, rtol=1e-4)
    balanced = losses.term_balanced_cross_entropy(missed, target, class_weights=losses.median_frequency_weights(target))
    np.testing.assert_allclose(balanced, 10, rtol=1e-3)  # half of the weight lies on that pixel


def test_relatives():
    dice = losses.term_dice(LOGITS, TARGET, smooth=2.0)
    np.testing.assert_allclose(losses.term_tversky(LOGITS, TARGET, alpha=0.5, beta=0.5), dice, atol=1e-6)
    jaccard = 1 - ((P * TARGET).sum((1, 2)) + 1) / ((P + TARGET - P * TARGET).sum((1, 2)) + 1)
    np.testing.assert_allclose(losses.term_tversky(LOGITS, TARGET, alpha=1, beta=1), jaccard, atol=1e-6)
    entropy = losses.term_cross_entropy(LOGITS, TARGET)
    np.testing.assert_allclose(losses.term_focal(LOGITS, TARGET, gamma=0.0), entropy, rtol=1e-5)
    np.testing.assert_allclose(losses.term_focal(LOGITS, TARGET, gamma=0.0, alpha=0.5), entropy / 2, rtol=1e-5)
    uniform = losses.term_balanced_cross_entropy(LOGITS, TARGET, class_weights=(3.0, 3.0))
    np.testing.assert_allclose(uniform, entropy, rtol=1e-5)


def test_focal_alpha_weighs_the_anomalous_class():
    ones = np.ones_like(TARGET)
    quarter = losses.term_focal(LOGITS, ones, alpha=0.25)
    np.testing.assert_allclose(quarter, 0.25 * losses.term_focal(LOGITS, ones), rtol=1e-5)


def test_median_frequency_weights():
    masks = np.zeros((4, 10, 10), np.float32)
    masks[1, 0, 0] = masks[2, :3, 0] = 1  # 1 % and 3 % of the two images that have any
    anomalous, normal = 0.02, np.mean([1, 0.99, 0.97, 1])
    expected = np.median([normal, anomalous]) / np.array([normal, anomalous])
    np.testing.assert_allclose(losses.median_frequency_weights(masks), expected, rtol=1e-5)
    for only in (np.zeros_like(masks), np.ones_like(masks)):
        np.testing.assert_array_equal(losses.median_frequency_weights(only), 1)


def test_each_image_counts_alone():
    """An image gives the same number in any batch."""
    for term in TERMS.values():
        np.testing.assert_allclose(term(LOGITS[1:2], TARGET[1:2])[0], term(LOGITS, TARGET)[1], rtol=1e-5)
