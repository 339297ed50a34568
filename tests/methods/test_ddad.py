"""The guidance that gives back the image, and what its own distance adds."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax

from adjax.methods.ddad import ddad

UNET = {"features": (8,), "blocks": 0, "attention": (), "heads": 0, "patch": 4}


def build(**options):
    return ddad(tx=optax.sgd(0.0), unet=UNET, calls=1, **options)


@functools.cache
def state():
    """Untrained, whatever the options."""
    rows = matrix.batch(matrix.normals(1, seed=0))
    return jax.jit(lambda key: build().init(key, rows, None))(jax.random.key(0, impl="rbg"))


def scored(images, **options):
    return matrix.score(build(**options), state(), images)


def test_full_guidance_in_one_step_gives_the_image_back():
    """At weight 1 / sigma², here of step 250; without guidance an untrained network leaves the noise in."""
    variance = 1 - np.prod(1 - np.linspace(1e-4, 0.02, 1000)[:250])
    images = matrix.normals(2, seed=0)
    np.testing.assert_allclose(scored(images, guidance=float(1 / variance)).map, 0, atol=1e-5)
    assert scored(images, guidance=0.0).map.mean() > 0.1


def test_a_distance_is_added_to_the_map():
    images = matrix.normals(2, seed=0)
    constant = lambda reconstruction, image: jnp.full(image.shape[:3], 7.0)
    plain, more = (scored(images, distance=distance, draws=2).map for distance in (None, constant))
    np.testing.assert_allclose(more, plain + 7, atol=1e-4)
