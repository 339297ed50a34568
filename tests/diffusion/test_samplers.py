"""On data whose best denoiser is known every sampler must reach the data, each at its order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adjax.diffusion import noises, samplers, schedules
from adjax.diffusion.process import at, completing, posterior
from adjax.types import UserError
from tests.diffusion import gaussian

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it

SCHEDULE = schedules.linear()
SIDE = 64
WAYS = {
    "ddpm": (samplers.ddpm, 1000),
    "ddpm, posterior variance": (functools.partial(samplers.ddpm, posterior_variance=True), 1000),
    "ddim": (samplers.ddim, 250),
    "ddim, eta 0.5": (functools.partial(samplers.ddim, eta=0.5), 500),
    "dpm_solver": (samplers.dpm_solver, 60),
}


@pytest.mark.parametrize("top", [1000, 300])
@pytest.mark.parametrize("name", WAYS)
def test_samplers_reach_the_data(name, top):
    sampler, steps = WAYS[name]
    schedule = schedules.respaced(SCHEDULE, min(steps, top), top)
    x = gaussian.draw(schedule, -1, (2, SIDE, SIDE, 1), seed=1)
    run = jax.jit(lambda x, keys: sampler(schedule, gaussian.best(schedule), x, keys))
    found = np.asarray(run(x, gaussian.keys(2)), np.float64)
    # Four standard errors, and what steps of this width are off by.
    error = 4 / np.sqrt(found.size)
    assert found.mean() == pytest.approx(gaussian.MEAN, abs=error * gaussian.SPREAD + 0.002)
    assert found.std() == pytest.approx(gaussian.SPREAD, rel=error + 0.015)


def test_with_few_steps_the_second_order_pays():
    schedule = schedules.respaced(SCHEDULE, 20)
    x = gaussian.draw(schedule, -1, (1, 16, 16, 1), seed=1)
    exact = gaussian.flowed(schedule, x, -1, 0)
    ways = (samplers.ddim, samplers.dpm_solver)
    first, second = (way(schedule, gaussian.best(schedule), x, gaussian.keys(1)) for way in ways)
    assert jnp.abs(second - exact).max() < 0.5 * jnp.abs(first - exact).max()


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_without_steps_the_image_comes_back(name):
    x = jax.random.normal(jax.random.key(0), (1, 4, 4, 1))
    schedule = schedules.respaced(SCHEDULE, 0, 0)
    np.testing.assert_array_equal(samplers.SAMPLERS[name](schedule, gaussian.best(schedule), x, gaussian.keys(1)), x)


def test_ddim_with_eta_1_is_ddpm():
    schedule = schedules.respaced(SCHEDULE, 50)
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 1))
    ways = (
        functools.partial(samplers.ddim, eta=1.0),
        functools.partial(samplers.ddpm, posterior_variance=True),
    )
    a, b = (jax.jit(lambda x, w=way: w(schedule, gaussian.best(schedule), x, gaussian.keys(2)))(x) for way in ways)
    np.testing.assert_allclose(a, b, atol=2e-5)


def test_ancestral_noise_has_the_variance_beta():
    """Of two steps only the first is noisy; the second maps x_1 to the denoised image, here x_1 itself."""
    schedule = schedules.respaced(SCHEDULE, 2, 400)
    x = jnp.zeros((1, SIDE, SIDE, 1))
    found = np.asarray(samplers.ddpm(schedule, lambda x, t: x, x, gaussian.keys(1)))
    mean, _ = posterior(schedule, *[jnp.ones((1, 1, 1, 1))] * 2, jnp.ones(1, jnp.int32))
    assert found.std() == pytest.approx(float(mean.squeeze()) * schedule.beta[2] ** 0.5, rel=4 / SIDE)


def test_images_have_their_own_randomness_whatever_their_neighbours():
    schedule = schedules.respaced(SCHEDULE, 3, 200)
    x, keys = jnp.zeros((3, 8, 8, 1)), gaussian.keys(3)
    run = lambda x, keys: samplers.ddpm(schedule, gaussian.best(schedule), x, keys, noises.coloured)
    together, alone = jax.jit(run)(x, keys), jax.jit(run)(x[1:2], keys[1:2])
    np.testing.assert_allclose(alone[0], together[1], atol=1e-6)
    assert not np.allclose(together[0], together[1], atol=0.05)


def test_noise_is_asked_for_once_per_step_with_the_network_s_time():
    asked = []

    def noise(keys, shape, time):
        jax.debug.callback(
            lambda *values: asked.append([np.asarray(v) for v in values]), time, jax.random.key_data(keys)
        )
        return noises.gaussian(keys, shape, time)

    schedule = schedules.respaced(SCHEDULE, 4, 200)
    x = jnp.zeros((2, 4, 4, 1))
    jax.block_until_ready(samplers.ddpm(schedule, gaussian.best(schedule), x, gaussian.keys(2), noise))
    jax.effects_barrier()
    assert sorted(float(time[0]) for time, _ in asked) == [49, 99, 149, 199]
    assert len({bytes(key) for _, keys in asked for key in keys}) == 8


def test_inversion_and_generation_end_where_they_began():
    schedule = schedules.respaced(SCHEDULE, 500, 500)
    x = gaussian.draw(SCHEDULE, 0, (1, 16, 16, 1), seed=2)
    denoise = gaussian.best(schedule)

    @jax.jit
    def both(x):
        up = samplers.inverted(schedule, denoise, x)
        return up, samplers.ddim(schedule, denoise, up, gaussian.keys(1))

    up, down = both(x)
    np.testing.assert_allclose(up, gaussian.flowed(schedule, x, 0, -1), atol=2e-2)
    np.testing.assert_allclose(down, x, atol=1e-2)


def test_unknown_samplers_and_an_eta_that_nothing_reads_are_refused():
    assert samplers.named("ddim", 1.0).keywords == {"eta": 1.0}
    with pytest.raises(UserError, match="unknown sampler 'heun'; choose from ddpm, ddim, dpm_solver"):
        samplers.named("heun")
    with pytest.raises(UserError, match="sampler 'ddpm' has no eta, it is 1.0; choose ddim, or eta 0"):
        samplers.named("ddpm", 1.0)


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("dpm_solver", 2)])
def test_solvers_have_their_order(name, order):
    """Against the exact flow, from one noise to a lower one, in steps of equal width of log(signal / sigma)."""
    errors = []
    for steps in (32, 64, 128):
        ratio = np.linspace(2.0, -3.0, steps + 1)
        schedule = schedules.from_alpha_bar(1 / (1 + np.exp(-2 * ratio)))
        x = gaussian.draw(schedule, -1, (1, 8, 8, 1), seed=3)
        found = samplers.SAMPLERS[name](schedule, gaussian.best(schedule), x, gaussian.keys(1))
        errors.append(float(jnp.abs(found - gaussian.flowed(schedule, x, -1, 0)).max()))
    rates = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(rates, order, atol=0.35)


def test_completed_pixels_fit_the_known_ones():
    """Two channels that go together, the first of them known: more rounds come closer to what the second then is."""
    shared, schedule = 0.9, schedules.respaced(SCHEDULE, 250)
    known = jax.random.normal(jax.random.key(3), (1, SIDE, SIDE, 1))
    image = jnp.concatenate([known, jnp.full_like(known, 9.0)], -1)
    mask = jnp.broadcast_to(jnp.array([1.0, 0.0])[None, None, None], image.shape)

    def best(x, t):
        """E[x_0 | x_t] of channels with variance 1 and this correlation."""
        signal, sigma = at(schedule.signal, t)[0, 0], at(schedule.sigma, t)[0, 0]
        covariance = jnp.array([[1.0, shared], [shared, 1.0]])
        gain = signal * covariance @ jnp.linalg.inv(signal**2 * covariance + sigma**2 * jnp.eye(2))
        return x @ gain

    def found(rounds):
        """How the second channel goes with the first, and its spread about that."""
        denoise, x = completing(best, image, mask), jax.random.normal(jax.random.key(4), image.shape)
        run = jax.jit(lambda x, keys: samplers.repaint(schedule, denoise, x, keys, rounds=rounds))
        first, second = np.moveaxis(np.asarray(run(x, gaussian.keys(1)), np.float64)[0], -1, 0)
        np.testing.assert_allclose(first, known[0, ..., 0], atol=1e-5)
        slope = (first * second).mean() / (first**2).mean()
        return slope, (second - slope * first).std()

    few, many = found(1), found(10)
    assert many[0] == pytest.approx(shared, abs=0.05) and many[1] == pytest.approx((1 - shared**2) ** 0.5, rel=0.1)
    assert abs(few[0] - shared) > 2 * abs(many[0] - shared)


def test_repaint_of_one_round_is_ddpm():
    schedule = schedules.respaced(SCHEDULE, 20)
    x, keys = jax.random.normal(jax.random.key(1), (2, 8, 8, 1)), gaussian.keys(2)
    first = jax.vmap(lambda key: jax.random.fold_in(jax.random.fold_in(key, 0), 0))(keys)
    ancestral = functools.partial(samplers.ddpm, posterior_variance=True)
    found = jax.jit(lambda keys: samplers.repaint(schedule, gaussian.best(schedule), x, keys))(keys)
    wanted = jax.jit(lambda keys: ancestral(schedule, gaussian.best(schedule), x, keys))(first)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
