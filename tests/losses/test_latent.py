"""The variational bound against SciPy's distributions and its known limits."""

import jax
import numpy as np
import pytest
from scipy import stats

from adjax.losses import kl_weight, term_bernoulli, term_gaussian, term_kl

rng = np.random.default_rng(0)
MEAN = rng.normal(size=(3, 4)).astype(np.float32)
LOG_VARIANCE = rng.normal(size=(3, 4)).astype(np.float32)


def test_kl_by_integration():
    """Against the integral of q log(q / p) on a fine grid, dimension by dimension."""
    z = np.linspace(-30, 30, 60_001)
    expected = np.zeros((3, 4))
    for index in np.ndindex(3, 4):
        q = stats.norm(MEAN[index], np.exp(LOG_VARIANCE[index] / 2))
        expected[index] = (q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z))).sum() * (z[1] - z[0])
    np.testing.assert_allclose(term_kl(MEAN, LOG_VARIANCE), expected.sum(1), rtol=1e-4)
    # Free nats act on each dimension.
    free = term_kl(MEAN, LOG_VARIANCE, free_nats=0.5)
    np.testing.assert_allclose(free, np.maximum(expected, 0.5).sum(1), rtol=1e-4)


def test_kl_is_zero_for_the_prior_only():
    zero = np.zeros((2, 5), np.float32)
    np.testing.assert_array_equal(term_kl(zero, zero), 0)
    np.testing.assert_allclose(term_kl(zero + 1e-3, zero), 5 * 0.5e-6, rtol=1e-4)
    np.testing.assert_allclose(term_kl(zero, zero + 1e-3), 5 * 0.25e-6, rtol=1e-2)
    for gradient in jax.jit(jax.grad(lambda m, v: term_kl(m, v).sum(), argnums=(0, 1)))(zero, zero):
        np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("extreme", [-80.0, 80.0])
def test_kl_gradient_is_finite(extreme):
    log_variance = np.full((1, 2), extreme, np.float32)
    value, gradient = jax.jit(jax.value_and_grad(lambda v: term_kl(v, v).sum()))(log_variance)
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_free_nats_stop_the_gradient_below():
    gradient = jax.jit(jax.grad(lambda m: term_kl(m, 0 * m, free_nats=0.1).sum()))(np.float32([[0.1, 2.0]]))
    np.testing.assert_allclose(gradient, [[0.0, 2.0]])


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_gaussian(sigma):
    expected = -stats.norm(MEAN.astype(np.float64), sigma).logpdf(LOG_VARIANCE).sum(1)
    np.testing.assert_allclose(term_gaussian(MEAN, LOG_VARIANCE, sigma=sigma), expected, rtol=1e-4)


def test_default_sigma_is_the_sum_of_squares():
    difference = term_gaussian(MEAN, LOG_VARIANCE) - term_gaussian(MEAN, MEAN)
    np.testing.assert_allclose(difference, ((MEAN - LOG_VARIANCE) ** 2).sum(1), rtol=1e-5)


def test_bernoulli():
    target = rng.integers(0, 2, MEAN.shape).astype(np.float32)
    expected = -stats.bernoulli.logpmf(target.astype(int), 1 / (1 + np.exp(-MEAN.astype(np.float64)))).sum(1)
    np.testing.assert_allclose(term_bernoulli(MEAN, target), expected, rtol=1e-5)
    # The minimum over the logits is where sigmoid(logits) = target, and a far logit costs its size.
    fifth = np.full((1, 2), 0.2, np.float32)
    gradient = jax.jit(jax.grad(lambda x: term_bernoulli(x, fifth).sum()))(np.log(fifth / (1 - fifth)))
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    np.testing.assert_allclose(term_bernoulli(np.float32([[200.0]]), np.float32([[0.0]])), 200)


def test_kl_weight_keeps_the_minimum():
    """The gradients of both forms of the bound are parallel."""
    sigma, beta, pixels = 0.3, 4.0, 12
    target = rng.normal(size=(1, pixels)).astype(np.float32)

    def summed(code):
        return (term_gaussian(3 * code, target, sigma=sigma) + beta * term_kl(code, code)).sum()

    def averaged(code):
        mean = ((3 * code - target) ** 2).mean()
        return mean + kl_weight(beta, pixels, sigma=sigma) * term_kl(code, code).sum()

    code = rng.normal(size=(1, pixels)).astype(np.float32)
    np.testing.assert_allclose(
        jax.jit(jax.grad(summed))(code) * 2 * sigma**2 / pixels, jax.jit(jax.grad(averaged))(code), rtol=1e-4, atol=1e-6
    )
