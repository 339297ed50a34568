"""Filters shared by the losses, written so that their gradient is as fast as they are.

Axes: b batch, h height, w width, c channels, n any leading size.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Taps = tuple[float, ...]


def gaussian_taps(size: int, sigma: float) -> Taps:
    """A sampled Gaussian whose taps sum to 1."""
    weights = [math.exp(-((i - size // 2) ** 2) / (2 * sigma**2)) for i in range(size)]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def correlate(x: Array, taps: Taps, axis: int) -> Array:
    """Correlates one axis with `taps`, where they fit: that axis gets shorter by len(taps) - 1.

    Shifted multiply-adds, because XLA's depthwise convolution is 10 to 40 times slower on the CPU. The
    gradient is the same filter reversed: left to autodiff it is a sum of padded arrays, 5 to 9 times slower.
    """
    # Without the barrier XLA fuses the filter with what feeds it and recomputes that for every tap: 2 to 5 times
    # slower in SSIM.
    x = lax.optimization_barrier(x)
    size = x.shape[axis] - len(taps) + 1
    return sum(tap * lax.slice_in_dim(x, i, i + size, axis=axis) for i, tap in enumerate(taps) if tap)


def _correlate_forward(x: Array, taps: Taps, axis: int) -> tuple[Array, None]:
    return correlate(x, taps, axis), None


def _correlate_backward(taps: Taps, axis: int, _: None, gradient: Array) -> tuple[Array]:
    return (correlate(pad_axis(gradient, len(taps) - 1, axis, "constant"), taps[::-1], axis),)


correlate.defvjp(_correlate_forward, _correlate_backward)


def pad_axis(x: Array, width: int, axis: int, mode: str) -> Array:
    """`jnp.pad` by the same width at both ends of one axis."""
    widths = [(width, width) if i == axis else (0, 0) for i in range(x.ndim)]
    return jnp.pad(x, widths, mode=mode)


def blur(x: Float[Array, "n h w c"], taps: Taps, *, pad: bool) -> Float[Array, "n h2 w2 c"]:
    """Filters both axes with `taps`; with `pad` the border is reflected and the size kept."""
    for axis in (1, 2):
        if pad:
            x = pad_axis(x, len(taps) // 2, axis, "reflect")
        x = correlate(x, taps, axis)
    return x


def halve(x: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Averages 2x2 blocks; a last odd row or column is repeated, so nothing is lost."""
    _, h, w, _ = x.shape
    if h % 2 or w % 2:
        x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
    rows = x[:, ::2] + x[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4


def enlarge(x: Float[Array, "n h2 w2 c"], level: int, h: int, w: int) -> Float[Array, "n h w c"]:
    """Brings an image that was halved `level` times back to h x w, bilinearly and in register."""
    if level == 0:
        return x
    n, h2, w2, c = x.shape
    return jax.image.resize(x, (n, h2 << level, w2 << level, c), "linear")[:, :h, :w]


def spatial_mean(x: Float[Array, "n h w c"]) -> Float[Array, "n c"]:
    """The mean over h and w, as a product along w: XLA fuses a plain mean on the CPU into what it averages.

    That loop is a scalar one, 8 times slower for SSIM.
    """
    w = x.shape[2]
    rows = jnp.einsum("nhwc,w->nhc", x, jnp.full(w, 1 / w, x.dtype), precision=lax.Precision.HIGHEST)
    return rows.mean(1)


def median3(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """3x3 median, borders repeated.

    It is the median of three: the highest low, the middle middle and the lowest high of the sorted columns.
    """
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    low, middle, high = _sort3(x[:, :-2], x[:, 1:-1], x[:, 2:])
    low, middle, high = (_sort3(m[:, :, :-2], m[:, :, 1:-1], m[:, :, 2:]) for m in (low, middle, high))
    return _sort3(low[2], middle[1], high[0])[1]


def _sort3(a: Array, b: Array, c: Array) -> tuple[Array, Array, Array]:
    a, b = jnp.minimum(a, b), jnp.maximum(a, b)
    b, c = jnp.minimum(b, c), jnp.maximum(b, c)
    return jnp.minimum(a, b), jnp.maximum(a, b), c
