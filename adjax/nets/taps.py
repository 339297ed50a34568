"""Networks that give their intermediate features by name, and where a feature comes from.

Axes: b batch, h height, w width, c channels.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from jaxtyping import Array


class Tap(NamedTuple):
    """A named output: a map of features, or one vector for the whole image (stride 0)."""

    channels: int
    stride: int = 0
    field: int = 0  # side of the receptive field in pixels; 0 where everything is seen


class Window(NamedTuple):
    """How far apart neighbouring features are and how far one sees, in pixels of the image."""

    stride: int = 1
    field: int = 1

    def then(self, kernel: int, stride: int = 1) -> "Window":
        """After a convolution or a pooling."""
        return Window(self.stride * stride, self.field + (kernel - 1) * self.stride)


def collect(x: Array, stages: Iterable[tuple[str, Callable]], layers: tuple[str, ...]) -> dict[str, Array]:
    """The outputs of the stages in `layers`. What follows the last of them is neither computed nor given parameters."""
    outputs: dict[str, Array] = {}
    for name, stage in stages:
        x = stage(x)
        if name in layers:
            outputs[name] = x
        if len(outputs) == len(layers):
            break
    return outputs
