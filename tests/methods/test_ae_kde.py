"""An autoencoder's codes reach the density that comes after it, and nothing of the autoencoder changes then."""

import jax
import matrix
import numpy as np
import optax
import pytest
from sklearn.neighbors import KernelDensity

from adjax import transforms
from adjax.fitted import standard
from adjax.methods import METHODS
from adjax.methods.conv_ae import conv_ae
from adjax.methods.intensity import intensity
from adjax.methods.one_class import one_class
from adjax.types import UserError

pytestmark = [pytest.mark.budget(20), pytest.mark.xdist_group("ae_kde")]  # cold, compilation is most of it
METHOD = matrix.build(METHODS["ae_kde"])


def test_the_phases_follow_each_other():
    assert list(METHOD.phases) == ["train", "train_after"]
    assert METHOD.phases["train"].augment and not METHOD.phases["train_after"].augment


def test_the_score_is_the_density_of_the_codes():
    """Whitened codes of the first pass over the learning images, by scikit-learn."""
    state = matrix.fitted("ae_kde").state
    autoencoder = conv_ae(tx=optax.adam(4e-3), latent=24, width=0.25)
    encode = jax.jit(autoencoder.embed)
    learned = [matrix.draw(METHOD, [0, 1, step])["image"] for step in range(128 // matrix.BATCH)]
    codes = np.concatenate([encode(state.first, matrix.batch(images)) for images in learned])
    images = matrix.normals(matrix.BATCH, seed=3)
    known, new = (
        standard.apply(standard.fit(codes, 16), x) for x in (codes, encode(state.first, matrix.batch(images)))
    )
    expected = -KernelDensity(bandwidth="scott").fit(known).score_samples(new)
    np.testing.assert_allclose(matrix.score(METHOD, state, images).score, expected, rtol=1e-3)


def test_the_second_phase_leaves_the_first_state_alone():
    method = transforms.after(
        METHODS["one_class"](descriptor="hsv", bins=2), one_class(model="knn", descriptor="features")
    )
    rows = matrix.batch(matrix.normals(4, seed=3))
    info = matrix.Info({"train": 4}, {"train": 1, "train_after": 1}, 4)
    start = jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0))
    first, _ = jax.jit(method.phases["train"].update)(start, rows, jax.random.key(1))
    both, _ = jax.jit(method.phases["train_after"].update)(first, rows, jax.random.key(2))
    assert first.first.bank.seen == both.first.bank.seen == both.second.bank.seen == 4
    assert first.second.bank.seen == 0
    done = method.phases["train_after"].finish(both, jax.random.key(3))
    np.testing.assert_allclose(matrix.score(method, done, rows["image"]).score, 0, atol=1e-6)


def test_a_method_without_features_has_nothing_after_it():
    with pytest.raises(UserError, match="this one has none"):
        transforms.after(intensity(), one_class(model="kde", descriptor="features"))
