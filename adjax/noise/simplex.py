"""OpenSimplex noise (K. Spencer's original form of 2014) on the two- and three-dimensional simplex lattice.

Axes: shape stands for the one shape, of any rank, that all coordinates share.

    noise(p) = Σ_v max(0, 2 − |p − v|²)⁴ · g_v · (p − v) / norm          over all nodes v of the lattice

with the published lattice, kernel, gradients and norm. Neighbouring nodes are √2 apart, which is the kernel's radius:
the noise is 0 at every node, and has three continuous derivatives. (The published three-dimensional code leaves out a
node in rare places and makes steps of up to 6e-5 there; here every node counts.)

Which gradient a node gets is an arithmetic hash of its place and a seed, where the published code looks in a shuffled
table of 256: no gather, and no period. In three dimensions the gradients lie along the lattice's cubic axes, in the
published code along the coordinates; that changes neither variance nor spectrum.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt32

Coordinate = Float[Array, "*shape"]
Label = UInt32[Array, "*shape"]
Node = tuple[Label, Coordinate]  # along one axis: a node's label, and how far the point lies beyond the node

# Node n of axis a is labelled n · STEP[a] + seed[a], modulo 2³².
STEP = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
HIGHEST = 0x80000000

STRETCH2, SQUISH2 = (3**-0.5 - 1) / 2, (3**0.5 - 1) / 2
NORM2, NORM3 = 47, 103


def simplex2(seed: UInt32[Array, "2"], x: Coordinate, y: Coordinate, *, pull: Callable | None = None) -> Coordinate:
    """Standard deviation 0.3 per unit wavelength; `pull(i, j, dx, dy)` is g · (p − v) of the node labelled i, j."""
    stretch = (x + y) * np.float32(STRETCH2)
    (m, u), (n, v) = (split(c + stretch, jnp.floor) for c in (x, y))
    # The cell's upper triangle is its lower one seen from the opposite corner: from here on nodes are seen from there.
    upper = u + v > 1
    u, v = (jnp.where(upper, 1 - c, c) for c in (u, v))
    aside = jnp.where(u > v, np.int32(1), np.int32(-1))
    opposite = u + v + jnp.minimum(u, v) > 1
    fourth = jnp.where(opposite, np.int32(1), aside), jnp.where(opposite, np.int32(1), -aside)
    total = jnp.zeros_like(x)
    for a, b in ((0, 0), (1, 0), (0, 1), fourth):
        a, b = jnp.full_like(m, a), jnp.full_like(n, b)
        du, dv = (jnp.where(upper, t - c, c - t) for c, t in ((u, a.astype(x.dtype)), (v, b.astype(x.dtype))))
        squish = (du + dv) * np.float32(SQUISH2)
        i = label(0, jnp.where(upper, m + 1 - a, m + a), seed)
        j = label(1, jnp.where(upper, n + 1 - b, n + b), seed)
        total += kernel(du + squish, dv + squish) * (pull or pull2)(i, j, du + squish, dv + squish)
    return total * np.float32(1 / NORM2)


def simplex3(
    seed: UInt32[Array, "3"], x: Coordinate, y: Coordinate, z: Coordinate, *, pull: Callable | None = None
) -> Coordinate:
    """`pull(i, j, k, dx, dy, dz)` is g · (p − v) of the node labelled i, j, k, all in the coordinates of `cubic`."""
    pairs = [split(c, jnp.round) for c in cubic(x, y, z)]
    # Nodes have an even sum. The corner nearest to the point is a node itself, or it has six nodes beside it.
    even = (pairs[0][0] ^ pairs[1][0] ^ pairs[2][0]) & 1 == 0
    axes = [neighbours(axis, n, d, even, seed) for axis, (n, d) in enumerate(pairs)]
    (x0, x1, x2, xa, xb), (y0, y1, y2, ya, yb), (z0, z1, z2, za, zb) = axes
    nodes = [(xb, y0, z0), (xb, y1, z1), (xa, y1, z0), (xa, y0, z1)]  # corners of the point's own cube
    nodes += [(x2, y0, za), (x2, y1, zb), (xa, y2, z0), (xb, y2, z1), (x0, ya, z2), (x1, yb, z2)]
    total = jnp.zeros_like(x)
    for (i, dx), (j, dy), (k, dz) in nodes:
        total += kernel(dx, dy, dz) * (pull or pull3)(i, j, k, dx, dy, dz)
    return total * np.float32(1 / NORM3)


def cubic(x: Coordinate, y: Coordinate, z: Coordinate) -> tuple[Coordinate, Coordinate, Coordinate]:
    """Half a turn about (1, 1, 1), its own inverse: published nodes become the integer points whose sum is even."""
    third = (x + y + z) * np.float32(2 / 3)
    return third - x, third - y, third - z


def split(c: Coordinate, whole: Callable) -> tuple[Int[Array, "*shape"], Coordinate]:
    base = whole(c)
    return base.astype(jnp.int32), c - base


def label(axis: int, n: Int[Array, "*shape"], seed: UInt32[Array, "d"]) -> Label:
    return n.astype(jnp.uint32) * np.uint32(STEP[axis]) + seed[axis]


def neighbours(
    axis: int, n: Int[Array, "*shape"], d: Coordinate, even: Bool[Array, "*shape"], seed: UInt32[Array, "3"]
) -> tuple[Node, Node, Node, Node, Node]:
    """The nearest integer, the next towards the point and the next away from it; the first two by parity.

    In that order, so that (odd, ...) completes an odd sum where `even`, and an even one elsewhere.
    """
    below = d < 0
    step = jnp.where(below, np.uint32(-STEP[axis] % 2**32), np.uint32(STEP[axis]))
    unit = jnp.where(below, np.float32(-1), np.float32(1))
    nearest = label(axis, n, seed), d
    near = nearest[0] + step, d - unit
    away = nearest[0] - step, d + unit
    first = tuple(jnp.where(even, a, b) for a, b in zip(near, nearest))
    second = tuple(jnp.where(even, a, b) for a, b in zip(nearest, near))
    return nearest, near, away, first, second


def kernel(*d: Coordinate) -> Coordinate:
    """A comparison instead of `maximum`, which pays for NaN."""
    rest = 2 - sum(c * c for c in d)
    square = jnp.where(rest > 0, rest, np.float32(0)) ** 2
    return square * square


def pull2(i: Label, j: Label, x: Coordinate, y: Coordinate) -> Coordinate:
    """g is one of the 8 published gradients (±5, ±2) and (±2, ±5): two signs, and which component is long."""
    h = mix(i, j)
    x, y = signed(x, h), signed(y, h << np.uint32(1))
    return 2 * (x + y) + 3 * jnp.where(h << np.uint32(2) < np.uint32(HIGHEST), x, y)


def pull3(i: Label, j: Label, k: Label, x: Coordinate, y: Coordinate, z: Coordinate) -> Coordinate:
    """g is one of the 24 published gradients: three signs, and which component is 11 beside two 4s."""
    h = mix(i, j, k)
    x, y, z = signed(x, h), signed(y, h << np.uint32(1)), signed(z, h << np.uint32(2))
    choice, third = h << np.uint32(3), 2**32 // 3
    long = jnp.where(choice < np.uint32(third), x, jnp.where(choice < np.uint32(2 * third), y, z))
    return 4 * (x + y + z) + 7 * long


def mix(*labels: Label) -> Label:
    """One hash of a node's labels; its high bits are the good ones.

    An odd square, not a product with a constant: LLVM would turn every shift of such a product into another product.
    """
    h = labels[0]
    for other in labels[1:]:
        h = h ^ other
    h = h ^ (h >> np.uint32(15))
    return h * (h | np.uint32(1))


def signed(c: Coordinate, h: Label) -> Coordinate:
    """Changes the sign where the highest bit of h is set."""
    bits = lax.bitcast_convert_type(c, jnp.uint32) ^ (h & np.uint32(HIGHEST))
    return lax.bitcast_convert_type(bits, jnp.float32)
