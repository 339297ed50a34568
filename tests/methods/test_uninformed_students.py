"""What Uninformed Students promises: nothing found where students know it all, its calibration, what learns when."""

import functools

import jax
import jax.numpy as jnp
import matrix
import numpy as np
import optax
import pytest

from adjax.methods.uninformed_students import uninformed_students
from adjax.nets.patch_descriptor import PatchDescriptor, padded
from adjax.synthesis.crops import triplets
from adjax.types import Info, UserError

pytestmark = pytest.mark.budget(20)  # cold, compilation is most of it
IMAGES = matrix.normals(4, seed=3)
SETTINGS = {"backbone": "resnet18", "weights": "random", "layers": ("stem",), "sizes": (17,), "width": 1 / 32}
METHOD = uninformed_students(tx=optax.sgd(1e-2), metric=1.0, crops_of=("image",), crops=6, **SETTINGS)


@functools.cache
def started():
    return matrix.start(METHOD)


@functools.cache
def calibrated():
    """Untrained: descriptions and maps of four images, which come twice, the second time beside padding."""
    rows = dict(matrix.batch(np.concatenate([IMAGES, IMAGES[:1] + 0.5])))
    rows["_mask"] = jnp.arange(5) < 4
    state = started()._replace(left=jnp.array([4, 4], jnp.int32))
    for name in ("statistics", "calibration"):
        update = jax.jit(METHOD.phases[name].update)
        for step in range(2):
            state, scalars = update(state, rows, jax.random.key(step))
        assert scalars["patches"] == IMAGES[..., 0].size
    return state


def score(state):
    return np.asarray(jax.jit(METHOD.score)(state, matrix.batch(IMAGES), None).map)


def test_the_map_is_error_and_variance_each_standardised_by_calibration():
    """The paper's, from the networks alone: on the images of the calibration both parts have mean 0 and variance 1."""
    state, net = calibrated(), PatchDescriptor(17, 4, 1 / 32)
    image = (jnp.repeat(IMAGES, 3, -1) - jnp.array([[[[0.485, 0.456, 0.406]]]])) / jnp.array(
        [[[[0.229, 0.224, 0.225]]]]
    )
    run = jax.jit(lambda params: net.apply({"params": params}, padded(image, 17)))
    teacher = np.float64(run(state.teacher.params["patch_17"]["network"]))
    members = state.students.params["patch_17"]
    found = np.float64([run(jax.tree.map(lambda a: a[m], members)) for m in range(3)])  # noqa: B023
    wanted = (teacher - teacher.mean((0, 1, 2))) / teacher.std((0, 1, 2))
    error = ((found.mean(0) - wanted) ** 2).sum(-1)
    variance = (found**2).sum(-1).mean(0) - (found.mean(0) ** 2).sum(-1)
    assert variance.std() > 1e-6
    expected = sum((part - part.mean()) / part.std() for part in (error, variance))
    np.testing.assert_allclose(score(state), expected, atol=2e-2)


def test_students_that_are_the_teacher_find_nothing():
    """Every pixel then is below its calibration by the same: the error and the variance are 0."""
    state = calibrated()
    moments = state.moments["patch_17"]
    plain = moments._replace(mean=0 * moments.mean, scatter=moments.count[:, None, None] + 0 * moments.scatter)
    same = jax.tree.map(lambda a: jnp.stack([a] * 3), state.teacher.params["patch_17"]["network"])
    state = state._replace(moments={"patch_17": plain}, students=state.students._replace(params={"patch_17": same}))
    count, mean, scatter = state.maps
    floor = -(mean[:, 0] / jnp.sqrt(scatter[:, 0, 0] / count)).sum()
    np.testing.assert_allclose(score(state), floor, rtol=1e-5)


def test_phases_change_what_they_are_for():
    state, key, rows = started(), jax.random.key(0), matrix.batch(IMAGES)
    moved = lambda a, b: [np.any(x != y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)]
    for name, field in (("teacher", "teacher"), ("train", "students")):
        after, scalars = jax.jit(METHOD.phases[name].update)(state, rows, key)
        for other in ("backbone", "teacher", "moments", "students", "maps"):
            assert any(moved(getattr(after, other), getattr(state, other))) == (other == field)
        assert all(moved(getattr(after, field).params, getattr(state, field).params))
        terms = {"teacher": ("distillation", "metric", "compactness"), "train": ("regression",)}[name]
        assert scalars.keys() == {"loss/total", *(f"loss/{term}_17" for term in terms)}
        np.testing.assert_allclose(scalars["loss/total"], sum(scalars[f"loss/{t}_17"] for t in terms), rtol=1e-5)
    assert METHOD.shared == {"backbone"} and METHOD.needs == frozenset()
    assert uninformed_students(tx=optax.sgd(1.0)).needs == {"texture"}


def test_triplets_come_from_real_images_and_the_next_one():
    """Grey images of one value each tell where a patch comes from."""
    images = jnp.broadcast_to(jnp.array([0.2, 0.9, 0.4, 0.6])[:, None, None, None], (4, 40, 40, 3))
    real = jnp.array([True, False, True, True])
    drawn = jax.jit(triplets, static_argnums=(3, 4))(jax.random.key(0), images, real, 6, 17)
    assert drawn.shape == (3, 6, 17, 17, 3)
    own, like, other = np.asarray(drawn.mean((2, 3, 4)))
    np.testing.assert_allclose(own, [0.2, 0.4, 0.6] * 2, atol=1e-5)
    np.testing.assert_allclose(other, [0.4, 0.6, 0.2] * 2, atol=1e-5)
    assert 0 < np.abs(like / own - 1).max() < 0.12


def test_what_cannot_be_is_said():
    make = functools.partial(uninformed_students, tx=optax.sgd(1.0))
    for settings, message in (
        ({"sizes": (16,)}, r"sizes=\(16,\) of uninformed_students; choose some of 17, 33, 65"),
        ({"crops_of": ()}, "choose some of image, texture"),
        ({"students": 0}, "students=0, stride=1 of uninformed_students; choose at least 1"),
    ):
        with pytest.raises(UserError, match=message):
            make(**settings)
    with pytest.raises(UserError, match="set config.data.calibration"):
        METHOD.init(jax.random.key(0), matrix.batch(IMAGES), Info({"train": 4, "calibration": 0}, {}, 4))
