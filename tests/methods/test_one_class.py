"""What one vector of an image and a classical model must do, whatever the two are."""

import jax
import matplotlib.colors
import matrix
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import KernelDensity, LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM

from adjax.fitted import histogram, standard
from adjax.methods.one_class import one_class
from adjax.types import UserError

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.uniform(size=(24, 8, 8, 3)).astype(np.float32)
SCIKIT_LEARN = {
    "svm": lambda x: OneClassSVM().fit(x).decision_function,
    "kde": lambda x: KernelDensity(bandwidth="scott").fit(x).score_samples,
    "lof": lambda x: LocalOutlierFactor(n_neighbors=20, novelty=True).fit(x).score_samples,
    "knn": lambda x: lambda new: -NearestNeighbors(n_neighbors=1).fit(x).kneighbors(new)[0][:, 0],
}


def fitted(method, images):
    """Finished after two batches, of which the second repeats the first: only the first pass counts."""
    rows = matrix.batch(images)
    state = jax.jit(lambda key: method.init(key, rows, matrix.Info({"train": len(images)}, {}, 1)))(jax.random.key(0))
    update = jax.jit(method.phases["train"].update)
    for step in range(2):
        state, scalars = update(state, rows, jax.random.key(step))
    assert scalars["images"] == len(images)
    return method.phases["train"].finish(state, jax.random.key(2))


@pytest.mark.parametrize("model", SCIKIT_LEARN)
def test_the_model_is_scikit_learns_of_the_standardised_vectors(model):
    method = one_class(model=model, descriptor="hsv", bins=4)
    state = fitted(method, COLOURS[:20])
    vectors = np.asarray(method.embed(state, matrix.batch(COLOURS)))
    scaled = np.asarray(standard.apply(standard.fit(vectors[:20]), vectors))
    expected = -SCIKIT_LEARN[model](scaled[:20])(scaled[20:])
    found = matrix.score(method, state, COLOURS[20:]).score
    assert state.bank.rows.shape == (1, 12)
    if model == "svm":
        found = np.exp(state.model.log_rho) * (1 - np.exp(-found))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_forest_sees_whitened_components_by_the_seed():
    method = one_class(model="forest", descriptor="hsv", bins=4, components=3, trees=7)
    state = fitted(method, COLOURS)
    assert state.model.feature.shape[0] == 7 and state.standard.axes.shape == (12, 3)
    vectors = np.asarray(method.embed(state, matrix.batch(COLOURS)))
    scaled = np.asarray(standard.apply(state.standard, vectors))
    seed = int(jax.random.randint(jax.random.key(2), (), 0, 2**31 - 1))
    expected = -IsolationForest(n_estimators=7, random_state=seed).fit(scaled).score_samples(scaled)
    np.testing.assert_allclose(matrix.score(method, state, COLOURS).score, expected, rtol=1e-5)


def test_hue_saturation_and_value_are_matplotlibs():
    edges = np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1e-9], [0.5, 0.5, 0.5]]])
    for image in (COLOURS, edges[None].astype(np.float32)):
        np.testing.assert_allclose(histogram.hsv(image) % 1, matplotlib.colors.rgb_to_hsv(image) % 1, atol=1e-6)


def test_what_is_dark_has_no_hue_and_what_does_not_count_has_no_colour():
    image = np.zeros((1, 4, 4, 3), np.float32)
    image[:, 0, 0] = (0, 0, 1)
    image[:, :, 1] = (0.9, 0, 0)
    valid = np.ones((1, 4, 4), bool)
    valid[:, 2:] = False
    hue, saturation, value = np.split(np.asarray(histogram.histograms(image, valid, 8))[0], 3)
    np.testing.assert_allclose(hue, [2 / 3, 0, 0, 0, 0, 1 / 3, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(saturation, [5 / 8, 0, 0, 0, 0, 0, 0, 3 / 8])
    np.testing.assert_allclose(value, [5 / 8, 0, 0, 0, 0, 0, 0, 3 / 8])


def test_a_grey_image_is_its_brightness():
    found = histogram.histograms(COLOURS[..., :1], np.ones(COLOURS.shape[:3], bool), 4)
    expected = [np.histogram(image, 4, (0, 1))[0] / 64 for image in COLOURS[..., 0]]
    np.testing.assert_allclose(found, expected)


def test_unknown_choices_are_refused():
    with pytest.raises(UserError, match="unknown model 'tree' of one_class; choose from svm, forest, kde, lof, knn"):
        one_class(model="tree")
    with pytest.raises(UserError, match="unknown descriptor 'rgb' of one_class; choose from backbone, hsv, features"):
        one_class(descriptor="rgb")
    with pytest.raises(UserError, match="2 channels have no colour"):
        fitted(one_class(descriptor="hsv"), COLOURS[..., :2])
