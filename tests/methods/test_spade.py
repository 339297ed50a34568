"""What SPADE promises of images of its gallery, and how it depends on it."""

import functools

import jax
import matrix
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from adjax.methods.spade import matched, spade
from adjax.types import UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
IMAGES = matrix.learned()[:6]
SMALL = {"layers": ("stage1", "stage2"), "image_layer": "stage2", "sigma": 0.0}


@functools.cache
def gallery(joint=True, hidden=False):
    """Of six images, the left half of which is ignored, or not; a row of padding is left out."""
    method = spade(**SMALL, joint=joint)
    rows = dict(matrix.batch(np.concatenate([IMAGES, IMAGES[:1] + 0.5])))
    rows["_mask"] = np.arange(7) < 6
    rows["_ignore"] = np.zeros((7, 32, 32), bool)
    rows["_ignore"][:, :, :16] = hidden
    state = jax.jit(method.phases["train"].update)(matrix.start(method), rows, jax.random.key(0))[0]
    return method.phases["train"].finish(state, jax.random.key(1))


@pytest.mark.parametrize("joint", [True, False])
def test_images_of_the_gallery_score_nothing(joint):
    prediction = matrix.score(spade(**SMALL, neighbours=1, joint=joint), gallery(joint), IMAGES)
    np.testing.assert_allclose(prediction.score, 0, atol=1e-4)
    np.testing.assert_allclose(prediction.map, 0, atol=1e-4)
    assert [len(level) for level in gallery(joint).gallery.values()] == [6] * (2 if joint else 3)


def test_patches_are_matched_with_the_most_similar_images_alone():
    """Written out, for one image."""
    (image,) = images = matrix.planted(matrix.normals(1, seed=3), seed=3)[0]
    state = gallery()
    found = matrix.score(spade(**SMALL, neighbours=2), state, images)
    own = gallery_of(image)
    distances = cdist(own["image"][0], np.asarray(state.gallery["image"])[:, 0])[0]
    similar = distances.argsort()[:2]
    np.testing.assert_allclose(found.score[0], np.sort(distances)[:2].mean(), rtol=1e-4)
    patches = cdist(own["joint"][0], np.concatenate(np.asarray(state.gallery["joint"])[similar])).min(1)
    expected = jax.image.resize(patches.reshape(1, 16, 16).astype(np.float32), (1, 32, 32), "bilinear")
    np.testing.assert_allclose(found.map, expected, rtol=1e-3, atol=1e-4)


def gallery_of(image):
    """The features of one image, as a gallery of three copies."""
    method = spade(**SMALL)
    rows = {"image": np.stack([image] * 7), "_mask": np.arange(7) < 3, "_ignore": np.zeros((7, 32, 32), bool)}
    state = jax.jit(method.phases["train"].update)(matrix.start(method), rows, jax.random.key(0))[0]
    return jax.device_get(method.phases["train"].finish(state, jax.random.key(1)).gallery)


def test_more_images_to_match_with_never_raise_the_map():
    images = matrix.normals(3, seed=3)
    one, three, six = (matrix.score(spade(**SMALL, neighbours=k), gallery(), images).map for k in (1, 3, 6))
    assert (six <= three + 1e-5).all() and (three <= one + 1e-5).all() and six.mean() < one.mean()


def test_where_a_patch_lies_does_not_matter():
    """Patches that change places take their distances along, unlike in PaDiM."""
    draw = np.random.default_rng(0)
    patches, images = (draw.normal(size=shape).astype(np.float32) for shape in ((2, 4, 5, 3), (3, 20, 3)))
    similar, order = np.array([[0, 1], [2, 1]], np.int32), draw.permutation(20)
    places, run = patches.reshape(2, 20, 3), jax.jit(matched)
    found = np.asarray(run(patches, images, similar)).reshape(2, 20)
    moved = run(places[:, order].reshape(patches.shape), images[:, order[::-1]], similar)
    np.testing.assert_allclose(np.asarray(moved).reshape(2, 20), found[:, order], rtol=1e-5)
    for i in range(2):
        expected = cdist(places[i], images[similar[i]].reshape(-1, 3)).min(1)
        np.testing.assert_allclose(found[i], expected, rtol=1e-5)


def test_ignored_patches_are_not_remembered():
    half = np.asarray(gallery(hidden=True).gallery["joint"]).reshape(6, 16, 16, -1)
    whole = np.asarray(gallery().gallery["joint"]).reshape(6, 16, 16, -1)
    np.testing.assert_allclose(half[:, :, 9:], whole[:, :, 9:], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(half[:, :, :7], np.broadcast_to(half[:, :1, 8:9], half[:, :, :7].shape), atol=1e-6)


def test_too_small_a_gallery_is_refused():
    with pytest.raises(UserError, match="50 nearest neighbours in a bank of 6"):
        matrix.score(spade(**SMALL), gallery(), IMAGES)
