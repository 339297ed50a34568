"""Whose noise is learned, and what the two steps make of an image."""

import functools

import jax
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.diffusion_ad import diffusion_ad
from adjax.types import Info, UserError

UNET = {"features": (8,), "blocks": 0, "attention": (), "heads": 0, "patch": 4}


def build(**options):
    return diffusion_ad(tx=optax.sgd(1e-2), unet=UNET, base=2, multiples=(1,), synthesis="erasing", **options)


@functools.cache
def state():
    """Untrained, whatever the options: its networks see no noise."""
    rows = matrix.batch(matrix.normals(1, seed=0))
    return jax.jit(lambda key: build().init(key, rows, Info({}, {}, 1)))(jax.random.key(0, impl="rbg"))


@pytest.mark.budget(20)  # it compiles the training
def test_the_noise_of_normal_images_is_learned():
    """The first error is the noise's power, 1 at each of the two steps, over however many images are normal; without
    any it is 0, and what is learned stays finite."""
    rows = matrix.batch(matrix.normals(16, seed=0))
    update = jax.jit(lambda share, *rest: build(share=share).phases["train"].update(*rest))  # one program
    for share, expected in ((0.0, 2.0), (0.5, 2.0), (1.0, 0.0)):
        after, scalars = update(share, state(), rows, jax.random.key(1))
        assert scalars["loss/noise"] == pytest.approx(expected, rel=0.1, abs=0)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))


def rebuilt(**options):
    images = matrix.normals(2, seed=0)
    return images, matrix.score(build(**options), state(), images).aux["reconstruction"]


def test_without_guidance_it_is_the_estimate_of_the_first_step():
    """Whatever the second; an untrained network's is x_t / signal."""
    one, other = (rebuilt(guidance=0.0, steps=(100, far))[1] for far in (300, 900))
    np.testing.assert_allclose(one, other, atol=1e-6)
    images, _ = rebuilt()
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[99]
    assert ((one - images) ** 2).mean() == pytest.approx((1 - alpha_bar) / alpha_bar / 4, rel=0.15)


def test_guidance_draws_towards_the_second_step():
    """At weight 1 / sigma² it is that step's estimate, whatever the first draw."""
    variance = 1 - np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[[99, 249]]
    one, other = (
        rebuilt(guidance=float(1 / v), steps=(near, 400))[1] for v, near in zip(variance, (100, 250), strict=True)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_steps_on_one_side_of_the_boundary_are_refused():
    with pytest.raises(UserError, match=r"steps \(200, 250\) with boundary 300; choose 1 <= first"):
        build(steps=(200, 250))
