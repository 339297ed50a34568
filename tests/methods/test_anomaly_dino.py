"""What a bank of a transformer's patches promises of its own images: here of a small one, from a random start."""

import sys

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import pytest

from adjax.backbones import networks
from adjax.methods.anomaly_dino import anomaly_dino, cropped, object_mask, rotated
from adjax.nets import vit
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
IMAGES = np.random.default_rng(0).uniform(size=(3, 37, 40, 1)).astype(np.float32)  # 4 x 5 patches of 8, and a rest
SMALL = {"backbone": "vit_small", "layers": ("block2",), "weights": "random", "sigma": 0.0}


@pytest.fixture(scope="module", autouse=True)
def small():
    """A network of width 64."""
    shape = vit.Shape(8, 64, 4, True)
    rules = networks.NETWORKS["dinov2_vits14"].rules
    network = networks.Network(lambda layers: vit.ViT(shape, layers), vit.taps(shape), rules, "")
    networks.NETWORKS["vit_small"] = network
    yield
    del networks.NETWORKS["vit_small"]


@pytest.fixture(scope="module")
def bank():
    method, rows = anomaly_dino(rotations=2, **SMALL), matrix.batch(IMAGES)
    info = Info({"train": 3}, {"train": 1}, 3)
    state = jax.jit(lambda key: method.init(key, rows, info))(jax.random.key(0, impl="rbg"))
    state, scalars = jax.jit(method.phases["train"].update)(state, rows, jax.random.key(0))
    assert scalars["patches"] == 2 * 3 * 20
    return method.phases["train"].finish(state, jax.random.key(1))


def test_images_of_the_bank_score_nothing_and_distances_are_cosines(bank):
    method = anomaly_dino(**SMALL)
    found = matrix.score(method, bank, IMAGES)
    np.testing.assert_allclose(found.score, 0, atol=1e-6)
    others = np.random.default_rng(1).uniform(size=IMAGES.shape).astype(np.float32)
    found = matrix.score(method, bank, others)
    assert (found.map > 0).all() and (found.map < 2).all()
    features = np.asarray(jax.jit(method.embed)(bank, matrix.batch(others)), np.float64)
    features /= np.linalg.norm(features, axis=-1, keepdims=True)
    distances = (1 - features @ np.asarray(bank.bank.rows).T).min(-1)
    np.testing.assert_allclose(found.score, distances.max((1, 2)), rtol=1e-3)  # of fewer than 100 patches the highest
    np.testing.assert_array_equal(found.map[:, 32:], np.repeat(found.map[:, 31:32], 5, axis=1))


def test_the_bank_holds_rotations(bank):
    """Half a turn of an image scores nothing, its mirror image does not."""
    turned = matrix.score(anomaly_dino(**SMALL), bank, IMAGES[:, ::-1, ::-1]).score
    mirrored = matrix.score(anomaly_dino(**SMALL), bank, IMAGES[:, ::-1]).score
    assert turned.max() < 1e-5 < 1e-3 < mirrored.min()


def test_a_quarter_turn_is_numpys():
    square = IMAGES[:, :36, :36]
    ignored = square[..., 0] > 0.95
    found = rotated({"image": jnp.asarray(square), "_ignore": jnp.asarray(ignored)}, np.pi / 2)
    np.testing.assert_allclose(found["image"], np.rot90(square, -1, (1, 2)), atol=1e-4)
    missed = np.rot90(ignored, -1, (1, 2)) & ~np.asarray(found["_ignore"])
    assert not missed.any()


def blob(value):
    """Tokens of two kinds: a square of side 9 amid 15 x 15 of another kind, with a hole."""
    tokens = np.random.default_rng(0).normal(size=(1, 15, 15, 4)).astype(np.float32)
    tokens[:, 3:12, 3:12, 0] += value
    tokens[:, 7, 7] = tokens[:, 0, 0]
    return tokens


@pytest.mark.parametrize("value", [40.0, -40.0])
def test_the_object_is_in_the_middle_whatever_the_sign(value):
    """Dilated by one patch on each side, and without its hole."""
    expected = np.zeros((15, 15), bool)
    expected[2:13, 2:13] = True
    np.testing.assert_array_equal(object_mask(blob(value), 10.0)[0], expected)
    assert not np.asarray(object_mask(blob(0), 10.0)).any()


def test_the_background_scores_nothing(bank, monkeypatch):
    mask = np.zeros((3, 4, 5), bool)
    mask[:, 1:3] = True
    monkeypatch.setattr(sys.modules[anomaly_dino.__module__], "object_mask", lambda features, foreground: mask)
    others = np.random.default_rng(1).uniform(size=IMAGES.shape).astype(np.float32)
    found = matrix.score(anomaly_dino(masked=True, **SMALL), bank, others).map
    assert (found[:, :4] == 0).all() and (found[:, 12:20] > 0).all()


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="rotations=0 of anomaly_dino; choose 1"):
        anomaly_dino(rotations=0)
    with pytest.raises(UserError, match="smaller than a patch of 14"):
        cropped({"image": np.zeros((1, 9, 30, 1))}, 14)
