"""Every method of students learns from every kind of network; where maps are needed, a vector is refused."""

import inspect

import jax
import jax.numpy as jnp
import optax
import pytest

from adjax import backbones
from adjax.methods import factory
from adjax.methods.reverse_distillation import reverse_distillation
from adjax.methods.stfpm import stfpm
from adjax.methods.uninformed_students import uninformed_students
from adjax.types import Info, UserError
from experiments.distill_teacher.distillation import distillation

SIDE = 112  # a multiple of a transformer's patch, and of what halves
RESNET = ("layer1", "layer2")
LAYERS = {
    "efficientnet_lite0": ("stage1", "stage2"),
    "resnet18": RESNET,
    "dinov2_vits14": ("block1",),  # all its layers have one grid
}
PATCHES = {"sizes": (17,), "width": 1 / 32, "crops": 4, "crops_of": ("image",), "stride": 4}


def students_of_patches(*, backbone, **settings):
    enlarged = {"backbone_side": 28} if backbone == "dinov2_vits14" else {}
    return uninformed_students(backbone=backbone, **settings, **PATCHES, **enlarged)


def distilled(*, backbone, layers, weights, tx):
    """The maker of efficient_ad's teachers."""
    return distillation(backbones.backbone(backbone, layers, weights), "pdn_small", 1 / 32, tx=tx)


def given(method):
    """What `init` takes, without values."""
    info = Info({"train": 2, "calibration": 2}, dict.fromkeys(method.phases, 1), 2)
    batch = {"image": jax.ShapeDtypeStruct((2, SIDE, SIDE, 3), jnp.float32), "_mask": jax.ShapeDtypeStruct((2,), bool)}
    return info, batch, jax.eval_shape(lambda: jax.random.key(0))


@pytest.mark.parametrize("name", [*LAYERS, pytest.param("wide_resnet50_2", marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", [stfpm, reverse_distillation, students_of_patches, distilled])
def test_a_method_takes_the_network(make, name):
    """Traced, not run."""
    method = make(backbone=name, layers=LAYERS.get(name, RESNET), weights="random", tx=optax.adam(1e-3))
    info, batch, key = given(method)
    state = jax.eval_shape(lambda key, batch: method.init(key, batch, info), key, batch)
    for phase in method.phases.values():
        after, _ = jax.eval_shape(phase.update, state, batch, key)
        assert after == state  # shapes and types
    if make is not distilled:
        prediction = jax.eval_shape(lambda state, batch: method.score(state, batch, None), state, batch)
        assert prediction.score.shape == (2,) and prediction.map.shape == (2, SIDE, SIDE)


@pytest.mark.parametrize(
    "name", ["anomaly_dino", "padim", "patchcore", "reconpatch", "reverse_distillation", "spade", "stfpm"]
)
def test_one_vector_for_the_image_is_no_map(name):
    make = factory(name)
    tx = {"tx": optax.adam(1e-3)} if "tx" in inspect.signature(make).parameters else {}
    method = make(backbone="resnet18", layers=("layer4", "pool"), weights="random", **tx)
    info, batch, key = given(method)
    with pytest.raises(UserError, match="'pool' of resnet18 is one vector .* choose from stem, layer1, .*, layer4"):
        jax.eval_shape(lambda key, batch: method.init(key, batch, info), key, batch)
