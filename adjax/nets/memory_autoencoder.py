"""The memory-augmented autoencoder of Gong et al. 2019 (arXiv 1904.02639).

Axes: b batch, h height, w width, c channels, d features of the code, n items of the memory. A video's time stands
before h: the published network is one of videos, and differs from that of images in the number of axes alone.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from adjax.nets.blocks import ConvNorm, check_sides, scaled
from adjax.nets.halving import DoublingConvTranspose
from adjax.types import UserError

FEATURES = (96, 128, 256, 256)
REDUCTION = 16  # of the side
SLOPE = 0.2


class MemoryAutoencoder(nn.Module):
    """x in [0, 1] -> its reconstruction, and how strongly each place of the code asks for each item.

    At `width` 1, for 16 grey frames: 5,980,801 parameters, and 512,000 in a memory of 2000 items. The output is
    linear. Sides are multiples of 16, a video's length of 8.
    """

    items: int = 2000
    shrink: float = 0.0025
    similarity: str = "dot"
    temperature: float = 1.0
    width: float = 1.0

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], train: bool = False
    ) -> tuple[Float[Array, "b h w c"], Float[Array, "b h2 w2 n"]]:
        check_sides(*x.shape[-3:-1], REDUCTION)
        sizes = [scaled(f, self.width) for f in FEATURES]
        # A video keeps its length in the first layer.
        strides = [(1, 2, 2) if x.ndim == 5 else (2, 2)] + [(2,) * (x.ndim - 2)] * (len(FEATURES) - 1)
        z = 2.0 * x - 1.0
        for features, stride in zip(sizes, strides):
            z = ConvNorm(features, stride=stride, slope=SLOPE)(z, train)
        memory = self.param("memory", _uniform, (self.items, sizes[-1]))
        asked = address(z, memory, self.shrink, self.similarity, self.temperature)
        z = asked @ memory
        for features, stride in zip(sizes[2::-1], strides[:0:-1]):
            z = _enlarge(z, features, stride)
            z = nn.BatchNorm(use_running_average=not train, momentum=0.9)(z)
            z = nn.leaky_relu(z, SLOPE)
        return (_enlarge(z, x.shape[-1], strides[0]) + 1.0) / 2.0, asked


def address(
    z: Float[Array, "... d"], memory: Float[Array, "n d"], shrink: float, similarity: str, temperature: float
) -> Float[Array, "... n"]:
    """Softmax over the items; weights up to `shrink` become 0, the rest is brought to sum 1.

    All weights are 0 where none exceeds `shrink`: the code there is 0 and has no gradient. The public code takes
    the "dot" product, whose temperature is learned through the code's length. The paper's "cosine" similarity lies in
    [-1, 1], so that with 2000 items at temperature 1 no weight exceeds 0.0025: it wants one of 0.05 to 0.1.
    """
    if similarity == "cosine":
        z, memory = _unit(z), _unit(memory)
    elif similarity != "dot":
        raise UserError(f"unknown similarity '{similarity}'; choose from dot, cosine")
    weights = jax.nn.softmax(z @ memory.T / temperature)
    # As the published relu(a - s) a / (|a - s| + 1e-12), in value and in gradient.
    kept = jnp.where(weights > shrink, weights, 0.0)
    return kept / jnp.maximum(kept.sum(-1, keepdims=True), 1e-12)


def _unit(x: Float[Array, "... d"]) -> Float[Array, "... d"]:
    return x * jax.lax.rsqrt((x**2).sum(-1, keepdims=True) + 1e-12)


def _uniform(key, shape: tuple[int, int]) -> Float[Array, "n d"]:
    bound = shape[1] ** -0.5
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)


def _enlarge(z: Array, features: int, stride: tuple[int, ...]) -> Array:
    if len(stride) == 2:
        return DoublingConvTranspose(features, kernel=3)(z)
    return nn.ConvTranspose(features, (3,) * len(stride), stride, padding="SAME")(z)
