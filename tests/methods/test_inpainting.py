"""The moving grid of holes: where it lies, that it covers, and that a hole hides what is in it."""

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.holes import grid, positions
from adjax.methods.inpainting import inpainting
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it


@pytest.mark.parametrize(("hole", "overlap"), [(4, 1), (4, 2), (8, 1), (6, 3)])
def test_every_pixel_is_in_a_hole_equally_often(hole, overlap):
    moves = positions(hole, overlap)
    assert len(moves) == 16 * overlap**2
    known = grid(moves, hole, 37, 50)
    np.testing.assert_array_equal((1 - known).sum(0), overlap**2)


def test_holes_are_squares_four_sides_apart():
    known = np.asarray(grid(jnp.array([[3, 5]], jnp.int32), 4, 32, 32))[0]
    wanted = np.ones((32, 32))
    for y in (3, 19):
        for x in (5, 21):
            wanted[y : y + 4, x : x + 4] = 0
    np.testing.assert_array_equal(known, wanted)


def test_a_hole_that_cannot_move_evenly_is_refused():
    with pytest.raises(UserError, match="a divisor of 8"):
        positions(8, 3)


def small(images):
    method = inpainting(tx=optax.sgd(0.0), hole=8, levels=(4, 8))
    rows, info = matrix.batch(images), Info({"train": 2}, {"train": 1}, 2)
    state = jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    return method, state


def test_a_reconstruction_does_not_see_its_hole():
    """The first position's holes begin at 0 and 32: pixels there may change, their reconstruction may not."""
    images = matrix.normals(2, seed=0)
    method, state = small(images)
    changed = images.copy()
    changed[:, :8, :8] += 0.3
    run = jax.jit(lambda images: method.reconstruct(state, matrix.batch(images), None))
    before, after = np.asarray(run(images)), np.asarray(run(changed))
    np.testing.assert_array_equal(after[:, :8, :8], before[:, :8, :8])
    assert not np.allclose(after[:, 8:, :8], before[:, 8:, :8])


def test_the_map_is_the_error_of_the_pasted_reconstruction():
    """Without overlap and for an error of single pixels the two are one."""
    images = matrix.normals(2, seed=0)
    method, state = small(images)
    prediction = matrix.score(method, state, images)
    error = np.abs(prediction.aux["reconstruction"] - images)[..., 0]
    np.testing.assert_allclose(prediction.map, error, atol=1e-6)
    np.testing.assert_allclose(prediction.score, error.max((1, 2)), atol=1e-6)
