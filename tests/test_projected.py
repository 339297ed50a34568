"""The projection against its equation, and what it promises: it goes downhill and leaves good images alone.

Axes: b batch, h height, w width, c channels, n pixels.
"""

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import pytest

from adjax import tiling, transforms
from adjax.methods import METHODS
from adjax.methods.intensity import intensity
from adjax.types import Method, UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it

SHAPE = (4, 8, 8, 1)
IMAGES = np.random.default_rng(0).uniform(0, 1, SHAPE).astype(np.float32)
BASIS = np.linalg.qr(np.random.default_rng(1).normal(size=(64, 5)))[0].astype(np.float32)


def linear(matrix_of_f) -> Method:
    """A method whose reconstruction is a matrix product: f(x) = x A."""

    def reconstruct(state, batch, keys):
        x = batch["image"]
        return (x.reshape(len(x), -1) @ matrix_of_f).reshape(x.shape)

    return Method(lambda *_: (), {}, intensity().score, reconstruct)


SUBSPACE = linear(BASIS @ BASIS.T)


def by_hand(images, a, steps, rate, l1, stop=0.0):
    """x - rate ∇E (x - f)² with the gradient (I - A)(I - A)ᵀ through f, image by image, in float64."""
    a, out = a.astype(np.float64), []
    for x0 in images.reshape(len(images), -1).astype(np.float64):
        x = x0.copy()
        for _ in range(steps):
            error = x - x @ a
            if (error**2).mean() <= stop:
                break
            x = x - rate * (2 * error @ (np.eye(len(x)) - a).T + l1 * np.sign(x - x0)) * error**2
        out.append(x)
    return np.array(out).reshape(images.shape)


def project(method, images, **settings):
    return matrix.score(transforms.projected(method, **settings), (), images)


@pytest.mark.parametrize("a", [BASIS @ BASIS.T, 0.5 * np.random.default_rng(2).normal(size=(64, 64)) / 8])
def test_a_step_is_the_published_one_through_the_reconstruction(a):
    """A reconstruction that is cut off from the gradient would miss the factor (I - A)ᵀ: the second A tells."""
    a = a.astype(np.float32)
    for steps in (1, 7):
        found = project(linear(a), IMAGES, steps=steps, rate=0.05, l1=0.2)
        wanted = by_hand(IMAGES, a, steps, 0.05, 0.2)
        # Not closer: a pixel that moves by less than a rounding has no sign.
        np.testing.assert_allclose(found.aux["reconstruction"], wanted, atol=1e-4)
        np.testing.assert_allclose(found.map, np.abs(wanted - IMAGES)[..., 0], atol=1e-4)
        np.testing.assert_allclose(found.score, np.abs(wanted - IMAGES).max((1, 2, 3)), atol=1e-4)


def test_the_identity_moves_nothing():
    found = project(linear(np.eye(64, dtype=np.float32)), IMAGES, steps=20)
    np.testing.assert_array_equal(found.map, 0)


def test_a_strong_l1_holds_the_image():
    """The weight outruns the error's gradient, so that a pixel steps out and back."""
    free, held = (project(SUBSPACE, IMAGES, steps=40, rate=1e-3, l1=l1) for l1 in (0.0, 10.0))
    assert np.median(held.map) < 0.2 * np.median(free.map)


def test_each_image_stops_by_itself():
    errors = ((IMAGES.reshape(4, -1) @ (np.eye(64) - BASIS @ BASIS.T)) ** 2).mean(1)
    stop = float(np.sort(errors)[1] * 0.5 + np.sort(errors)[2] * 0.5)
    found = project(SUBSPACE, IMAGES, steps=30, rate=0.3, l1=0.0, stop=stop)
    np.testing.assert_array_equal(found.score == 0, errors <= stop)
    wanted = by_hand(IMAGES, BASIS @ BASIS.T, 30, 0.3, 0.0, stop)
    np.testing.assert_allclose(found.aux["reconstruction"], wanted, atol=1e-5)
    after = ((found.aux["reconstruction"].reshape(4, -1) @ (np.eye(64) - BASIS @ BASIS.T)) ** 2).mean(1)
    np.testing.assert_array_less(after, np.maximum(errors, stop) + 1e-6)


def test_a_method_without_reconstruction_is_refused():
    with pytest.raises(UserError, match=r"projected.steps=0"):
        transforms.projected(intensity())


def trained(name: str):
    return matrix.build(METHODS[name]), matrix.fitted(name).state


def group(name: str, *marks):
    """In the process that trains the method for the matrix too."""
    return pytest.param(name, marks=[pytest.mark.xdist_group(name), *marks])


PROJECTABLE = pytest.mark.parametrize(
    "name",
    [
        group(n, *([] if n in ("conv_ae", "vae") else [pytest.mark.slow]))
        for n in METHODS
        if matrix.build(METHODS[n]).reconstruct is not None
    ],
)


@PROJECTABLE
@pytest.mark.budget(45)  # a training
def test_planted_images_go_further_than_normal_ones(name):
    method, state = trained(name)
    far = transforms.projected(method, steps=20, rate=1.0, rule="mean")
    clean = matrix.normals(16, seed=11)
    moved = [np.median(matrix.score(far, state, x).score) for x in (clean, matrix.planted(clean, seed=11)[0])]
    assert moved[0] < moved[1]


@PROJECTABLE
@pytest.mark.budget(45)  # a training, where this test runs first
def test_the_energy_falls(name):
    """Of every image, from a few steps to a few more, at a small rate."""
    method, state = trained(name)
    x0 = jnp.asarray(matrix.planted(matrix.normals(4, seed=11), seed=11)[0])
    keys = jax.random.split(jax.random.key(0), 4)

    @jax.jit
    def energies(x):
        error = x - method.reconstruct(state, matrix.batch(x), keys)
        return (error**2).sum((1, 2, 3)) + 0.05 * jnp.abs(x - x0).sum((1, 2, 3))

    def after(number):
        far = transforms.projected(method, steps=number, rate=0.01)
        return energies(matrix.score(far, state, x0).aux["reconstruction"])

    energy = np.array([energies(x0), after(1), after(8), after(32)])
    assert (np.diff(energy, axis=0) < 0).mean() >= 0.95


@pytest.mark.xdist_group("conv_ae")
@pytest.mark.budget(45)  # a training, where this test runs first
def test_it_composes_with_tiles():
    """Two tiles side by side, each projected as if it were alone."""
    method, state = trained("conv_ae")
    far = transforms.projected(method, steps=5, rate=1.0)
    images = matrix.normals(2, seed=11)
    wide = np.concatenate([images[:1], images[1:]], axis=2)
    found = matrix.score(transforms.tiled(far, tiling.Grid(32, 32), chunk=2), state, wide).map
    np.testing.assert_allclose(found[0], np.concatenate(matrix.score(far, state, images).map, axis=1), atol=1e-5)
