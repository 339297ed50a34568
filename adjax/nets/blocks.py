"""Layers that several networks are made of.

Axes: b batch, h height, w width, c channels, f features.
"""

from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.conv import Conv
from adjax.types import UserError


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, ReLU (leaky where `slope` is not 0), as PyTorch pads and normalises.

    The padding is (kernel - 1) // 2 on all sides: with stride 2 the kernel should be even, or the picture shifts by
    half a pixel. The bias has no effect beside the normalisation; published parameter counts include it.
    """

    features: int
    kernel: int = 3
    stride: int | tuple[int, ...] = 1
    slope: float = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h2 w2 f"]:
        sides = x.ndim - 2  # two for images, three for video
        x = Conv(self.features, (self.kernel,) * sides, self.stride, padding=(self.kernel - 1) // 2)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        return nn.leaky_relu(x, self.slope)


def scaled(features: int, width: float) -> int:
    """Features of a layer in a network `width` times as wide as the published one."""
    return max(1, round(features * width))


def rounded_to_8(features: float) -> int:
    """To the nearest multiple of 8, but not down by more than a tenth: as mobile networks round their widths."""
    nearest = max(8, int(features + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * features else nearest + 8


def check_sides(h: int, w: int, multiple: int) -> None:
    """UserError for an image that can't be halved evenly as often as the network does."""
    for name, side in (("height", h), ("width", w)):
        if side < multiple or side % multiple:
            raise UserError(f"the image {name} {side} is not a multiple of {multiple}, as the network needs")
