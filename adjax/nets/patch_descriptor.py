"""Networks that describe a patch by a vector (Bergmann et al. 2020, arXiv 1911.02357), and a whole image in one pass.

Axes: b batch, h height, w width, c channels, i grid height, j grid width, d channels of a description, p patch side.

A network of patches of p × p pixels has no padding: a patch becomes one vector. On a larger image its poolings would
leave out places, so they move by single pixels and what follows them looks that much wider apart (dilation): the output
at any place is then the network's on the patch there, as by the multi-pooling of Bailer et al. 2018 (1805.03096).
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Bool, Float

from adjax.nets.blocks import scaled
from adjax.nets.initial import plain_conv
from adjax.nets.patches import corners
from adjax.nets.pdn import Layer, window
from adjax.pooling import valid_pixels
from adjax.types import Batch, Key, UserError

CHANNELS = 128  # of a description
SLOPE = 0.005  # of the leaky ReLU
LAYERS = {  # by the patch's side
    17: (Layer(128, 6), Layer(256, 5), Layer(256, 5), Layer(0, 4)),
    33: (Layer(128, 5, pool=True), Layer(256, 5, pool=True), Layer(256, 2), Layer(0, 4)),
    65: (
        *(Layer(128, 5, pool=True), Layer(128, 5, pool=True), Layer(256, 5, pool=True)),
        *(Layer(256, 4), Layer(0, 1)),
    ),
}


class PatchDescriptor(nn.Module):
    """Normalised images -> descriptions of all patches that lie within, `stride` pixels apart.

    A pooling really halves its grid where the stride allows it: for strides of 4 or 8 that is the cheap network that
    it is for a patch, for 1 it costs 4 or 64 times as much in the later layers.
    """

    size: int
    channels: int = CHANNELS
    width: float = 1.0
    stride: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w 3"]) -> Float[Array, "b i j d"]:
        layers = LAYERS[self.size]
        unseen = self.size - window(layers).field  # the last rows and columns of a patch, which its poolings drop
        x = x[:, : x.shape[1] - unseen, : x.shape[2] - unseen]
        moved, dilation, last = 1, 1, len(layers) - 1  # pixels between places of x, and places that a kernel skips
        for index, layer in enumerate(layers):
            features = scaled(layer.features, self.width) if layer.features else self.channels
            step = self.stride // moved if index == last else 1
            x = plain_conv(x, features, layer.kernel, step, name=f"conv_{index}", dilation=dilation)
            if layer.pool and dilation == 1 and self.stride % (2 * moved) == 0:
                x, moved = pooled(x, 1, 2), 2 * moved
            elif layer.pool:
                x, dilation = pooled(x, dilation, 1), 2 * dilation
            x = nn.leaky_relu(x, SLOPE) if index < last else x
        return x


def pooled(x: Float[Array, "b h w c"], dilation: int, stride: int) -> Float[Array, "b h2 w2 c"]:
    """The highest of 2 × 2 places that lie `dilation` apart. Of a dilated `reduce_window` JAX knows no gradient."""
    h, w = ((side - 1 - dilation) // stride + 1 for side in x.shape[1:3])
    cut = lambda y, x_: x[:, y : y + (h - 1) * stride + 1 : stride, x_ : x_ + (w - 1) * stride + 1 : stride]
    return jax.tree.reduce(jnp.maximum, [cut(y, x_) for y in (0, dilation) for x_ in (0, dilation)])


def places(side: int, stride: int) -> int:
    """How many descriptions `stride` pixels apart reach from the first pixel to the last, or beyond it."""
    return -(-(side - 1) // stride) + 1


def padded(x: Float[Array, "b h w c"], size: int, stride: int = 1) -> Float[Array, "b h2 w2 c"]:
    """The image mirrored beyond its borders, so that the patch of each place has its middle on a pixel of that grid."""
    before = size // 2
    after = [(places(side, stride) - 1) * stride + size - side - before for side in x.shape[1:3]]
    if max(before, *after) >= min(x.shape[1:3]):
        raise UserError(f"images of {x.shape[1]} × {x.shape[2]} px are too small for patches of {size} px")
    return jnp.pad(x, ((0, 0), (before, after[0]), (before, after[1]), (0, 0)), mode="reflect")


def counted(batch: Batch, stride: int) -> Bool[Array, "b i j"]:
    """The places whose pixel counts."""
    valid = valid_pixels(batch)
    beyond = [((places(side, stride) - 1) * stride + 1 - side) for side in valid.shape[1:]]
    return jnp.pad(valid, ((0, 0), (0, beyond[0]), (0, beyond[1])))[:, ::stride, ::stride]


def region(
    key: Key, batch: Batch, x: Float[Array, "b h2 w2 c"], side: int, size: int, stride: int
) -> tuple[Float[Array, "b e e c"], Bool[Array, "b i j"]]:
    """What the places in a random square of `side` pixels see of `padded` images, and which of them count.

    A square that would leave the image is moved back: where an image is twice as large, no pixel lies in it less often
    than one in the middle, and those near a corner up to four times as often.
    """
    valid = valid_pixels(batch)
    room = [whole - side for whole in valid.shape[1:]]
    if min(room) < 0:
        raise UserError(f"region={side} is larger than images of {valid.shape[1]} × {valid.shape[2]} px")
    first, last = jnp.full((1, 2), 1 - side), jnp.array([valid.shape[1:]])
    corner = jnp.clip(jax.random.randint(key, (len(x), 2), first, last), 0, jnp.array([room]))
    seen = (side - 1) // stride * stride + size
    cut = lambda a, at, side: lax.dynamic_slice(a, (*at, *[0] * (a.ndim - 2)), (side, side, *a.shape[2:]))
    inner = jax.vmap(lambda a, at: cut(a, at, side))(valid, corner)
    return jax.vmap(lambda a, at: cut(a, at, seen))(x, corner), inner[:, ::stride, ::stride]


def spread(maps: Float[Array, "b i j"], shape: tuple[int, int], stride: int) -> Float[Array, "b h w"]:
    """From a grid of `places` to pixels, linearly in between."""
    if stride == 1:
        return maps
    h, w = shape
    return corners(maps, tuple((side - 1) * stride + 1 for side in maps.shape[1:]))[:, :h, :w]
