"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) and MobileNetV3-Large (Howard et al. 2019, arXiv 1905.02244).

Axes: b batch, h height, w width, c channels, f features.

As torchvision has them, but for a usual momentum of batch normalisation (0.9, theirs is 0.99 in V3), for students whose
training is short; the names of the parameters are its own, with _ for a dot.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import rounded_to_8
from adjax.nets.conv import Conv
from adjax.nets.depthwise import DepthwiseConv
from adjax.nets.taps import Tap, Window, collect


class BlockShape(NamedTuple):
    kernel: int
    inner: int  # features between the two 1×1 convolutions
    features: int
    stride: int
    squeeze: bool = False
    activation: Callable = nn.relu6


class Shape(NamedTuple):
    blocks: tuple[BlockShape, ...]
    stem: int
    head: int
    hidden: int  # of the classifier; 0: it is one dense layer
    activation: Callable  # of stem, head and classifier
    epsilon: float
    prefix: str  # how torchvision calls the parts of a block


def _v2_blocks() -> tuple[BlockShape, ...]:
    blocks, inputs = [], 32
    for expansion, features, count, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for i in range(count):
            blocks.append(BlockShape(3, inputs * expansion, features, stride if i == 0 else 1))
            inputs = features
    return tuple(blocks)


_V3_BLOCKS = (
    BlockShape(3, 16, 16, 1, False, nn.relu),
    BlockShape(3, 64, 24, 2, False, nn.relu),
    BlockShape(3, 72, 24, 1, False, nn.relu),
    BlockShape(5, 72, 40, 2, True, nn.relu),
    BlockShape(5, 120, 40, 1, True, nn.relu),
    BlockShape(5, 120, 40, 1, True, nn.relu),
    BlockShape(3, 240, 80, 2, False, nn.hard_swish),
    BlockShape(3, 200, 80, 1, False, nn.hard_swish),
    BlockShape(3, 184, 80, 1, False, nn.hard_swish),
    BlockShape(3, 184, 80, 1, False, nn.hard_swish),
    BlockShape(3, 480, 112, 1, True, nn.hard_swish),
    BlockShape(3, 672, 112, 1, True, nn.hard_swish),
    BlockShape(5, 672, 160, 2, True, nn.hard_swish),
    BlockShape(5, 960, 160, 1, True, nn.hard_swish),
    BlockShape(5, 960, 160, 1, True, nn.hard_swish),
)
SHAPES = {
    "mobilenet_v2": Shape(_v2_blocks(), 32, 1280, 0, nn.relu6, 1e-5, "conv"),
    "mobilenet_v3_large": Shape(_V3_BLOCKS, 16, 960, 1280, nn.hard_swish, 1e-3, "block"),
}


class MobileNet(nn.Module):
    """Normalised images -> {layer: features}: stem, block1 …, head, pool, logits. A block's output is linear."""

    shape: Shape
    layers: tuple[str, ...]
    classes: int = 1000

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"], train: bool = False) -> dict[str, Array]:
        shape = self.shape
        last = len(shape.blocks) + 1
        outer = lambda f, k, s, n: partial(self._conv, features=f, kernel=k, stride=s, number=n, train=train)
        stages = [("stem", outer(shape.stem, 3, 2, 0))]
        for number, block in enumerate(shape.blocks, 1):
            part = Block(block, shape.epsilon, shape.prefix, name=f"features_{number}")
            stages.append((f"block{number}", partial(part, train=train)))
        stages += [("head", outer(shape.head, 1, 1, last)), ("pool", lambda x: x.mean((1, 2)))]
        return collect(x, [*stages, ("logits", self._classifier)], self.layers)

    def _conv(self, x: Float[Array, "b h w c"], features: int, kernel: int, stride: int, number: int, train: bool):
        name = f"features_{number}"
        x = Conv(features, (kernel,) * 2, stride, padding=kernel // 2, use_bias=False, name=f"{name}_0")(x)
        return self.shape.activation(_norm(train, self.shape.epsilon, f"{name}_1")(x))

    def _classifier(self, x: Float[Array, "b c"]) -> Float[Array, "b f"]:
        if self.shape.hidden:
            x = self.shape.activation(nn.Dense(self.shape.hidden, name="classifier_0")(x))
        return nn.Dense(self.classes, name=f"classifier_{3 if self.shape.hidden else 1}")(x)


def _norm(train: bool, epsilon: float, name: str) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=epsilon, name=name)


class Block(nn.Module):
    """Expand by 1×1, filter each feature, weigh the features (V3), project by 1×1."""

    shape: BlockShape
    epsilon: float
    prefix: str

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h2 w2 f"]:
        kernel, inner, features, stride, squeeze, activation = self.shape
        norm = lambda name: _norm(train, self.epsilon, f"{self.prefix}_{name}")
        conv = lambda f, name: Conv(f, (1, 1), use_bias=False, name=f"{self.prefix}_{name}")
        y, part = x, 0
        if inner != x.shape[-1]:
            y = activation(norm("0_1")(conv(inner, "0_0")(y)))
            part = 1
        y = DepthwiseConv(kernel, stride, name=f"{self.prefix}_{part}_0")(y)
        y = activation(norm(f"{part}_1")(y))
        part += 1
        if squeeze:
            y = y * self._weights(y, part)
            part += 1
        # V2 lists the last convolution and its normalisation, V3 wraps them.
        last = (f"{part}", f"{part + 1}") if self.prefix == "conv" else (f"{part}_0", f"{part}_1")
        y = norm(last[1])(conv(features, last[0])(y))
        return x + y if x.shape == y.shape else y

    def _weights(self, y: Float[Array, "b h w c"], part: int) -> Float[Array, "b 1 1 c"]:
        squeezed = rounded_to_8(y.shape[-1] // 4)
        dense = lambda f, name: Conv(f, (1, 1), name=f"{self.prefix}_{part}_{name}")
        mean = y.mean((1, 2), keepdims=True)
        return nn.hard_sigmoid(dense(y.shape[-1], "fc2")(nn.relu(dense(squeezed, "fc1")(mean))))


def taps(shape: Shape, classes: int = 1000) -> dict[str, Tap]:
    """Squeezing sees the whole image, but only its means: the fields are those of the convolutions."""
    window = Window().then(3, 2)
    found = {"stem": Tap(shape.stem, *window)}
    for number, block in enumerate(shape.blocks, 1):
        window = window.then(block.kernel, block.stride)
        found[f"block{number}"] = Tap(block.features, *window)
    return found | {"head": Tap(shape.head, *window), "pool": Tap(shape.head), "logits": Tap(classes)}
