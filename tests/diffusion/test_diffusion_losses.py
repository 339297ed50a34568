"""The bound against sums and numerical integrals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from adjax.diffusion import losses, schedules
from adjax.diffusion.process import diffused, posterior
from tests.diffusion import gaussian

SCHEDULE = schedules.linear()
decoder = jax.jit(losses.decoder)


def images(*values):
    return [jnp.full((1, 2, 2, 1), value) for value in values]


def test_the_simple_loss_of_nothing_is_the_noise_s_power():
    noise = jax.random.normal(jax.random.key(0), (3, 8, 8, 2))
    np.testing.assert_allclose(losses.term_simple(jnp.zeros_like(noise), noise), (noise**2).mean((1, 2, 3)), rtol=1e-6)


def test_divergence_by_integration():
    p, q = stats.norm(0.3, 0.7), stats.norm(-0.2, 1.3)
    expected, _ = integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), -10, 10)
    found = losses.kl(*(jnp.float32(v) for v in (0.3, 2 * np.log(0.7), -0.2, 2 * np.log(1.3))))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.4), (0.97, 0.02), (-1.2, 0.3), (0.5, 0.004)])
def test_the_decoder_shares_all_mass_among_256_levels(mean, deviation):
    levels = jnp.asarray(np.linspace(-1, 1, 256), jnp.float32)
    log_variance = jnp.full_like(levels, 2 * np.log(deviation))
    mass = np.exp(-decoder(levels, jnp.full_like(levels, mean), log_variance))
    assert mass.sum() == pytest.approx(1, abs=1e-4)
    edges = np.concatenate([[-np.inf], np.linspace(-1, 1, 256)[1:] - 1 / 255, [np.inf]])
    np.testing.assert_allclose(mass, np.diff(stats.norm(mean, deviation).cdf(edges)), atol=1e-5)


def test_far_above_the_mean_the_decoder_keeps_its_digits():
    found = decoder(*images(0.5, 0.0, 2 * np.log(0.1)))
    expected = -stats.norm(0, 0.1).logsf(0.5 - 1 / 255)
    tail = -np.log1p(-np.exp(stats.norm(0, 0.1).logsf(0.5 + 1 / 255) + expected))
    np.testing.assert_allclose(found, expected - np.log(1) + tail, rtol=1e-3)


def test_the_bound_of_a_perfect_model_is_0_and_grows_with_the_mean_s_error():
    x0, xt = images(0.4, -0.8)
    t = jnp.full(1, 300, jnp.int32)
    mean, variance = posterior(SCHEDULE, x0, xt, t)
    bound = jax.jit(lambda shift: losses.term_bound(SCHEDULE, x0, xt, mean + shift, jnp.log(variance), t))
    np.testing.assert_allclose(bound(0.0), 0, atol=1e-6)
    np.testing.assert_allclose(bound(0.1), 0.01 / (2 * variance.reshape(1)), rtol=1e-3)


def test_variances_lie_between_the_posterior_s_and_beta():
    x0, xt = images(0.0, 0.0)
    for step in (2, 500):
        t = jnp.full(1, step, jnp.int32)
        ends = [np.exp(losses.log_variance(SCHEDULE, place, t))[0, 0, 0, 0] for place in images(-1.0, 1.0)]
        expected = [posterior(SCHEDULE, x0, xt, t)[1].squeeze(), SCHEDULE.beta[step]]
        np.testing.assert_allclose(ends, expected, rtol=1e-4)
    assert np.isfinite(losses.log_variance(SCHEDULE, x0 - 1, jnp.ones(1, jnp.int32))).all()


def test_the_hybrid_loss_teaches_the_mean_by_the_simple_part_alone():
    keys, t = gaussian.keys(3), jnp.asarray([1, 400], jnp.int32)
    x0, noise = (0.3 * jax.random.normal(key, (2, 4, 4, 1)) for key in keys[:2])
    xt, output = diffused(SCHEDULE, x0, noise, t), jax.random.normal(keys[2], (2, 4, 4, 2))
    total = lambda output, name: losses.terms_hybrid(SCHEDULE, output, x0, noise, xt, t)[name].sum()
    simple, bound = (jax.jit(jax.grad(total), static_argnums=1)(output, name) for name in ("simple", "bound"))
    assert np.all(simple[..., 1] == 0) and np.all(bound[..., 0] == 0)
    assert np.any(simple[..., 0] != 0) and np.isfinite(bound).all() and np.all(np.any(bound[..., 1] != 0, (1, 2)))
