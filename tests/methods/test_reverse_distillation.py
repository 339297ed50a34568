"""What reverse distillation promises: published shapes, two losses, no distance where the decoder rebuilds exactly."""

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.losses import map_cosine
from adjax.methods.reverse_distillation import reverse_distillation, whole
from adjax.nets.patches import corners, valid_mean
from adjax.nets.resnet import SHAPES
from adjax.nets.reverse import Reverse
from adjax.types import UserError

BATCH = matrix.batch(matrix.normals(2, seed=3))


def features(seed):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(2, 8, 8, 5)), jnp.float32)


def test_the_published_shapes():
    """Of WideResNet-50: an embedding of 2048 channels, and a decoder that gives the layers back, all in eval_shape.

    The embedding's parameters, written out: convolutions 256 to 512 to 1024 and 512 to 1024, and WideResNet's layer4
    but for 3072 channels that enter.
    """
    sides = {256: 64, 512: 32, 1024: 16}
    like = [jax.ShapeDtypeStruct((1, side, side, c), jnp.float32) for c, side in sides.items()]
    network = Reverse(SHAPES["wide_resnet50_2"], tuple(sides))
    variables = jax.eval_shape(lambda x: network.init(jax.random.key(0), x, False), like)
    embedded = jax.eval_shape(
        lambda v, x: network.apply(v, x, False, method=lambda m, *a: m.embedding(*a)), variables, like
    )
    assert embedded.shape == (1, 8, 8, 2048)
    found = jax.eval_shape(lambda v, x: network.apply(v, x, False), variables, like)
    assert [leaf.shape for leaf in found] == [leaf.shape for leaf in like]
    norm = lambda *channels: 2 * sum(channels)
    block = lambda c: c * 1024 + 9 * 1024**2 + 1024 * 2048 + norm(1024, 1024, 2048)
    expected = 9 * (256 * 512 + 512 * 1024 + 512 * 1024) + norm(512, 1024, 1024)
    expected += block(3072) + 3072 * 2048 + norm(2048) + 2 * block(2048)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"]["embedding"])) == expected


def test_the_two_losses_differ_in_what_a_single_place_weighs():
    one, other = features(0), features(1)
    louder = one.at[:, 3, 4].multiply(7.0)
    losses = (lambda a: whole(a, other, BATCH), lambda a: valid_mean(map_cosine(a, other), BATCH))
    for loss in losses:
        np.testing.assert_allclose(loss(3 * one), loss(one), rtol=1e-4)
    glob, local = (np.abs(loss(louder) - loss(one)).min() for loss in losses)
    assert glob > 1e-3 and local < 1e-5


def test_the_global_loss_is_one_cosine():
    one, other = features(0), features(1)
    a, b = (np.asarray(x).reshape(2, -1) for x in (one, other))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(whole(one, other, BATCH), 1 - cosine, rtol=1e-4)


def test_features_rebuilt_exactly_give_no_map(monkeypatch):
    method = matrix.build(reverse_distillation)
    state = matrix.start(method)
    score = lambda: jax.jit(lambda *a: method.score(*a))(state, BATCH, None).map
    assert score().min() > 0 and score().max() <= 2 * 2
    monkeypatch.setattr(Reverse, "__call__", lambda self, features, train: features)
    np.testing.assert_allclose(score(), 0, atol=1e-6)


def test_corners_meet_corners():
    """`align_corners=True`: from 3 to 5 every second pixel is an old one, those between are halfway."""
    maps = jnp.asarray([[[0.0, 2, 6]]])
    np.testing.assert_allclose(corners(maps, (2, 5)), [[[0, 1, 2, 4, 6]] * 2], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"layers": ("stage1", "stage3")}, r"strides \[2, 8\]"),
        ({"loss": "pixel"}, "choose from global, local"),
        ({"decoder": "vgg16"}, "choose from resnet18"),
    ],
)
def test_what_does_not_fit_is_refused(settings, says):
    with pytest.raises(UserError, match=says):
        matrix.start(reverse_distillation(tx=optax.sgd(0.0), **settings))


def test_sides_that_do_not_halve_evenly_are_refused():
    """Grids of 250 px have 125, 63, 32 and 16 rows: the last is even, and the decoder's would have 64."""
    method = reverse_distillation(tx=optax.sgd(0.0))
    batch = {"image": jax.ShapeDtypeStruct((1, 250, 256, 3), jnp.float32)}
    with pytest.raises(UserError, match="multiples of 32"):
        jax.eval_shape(lambda key, batch: method.init(key, batch, None), jax.random.key(0), batch)
