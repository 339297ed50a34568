"""Moments, Bayes's rule on scalars, and parameterisations that are each other's inverses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.diffusion import noises, schedules
from adjax.diffusion.process import PARAMETERISATIONS, Parts, denoiser, diffused, guided, posterior, split, target
from adjax.types import UserError
from tests.diffusion import gaussian

SCHEDULE = schedules.linear()


def steps(*values):
    return jnp.asarray(values, jnp.int32)


def test_moments_of_the_forward_process():
    x0, t = jnp.full((2, 128, 128, 1), 0.7), steps(200, 500)
    noise = noises.gaussian(gaussian.keys(2), (128, 128, 1), t.astype(jnp.float32))
    x = np.asarray(diffused(SCHEDULE, x0, noise, t), np.float64)
    error = 5 / 128  # standard errors of a mean of 128² values
    np.testing.assert_allclose(x.mean((1, 2, 3)), 0.7 * SCHEDULE.signal[[200, 500]], atol=error)
    np.testing.assert_allclose(x.std((1, 2, 3)), SCHEDULE.sigma[[200, 500]], rtol=error)


def test_step_0_is_the_image():
    x0 = jax.random.normal(jax.random.key(0), (1, 4, 4, 1))
    np.testing.assert_array_equal(diffused(SCHEDULE, x0, jnp.full_like(x0, 9.0), steps(0)), x0)


@pytest.mark.parametrize("few", [1000, 25])
@pytest.mark.parametrize("place", [0.002, 0.2, 1.0])
def test_the_posterior_is_bayes_rule(few, place):
    """N(x_{t-1}; from x_0) · N(x_t; from x_{t-1}), as the product of two Gaussians in x_{t-1}."""
    schedule = schedules.respaced(SCHEDULE, few)
    t, x0, xt = max(2, round(few * place)), 0.4, -1.3
    prior_mean, prior_variance = schedule.signal[t - 1] * x0, schedule.sigma[t - 1] ** 2
    slope = schedule.signal[t] / schedule.signal[t - 1]
    step_variance = 1 - slope**2
    variance = 1 / (1 / prior_variance + slope**2 / step_variance)
    mean = variance * (prior_mean / prior_variance + slope * xt / step_variance)
    found = posterior(schedule, *(jnp.full((1, 1, 1, 1), x) for x in (x0, xt)), steps(t))
    np.testing.assert_allclose([float(value.squeeze()) for value in found], [mean, variance], rtol=1e-4)


def test_the_posterior_of_step_1_is_the_image():
    x0, xt = (jnp.full((1, 1, 1, 1), x) for x in (0.4, -1.3))
    mean, variance = posterior(SCHEDULE, x0, xt, steps(1))
    assert (mean.squeeze(), variance.squeeze()) == (pytest.approx(0.4), 0)


@pytest.mark.parametrize("kind", PARAMETERISATIONS)
def test_a_right_prediction_gives_back_image_and_noise(kind):
    """Also the oracle's proof: with the true noise the image comes back to 1e-5 below step 500."""
    keys = gaussian.keys(2)
    t = steps(1, 499) if kind != "x0" else steps(100, 499)  # near step 1 the image says little of the noise
    parts = Parts(0.3 * jax.random.normal(keys[0], (2, 8, 8, 1)), jax.random.normal(keys[1], (2, 8, 8, 1)))
    xt = diffused(SCHEDULE, *parts, t)
    found = split(SCHEDULE, target(SCHEDULE, parts, t, kind), xt, t, kind)
    np.testing.assert_allclose(found.x0, parts.x0, atol=1e-5)
    np.testing.assert_allclose(found.epsilon, parts.epsilon, atol=1e-5)


def test_v_turns_image_and_noise_by_an_angle():
    """|x_t|² + |v|² = |x_0|² + |noise|²."""
    keys, t = gaussian.keys(2), steps(300)
    parts = Parts(*(jax.random.normal(key, (1, 4, 4, 1)) for key in keys))
    x, v = diffused(SCHEDULE, *parts, t), target(SCHEDULE, parts, t, "v")
    np.testing.assert_allclose(x**2 + v**2, parts.x0**2 + parts.epsilon**2, rtol=1e-4)


def test_the_denoiser_tells_the_network_the_original_time_and_clips():
    few = schedules.respaced(SCHEDULE, 4, 200)
    network = lambda x, time: jnp.broadcast_to(time.astype(jnp.float32)[:, None, None, None], x.shape)
    x = jnp.zeros((2, 2, 2, 1))
    said = denoiser(few, network, "x0", clip=False)(x, steps(1, 4))
    np.testing.assert_array_equal(said[:, 0, 0, 0], [49, 199])
    np.testing.assert_array_equal(denoiser(few, network, "x0")(x, steps(1, 4)), jnp.ones_like(x))


def test_guidance_changes_the_noise_as_published():
    """Without it the estimate stays; at 1 / sigma² it is the wanted image."""
    keys, t, weight = gaussian.keys(3), steps(50, 250), 3.0
    wanted, epsilon, xt = (jax.random.normal(key, (2, 4, 4, 1)) for key in keys)
    signal, sigma = (np.float32(values[[50, 250]])[:, None, None, None] for values in SCHEDULE[2:])
    changed = epsilon - weight * sigma * (signal * wanted + sigma * epsilon - xt)
    denoise = denoiser(SCHEDULE, lambda x, time: epsilon, clip=False)
    np.testing.assert_allclose(
        guided(SCHEDULE, denoise, wanted, weight)(xt, t), (xt - sigma * changed) / signal, atol=1e-4
    )
    np.testing.assert_array_equal(guided(SCHEDULE, denoise, wanted, 0.0)(xt, t), denoise(xt, t))
    full = guided(SCHEDULE, denoise, wanted, float(1 / SCHEDULE.sigma[250] ** 2))(xt, t)
    np.testing.assert_allclose(full[1], wanted[1], atol=1e-5)


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="unknown parameterisation 'score'; choose from epsilon, x0, v"):
        split(SCHEDULE, *[jnp.zeros((1, 1, 1, 1))] * 2, steps(1), "score")
    with pytest.raises(UserError, match="unknown noise 'pink'; choose from gaussian, simplex, coloured"):
        noises.named("pink")


@pytest.mark.parametrize(("name", "deviation"), [("gaussian", 1.0), ("simplex", 0.506), ("coloured", 1.0)])
def test_noises_are_fresh_by_key_and_have_their_deviation(name, deviation):
    draw = jax.jit(lambda keys: noises.named(name)(keys, (64, 64, 1), jnp.full(len(keys), 5.0)))
    fields = np.asarray(draw(gaussian.keys(64)))
    # Coloured fields have most of their power in a few waves, so that 64 of them still scatter.
    assert np.sqrt((fields**2).mean()) == pytest.approx(deviation, rel=0.1 if name == "coloured" else 0.04)
    assert np.abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.9
