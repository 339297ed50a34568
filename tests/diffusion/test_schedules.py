"""Published values of the schedules, and what respacing keeps."""

import numpy as np
import pytest

from adjax.diffusion import schedules
from adjax.types import UserError


def test_the_linear_schedule_has_the_published_values():
    """By AnoDDPM's entries, one less than our steps."""
    schedule = schedules.linear()
    published = {
        199: (0.8118, 0.5839),
        249: (0.7239, 0.6899),
        299: (0.6296, 0.7769),
        499: (0.2803, 0.9599),
        999: (0.0064, 1.0),
    }
    for entry, values in published.items():
        step = entry + 1
        assert schedule.time[step] == entry
        np.testing.assert_allclose((schedule.signal[step], schedule.sigma[step]), values, atol=5e-5)
    np.testing.assert_allclose(schedule.beta[1:], np.linspace(1e-4, 0.02, 1000))


def test_the_cosine_schedule_is_a_squared_cosine():
    schedule = schedules.cosine(1000)
    angle = lambda step: (step / 1000 + 0.008) / 1.008 * np.pi / 2
    for step in (1, 100, 500, 900, 998):
        assert schedule.signal[step] == pytest.approx(np.cos(angle(step)) / np.cos(angle(0)))
    assert schedule.beta[1000] == pytest.approx(0.999)


@pytest.mark.parametrize("schedule", [schedules.linear(), schedules.cosine()])
def test_step_0_is_the_clean_image_and_the_parts_have_unit_power(schedule):
    assert schedule.steps == 1000
    assert (schedule.signal[0], schedule.sigma[0], schedule.beta[0]) == (1, 0, 0)
    np.testing.assert_allclose(schedule.signal**2 + schedule.sigma**2, 1)
    assert np.all(np.diff(schedule.signal) < 0)


def test_respacing_keeps_the_noise_and_the_time_of_its_steps():
    schedule = schedules.linear()
    few = schedules.respaced(schedule, 5, 250)
    kept = [0, 50, 100, 150, 200, 250]
    np.testing.assert_allclose(few.sigma, schedule.sigma[kept])
    np.testing.assert_array_equal(few.time, schedule.time[kept])
    np.testing.assert_allclose(np.cumprod(1 - few.beta), schedule.signal[kept] ** 2)
    for ours, whole in zip(schedules.respaced(schedule, 1000), schedule):
        np.testing.assert_allclose(ours, whole, rtol=1e-10)


def test_what_cannot_be_respaced_is_refused():
    with pytest.raises(UserError, match="1001 of 1000; choose from 0 to 1000"):
        schedules.respaced(schedules.linear(), 10, 1001)
    for steps in (0, 6):
        with pytest.raises(UserError, match=f"{steps} steps for a diffusion to step 5; choose from 1 to 5"):
            schedules.respaced(schedules.linear(), steps, 5)
    with pytest.raises(UserError, match="unknown noise schedule 'sigmoid'; choose from linear, cosine"):
        schedules.named("sigmoid", 10)
