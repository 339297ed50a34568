"""EfficientNet-Lite 0 to 2: EfficientNet (Tan & Le 2019, arXiv 1905.11946) without squeeze-and-excitation, with ReLU6.

Axes: b batch, h height, w width, c channels, f features.

Padding and the epsilon of batch normalisation are TensorFlow's, in which they were trained; its momentum is PyTorch's,
for students whose training is short. The stem, the head and the depths of the
first and the last stage do not grow with the network. The names of the parameters are those of the PyTorch port, less
its underscores.
"""

import math
from functools import partial
from typing import NamedTuple

from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import rounded_to_8
from adjax.nets.conv import Conv
from adjax.nets.depthwise import DepthwiseConv
from adjax.nets.taps import Tap, Window, collect

# (blocks, kernel, stride, expansion, features) of stage1 to stage7
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280
FACTORS = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2)}


class BlockShape(NamedTuple):
    kernel: int
    stride: int
    expansion: int
    features: int


def plan(width: float, depth: float) -> list[list[BlockShape]]:
    """The blocks of each stage."""
    stages = []
    for number, (blocks, kernel, stride, expansion, features) in enumerate(STAGES):
        if 0 < number < len(STAGES) - 1:
            blocks = math.ceil(blocks * depth)
        features = rounded_to_8(features * width)
        stages.append([BlockShape(kernel, stride if i == 0 else 1, expansion, features) for i in range(blocks)])
    return stages


class EfficientNetLite(nn.Module):
    """Images mapped by (255 x - 127) / 128 -> {layer: features}. A stage's output is linear."""

    width: float
    depth: float
    layers: tuple[str, ...]
    classes: int = 1000

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"], train: bool = False) -> dict[str, Array]:
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-3)
        conv = lambda f, k, s, name: Conv(f, (k, k), s, padding="SAME", use_bias=False, name=name)
        stages = [("stem", lambda x: nn.relu6(norm(name="bn0")(conv(STEM, 3, 2, "conv_stem")(x))))]
        first = 0
        for number, shapes in enumerate(plan(self.width, self.depth), 1):
            stages.append((f"stage{number}", partial(self._stage, shapes=shapes, first=first, train=train)))
            first += len(shapes)
        stages += [
            ("head", lambda x: nn.relu6(norm(name="bn1")(conv(HEAD, 1, 1, "conv_head")(x)))),
            ("pool", lambda x: x.mean((1, 2))),
            ("logits", nn.Dense(self.classes, name="fc")),
        ]
        return collect(x, stages, self.layers)

    def _stage(self, x, shapes: list[BlockShape], first: int, train: bool) -> Float[Array, "b h2 w2 f"]:
        for number, shape in enumerate(shapes, first):
            x = InvertedResidual(shape, name=f"block_{number}")(x, train)
        return x


class InvertedResidual(nn.Module):
    shape: BlockShape

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h2 w2 f"]:
        kernel, stride, expansion, features = self.shape
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-3)
        y = x
        if expansion > 1:
            y = Conv(x.shape[-1] * expansion, (1, 1), use_bias=False, name="expand_conv")(y)
            y = nn.relu6(norm(name="bn0")(y))
        y = DepthwiseConv(kernel, stride, same=True, name="depthwise_conv")(y)
        y = nn.relu6(norm(name="bn1")(y))
        y = norm(name="bn2")(Conv(features, (1, 1), use_bias=False, name="project_conv")(y))
        return x + y if x.shape == y.shape else y


def taps(width: float, depth: float, classes: int = 1000) -> dict[str, Tap]:
    window = Window().then(3, 2)
    found = {"stem": Tap(STEM, *window)}
    for number, shapes in enumerate(plan(width, depth), 1):
        for shape in shapes:
            window = window.then(shape.kernel, shape.stride)
        found[f"stage{number}"] = Tap(shapes[-1].features, *window)
    return found | {"head": Tap(HEAD, *window), "pool": Tap(HEAD), "logits": Tap(classes)}
