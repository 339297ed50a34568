"""What every reconstruction loss must do, by name only."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.losses import LOSSES, weighted_map, weighted_terms
from adjax.types import UserError

SHAPE = (3, 27, 34, 2)  # odd and even, more than one channel, two scales of MS-SSIM

each_loss = pytest.mark.parametrize("name", LOSSES)


def pair(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random(shape, np.float32), rng.random(shape, np.float32)


@functools.cache
def fused(name: str):
    """Map and term in one program."""
    return jax.jit(lambda pred, target: (LOSSES[name].map(pred, target), LOSSES[name].term(pred, target)))


@functools.cache
def gradients(name: str):
    """Value and gradient of the mean of the map, and of the term."""

    def both(pred, target):
        as_map = lambda p: LOSSES[name].map(p, target).mean()
        as_term = lambda p: LOSSES[name].term(p, target).mean()
        return jax.value_and_grad(as_map)(pred), jax.value_and_grad(as_term)(pred)

    return jax.jit(both)


@each_loss
def test_shapes_zero_at_equality_and_order_of_the_batch(name):
    pred, target = pair()
    both = fused(name)
    loss_map, term = both(pred, target)
    assert loss_map.shape == SHAPE[:3] and loss_map.dtype == jnp.float32
    assert term.shape == SHAPE[:1] and term.dtype == jnp.float32
    assert float(loss_map.min()) >= 0 and float(term.min()) > 1e-4

    order = np.array([2, 0, 1])
    for ordered, plain in zip(both(pred[order], target[order]), (loss_map, term)):
        np.testing.assert_allclose(ordered, plain[order], rtol=1e-5, atol=1e-6)
    for value in both(pred, pred):
        np.testing.assert_allclose(value, 0, atol=1e-6)


@each_loss
def test_map_is_largest_near_a_defect(name):
    target = pair()[0] * 0.2 + 0.4
    pred = target.copy()
    stripes = np.where(np.arange(10) % 2, 0.4, -0.4).astype(np.float32)
    pred[:, 5:8, 20:30] += stripes[None, None, :, None]
    loss_map, _ = fused(name)(pred, target)
    y, x = np.divmod(np.asarray(loss_map).reshape(3, -1).argmax(1), SHAPE[2])
    assert ((y >= 2) & (y <= 10) & (x >= 17) & (x <= 32)).all()


@each_loss
def test_gradients_are_finite(name):
    noise, target = pair()
    zeros, ones = np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    cases = {
        "equal": (noise, noise),
        "black": (zeros, zeros),
        "white on black": (ones, zeros),
        "opposite": (1 - np.round(noise), np.round(noise)),
        "constant": (zeros + 0.25, ones * 0.75),
        "far outside": (100 * (noise - 0.5), target),
    }
    for case, (pred, target) in cases.items():
        for value, gradient in gradients(name)(pred, target):
            assert np.isfinite(value) and np.isfinite(gradient).all(), case
            assert np.abs(gradient).max() < 1, case


@each_loss
def test_gradient_is_the_slope(name):
    """Towards the target, against central differences of the value."""
    noise, target = pair(1)
    pred = 0.7 * target + 0.3 * noise
    direction, step = target - pred, 3e-3
    (_, map_gradient), (_, term_gradient) = gradients(name)(pred, target)
    ahead, behind = (fused(name)(pred + sign * step * direction, target) for sign in (1, -1))
    for gradient, a, b in zip((map_gradient, term_gradient), ahead, behind):
        expected = float(a.mean() - b.mean()) / (2 * step)
        np.testing.assert_allclose((np.asarray(gradient) * direction).sum(), expected, rtol=0.02)


@each_loss
def test_half_precision_is_computed_in_single(name):
    pred, target = (jnp.asarray(x, jnp.bfloat16) for x in pair())
    expected = fused(name)(pred.astype(jnp.float32), target.astype(jnp.float32))
    for value, single in zip(fused(name)(pred, target), expected):
        np.testing.assert_allclose(value, single, rtol=1e-5, atol=1e-6)


def test_weighted_sums():
    pred, target = pair()
    weights = {"l1": 0.5, "ssim": 2.0, "gms": 0}
    (differences, _), (structure, term) = (fused(name)(pred, target) for name in ("l1", "ssim"))
    expected = 0.5 * differences + 2 * structure
    np.testing.assert_allclose(jax.jit(weighted_map(weights))(pred, target), expected, rtol=1e-6)
    terms = jax.jit(weighted_terms(weights))(pred, target)
    assert set(terms) == {"l1", "ssim"}
    np.testing.assert_allclose(terms["ssim"], term)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"l3": 1.0}, r"unknown loss 'l3'; choose from l2, l1"),
        ({"l2": -1.0}, r"weight of loss 'l2' is -1.0"),
        ({"l2": float("nan")}, r"weight of loss 'l2' is nan"),
        ({"l2": 0.0}, r"no loss has a positive weight"),
        ({}, r"no loss has a positive weight"),
    ],
)
def test_bad_weights(weights, message):
    for make in (weighted_map, weighted_terms):
        with pytest.raises(UserError, match=message):
            make(weights)


@each_loss
def test_ignored_pixels_enter_neither_loss_nor_map(name):
    """Whatever is predicted there changes nothing, not even around it, and nothing descends there."""
    pred, target = pair()
    ignore = np.zeros(SHAPE[:3], bool)
    ignore[:2, 5:15, 8:20] = True
    terms, errors = weighted_terms({name: 2.0}), weighted_map({name: 2.0})

    @jax.jit
    def run(pred):
        total = lambda p: terms(p, target, ignore)[name]
        value, pull = jax.vjp(total, pred)
        return value, pull(jnp.ones_like(value))[0], errors(pred, target, ignore)

    (value, slope, seen), (again, _, seen_again) = run(pred), run(np.where(ignore[..., None], np.float32(7), pred))
    np.testing.assert_array_equal(again, value)
    np.testing.assert_array_equal(seen_again, seen)
    assert not np.asarray(slope)[ignore].any() and np.asarray(slope)[~ignore].any()
    np.testing.assert_allclose(value[2], fused(name)(pred, target)[1][2], rtol=1e-5)


@pytest.mark.parametrize("name", ["l1", "l2", "charbonnier"])
def test_with_ignored_pixels_a_loss_is_the_mean_over_the_others(name):
    pred, target = pair()
    ignore = np.zeros(SHAPE[:3], bool)
    ignore[0, 3:], ignore[1] = True, True
    found = weighted_terms({name: 1.0})(pred, target, ignore)[name]
    want = np.asarray(LOSSES[name].map(pred, target))
    np.testing.assert_allclose(found[0], want[0, :3].mean(), rtol=1e-5)
    assert float(found[1]) == 0.0
    np.testing.assert_allclose(found[2], want[2].mean(), rtol=1e-5)
