"""What a dictionary of patches promises of the patches that it was made of."""

import functools

import jax
import matrix
import numpy as np
import pytest

from adjax import tiling, transforms
from adjax.methods.self_similarity import self_similarity
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
SMALL = {"layers": ("stage1",), "side": 32}
PATCHES = matrix.learned()[:40]


@functools.cache
def learned():
    """Of 40 patches, not finished."""
    method = self_similarity(**SMALL)
    info, rows = Info({"train": 4}, {"train": 2}, 20), matrix.batch(PATCHES[:20])
    state = jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    update = jax.jit(method.phases["train"].update)
    for start in (0, 20):
        state, _ = update(state, dict(matrix.batch(PATCHES[start : start + 20])), jax.random.key(start))
    return state


def finished(**settings):
    method = self_similarity(**SMALL, **settings)
    return method, method.phases["train"].finish(learned(), jax.random.key(1))


def test_patches_of_a_whole_dictionary_score_nothing():
    prediction = matrix.score(*finished(words=0), PATCHES[:20])
    np.testing.assert_allclose(prediction.score, 0, atol=1e-3)
    assert (matrix.score(*finished(words=0), matrix.normals(20, seed=9)).score > 1e-2).all()


def test_words_are_patches_and_more_of_them_never_raise_a_score():
    method, whole = finished(words=0)
    _, few = finished(words=8)
    distances = np.abs(np.asarray(few.bank.rows)[:, None] - np.asarray(whole.bank.rows)[None]).max(-1)
    assert len(few.bank.rows) == 8 and (distances.min(1) == 0).all()
    images = matrix.normals(20, seed=9)
    small, large = (matrix.score(method, state, images).score for state in (few, whole))
    assert (large <= small + 1e-4).all() and (large < small).any()


def test_components_are_standardised_and_can_be_left_out():
    rows = np.asarray(finished(words=0)[1].bank.rows)
    np.testing.assert_allclose(rows.std(0), 1, rtol=1e-3)
    assert rows.shape[1] < 16
    _, plain = finished(words=0, variance=0.0)
    np.testing.assert_allclose(np.abs(plain.bank.rows).sum(1), 1, rtol=1e-5)


def test_a_map_of_tiles_covers_every_pixel():
    """Of equal patches it is flat, up to the border, where tiles do not come out even."""
    method, state = finished(words=8)
    image = np.full((1, 71, 50, 1), 0.5, np.float32)
    whole = transforms.tiled(method, tiling.Grid(32, 12), "max")
    found = matrix.score(whole, state, image)
    (one,) = matrix.score(method, state, image[:, :32, :32]).score
    np.testing.assert_allclose(found.map, one, rtol=1e-5)
    np.testing.assert_allclose(found.score, one, rtol=1e-5)


def test_too_many_words_are_refused():
    with pytest.raises(UserError, match="words=500 of self_similarity: 40 patches were learned from"):
        finished()
