"""ResNets (He et al. 2016, arXiv 1512.03385) and wide ones (Zagoruyko & Komodakis 2016, arXiv 1605.07146).

Axes: b batch, h height, w width, c channels, f features.

As torchvision has them: a bottleneck's stride is at its 3×3 convolution, padding is symmetric. The names of the
parameters are torchvision's and timm's, with _ for a dot before a number.
"""

from functools import partial
from typing import NamedTuple

from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.conv import Conv
from adjax.nets.taps import Tap, Window, collect

FEATURES = (64, 128, 256, 512)  # of layer1 to layer4


class Shape(NamedTuple):
    depths: tuple[int, ...]  # blocks in layer1 to layer4
    bottleneck: bool
    widening: int = 1  # of a bottleneck's inner features


SHAPES = {
    "resnet18": Shape((2, 2, 2, 2), False),
    "resnet34": Shape((3, 4, 6, 3), False),
    "resnet50": Shape((3, 4, 6, 3), True),
    "wide_resnet50_2": Shape((3, 4, 6, 3), True, 2),
}


class ResNet(nn.Module):
    """Normalised images -> {layer: features}. A layer's is after its last ReLU, the stem's before the pooling."""

    shape: Shape
    layers: tuple[str, ...]
    classes: int = 1000

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"], train: bool = False) -> dict[str, Array]:
        stages = [("stem", partial(self._stem, train=train))]
        stages += [(f"layer{i + 1}", partial(self._layer, number=i, train=train)) for i in range(4)]
        stages += [("pool", lambda x: x.mean((1, 2))), ("logits", nn.Dense(self.classes, name="fc"))]
        return collect(x, stages, self.layers)

    def _stem(self, x: Float[Array, "b h w 3"], train: bool) -> Float[Array, "b h2 w2 64"]:
        x = Conv(64, (7, 7), 2, padding=3, use_bias=False, name="conv1")(x)
        return nn.relu(nn.BatchNorm(not train, momentum=0.9, name="bn1")(x))

    def _layer(self, x: Float[Array, "b h w c"], number: int, train: bool) -> Float[Array, "b h2 w2 f"]:
        if number == 0:
            x = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for block in range(self.shape.depths[number]):
            stride = 2 if number > 0 and block == 0 else 1
            x = Block(FEATURES[number], stride, self.shape, name=f"layer{number + 1}_{block}")(x, train)
        return x


class Block(nn.Module):
    features: int
    stride: int
    shape: Shape

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h2 w2 f"]:
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        conv = lambda f, k, s, name: Conv(f, (k, k), s, padding=k // 2, use_bias=False, name=name)
        y = x
        plan = _plan(self.features, self.stride, self.shape)
        for number, (features, kernel, stride) in enumerate(plan, 1):
            y = norm(name=f"bn{number}")(conv(features, kernel, stride, f"conv{number}")(y))
            y = nn.relu(y) if number < len(plan) else y
        if x.shape != y.shape:
            x = norm(name="downsample_1")(conv(y.shape[-1], 1, self.stride, "downsample_0")(x))
        return nn.relu(x + y)


def _plan(features: int, stride: int, shape: Shape) -> tuple[tuple[int, int, int], ...]:
    """(features, kernel, stride) of a block's convolutions."""
    if not shape.bottleneck:
        return (features, 3, stride), (features, 3, 1)
    inner = features * shape.widening
    return (inner, 1, 1), (inner, 3, stride), (4 * features, 1, 1)


def taps(shape: Shape, classes: int = 1000) -> dict[str, Tap]:
    window = Window().then(7, 2)
    found = {"stem": Tap(64, *window)}
    window = window.then(3, 2)
    for number, depth in enumerate(shape.depths):
        for block in range(depth):
            plan = _plan(FEATURES[number], 2 if number > 0 and block == 0 else 1, shape)
            for _, kernel, stride in plan:
                window = window.then(kernel, stride)
        found[f"layer{number + 1}"] = Tap(plan[-1][0], *window)
    return found | {"pool": Tap(plan[-1][0]), "logits": Tap(classes)}
