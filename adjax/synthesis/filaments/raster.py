"""Exact-distance rasteriser for many thin strands: tiles, a sorted list of pieces per tile, painter's order.

Axes: b image, f strand (in painter's order, deepest first), v vertex, a vertex attribute, p piece (SEGMENTS consecutive
segments of one strand), t tile, q pixel of a tile, h height, w width.
Vertex attributes (`ATTRIBUTES`): x, y in px (pixel centres are integers), r half-width in px (≤ 0: the segment is not
there), g grey, s softness of the edge in px (1: sharp), e label of the edit that made it (0: none).

Distances are exact to the polyline's segments. Pieces of one strand that follow each other are one body; a strand that
comes back to a tile is a second body, so self-crossings have an over and an under too. Nothing is capped: a tile's list
is a range of one sorted array.
"""

from typing import NamedTuple

import einops
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

ATTRIBUTES = 6
SEGMENTS = 4  # per piece
TILE = 32
CHUNK = 64  # tiles painted together: their accumulators stay in the second-level cache
SHADOW_REACH = 6.0  # px beyond the edge
FAR = 1e6  # px²


class Look(NamedTuple):
    """How bodies are lit."""

    shadow: float  # depth of the contact shadow
    edge: float  # brightening towards the flanks
    additive: bool  # light adds up; otherwise the upper body hides the lower


class Picture(NamedTuple):
    """What one pass over the strands leaves per pixel."""

    grey: Float[Array, "b h w"]
    below: Float[Array, "b h w"]  # grey of all that lies deeper than `depth`
    through: Float[Array, "b h w"]  # share of `below` that reaches the top; grey is affine in `below` with this slope
    count: Float[Array, "b h w"]  # bodies that cover the pixel's centre
    top: Float[Array, "b h w"]  # painter's index of the topmost of them, -1 where there is none
    label: Float[Array, "b h w"]  # largest edit label among the bodies that touch the pixel, hidden ones included


def cut(vertices: Float[Array, "b f v a"]) -> Float[Array, "b p n a"]:
    """The pieces, each with SEGMENTS + 1 vertices; v − 1 must be a multiple of SEGMENTS."""
    b, f, v, a = vertices.shape
    n = (v - 1) // SEGMENTS
    head = vertices[:, :, :-1].reshape(b, f * n, SEGMENTS, a)
    last = vertices[:, :, SEGMENTS::SEGMENTS].reshape(b, f * n, 1, a)
    return jnp.concatenate([head, last], axis=2)


def assign(pieces: Float[Array, "p n a"], side: int) -> tuple[Int[Array, "k"], Int[Array, "t"], Int[Array, "t"]]:
    """(piece numbers sorted by tile, then by painter's order; each tile's start; each tile's count).

    A piece belongs to every tile that its bounding box, grown by its reach, touches: at most 3 x 3.
    """
    p = pieces.shape[0]
    if (side * side + 1) * p >= 2**32:
        raise ValueError(f"{p} pieces on {side} x {side} tiles overflow 32-bit keys: paint a smaller canvas")
    x, y, r, soft = (pieces[..., i] for i in (0, 1, 2, 4))
    on = r > 0
    reach = jnp.max(jnp.where(on, r + jnp.maximum(SHADOW_REACH, soft / 2), 0.0), axis=1)
    live = jnp.any(on[:, 1:] & on[:, :-1], axis=1)

    def span(u):
        low = jnp.floor((jnp.min(jnp.where(on, u, FAR), axis=1) - reach) / TILE)
        high = jnp.floor((jnp.max(jnp.where(on, u, -FAR), axis=1) + reach) / TILE)
        tiles = low[:, None] + jnp.arange(3.0)[None]
        return tiles, (tiles <= high[:, None]) & (tiles >= 0) & (tiles < side) & live[:, None]

    (column, x_in), (row, y_in) = span(x), span(y)
    tile = row[:, :, None] * side + column[:, None, :]
    inside = y_in[:, :, None] & x_in[:, None, :]
    tile = jnp.where(inside, tile, float(side * side)).astype(jnp.uint32)
    keys = jnp.sort((tile * jnp.uint32(p) + jnp.arange(p, dtype=jnp.uint32)[:, None, None]).ravel())
    edges = jnp.searchsorted(keys, jnp.arange(side * side + 1, dtype=jnp.uint32) * jnp.uint32(p)).astype(jnp.int32)
    return (keys % jnp.uint32(p)).astype(jnp.int32), edges[:-1], edges[1:] - edges[:-1]


def nearest(piece: Float[Array, "t n a"], x: Float[Array, "t q"], y: Float[Array, "t q"], best: tuple) -> tuple:
    """Updates (squared distance, half-width, grey, label) by the piece's segments."""
    for i in range(SEGMENTS):
        a, c = piece[:, i, :, None], piece[:, i + 1, :, None]
        step = c - a
        inverse = 1.0 / jnp.maximum(step[:, 0] ** 2 + step[:, 1] ** 2, 1e-12)
        u, v = x - a[:, 0], y - a[:, 1]
        along = jnp.clip((u * step[:, 0] + v * step[:, 1]) * inverse, 0.0, 1.0)
        u, v = u - along * step[:, 0], v - along * step[:, 1]
        square = jnp.where((a[:, 2] > 0) & (c[:, 2] > 0), u * u + v * v, FAR)
        closer = square < best[0]
        new = (square, a[:, 2] + along * step[:, 2], a[:, 3] + along * step[:, 3], jnp.maximum(a[:, 5], c[:, 5]))
        new = (new[0], new[1], new[2], jnp.broadcast_to(new[3], square.shape))
        best = tuple(jnp.where(closer, n, o) for n, o in zip(new, best))
    return best


def coverage(distance: Array, r: Array, soft: Array) -> Array:
    """Analytic anti-aliasing: the share of the pixel that the body covers."""
    return jnp.clip(0.5 + (r - distance) / soft, 0.0, 1.0)


def profile(distance: Array, r: Array, edge: float) -> Array:
    """Secondary electrons leave a steep flank more easily: brighter towards the edge, grey as a whole unchanged."""
    u = jnp.minimum(distance / jnp.maximum(r, 0.5), 0.89)
    return 1.0 + edge * (lax.rsqrt(1.0 - u * u) - 1.3)


def lay(canvas: tuple, body: tuple, rank, soft, depth, look) -> tuple:
    """Composites one finished body over (grey, below, through, count, top, label)."""
    grey, below, through, count, top, label = canvas
    square, r, g, e = body
    distance = jnp.sqrt(square)
    a = coverage(distance, r, soft)
    if look.additive:
        dome = jnp.sqrt(jnp.maximum(1.0 - 0.6 * square / jnp.maximum(r * r, 0.25), 0.2))
        grey, pass_on = grey + a * g * dome, 1.0
    else:
        shade = jnp.clip(1.0 - (distance - r) / SHADOW_REACH, 0.0, 1.0)
        shade = 1.0 - look.shadow * jnp.where(distance > r, shade * shade, 1.0)
        pass_on = (1.0 - a) * shade
        grey = a * g * profile(distance, r, look.edge) + pass_on * grey
    deeper = rank < depth
    below = jnp.where(deeper, grey, below)
    through = jnp.where(deeper, 1.0, through * pass_on)
    covered = distance < r
    count = jnp.where(covered, count + 1.0, count)
    top = jnp.where(covered, rank, top)
    label = jnp.where(distance < r + 1.0, jnp.maximum(label, e), label)
    return grey, below, through, count, top, label


def paint_chunk(chunk: tuple, pieces, order, strands: int, look) -> tuple:
    """Walks the lists of a chunk of tiles to the length of the longest, and one step further to lay the last body."""
    ground, x, y, start, count, depth = chunk
    zero = jnp.zeros_like(x)
    per_strand = pieces.shape[0] // strands
    empty = (zero + FAR, zero, zero, zero)

    def step(k, carry):
        canvas, body, last, soft = carry
        valid = k < count
        number = order[jnp.where(valid, start + k, 0)]
        follows = (number == last + 1) & (number % per_strand != 0)
        fresh = ((k == count) | (valid & ~follows))[:, None]
        rank = (last // per_strand % strands).astype(jnp.float32)
        laid = lay(canvas, body, rank[:, None], soft[:, None], depth[:, None], look)
        canvas, body = jax.tree.map(lambda n, o: jnp.where(fresh, n, o), (laid, empty), (canvas, body))
        piece = pieces[number]
        closer = nearest(piece, x, y, body)
        body = jax.tree.map(lambda n, o: jnp.where(valid[:, None], n, o), closer, body)
        return canvas, body, jnp.where(valid, number, last), jnp.where(valid, piece[:, 0, 4], soft)

    carry = ((ground, ground, zero + 1.0, zero, zero - 1.0, zero), empty, start * 0 - 2, zero[:, 0] + 1.0)
    return lax.fori_loop(0, jnp.max(count) + 1, step, carry)[0]


def paint(
    ground: Float[Array, "b h w"], vertices: Float[Array, "b f v a"], depth: Float[Array, "b"], look: Look
) -> Picture:
    """Lays the strands over `ground` in their order; `depth` is the painter's index that divides below from above.

    Quadratic canvases only.
    """
    b, height, width = ground.shape
    side = -(-max(height, width) // TILE)
    pieces = cut(vertices)
    order, start, count = jax.vmap(lambda p: assign(p, side))(pieces)
    p, k = pieces.shape[1], order.shape[1]
    order = order + jnp.arange(b, dtype=jnp.int32)[:, None] * p
    start = start + jnp.arange(b, dtype=jnp.int32)[:, None] * k
    pad = ((0, 0), (0, side * TILE - height), (0, side * TILE - width))
    ground = einops.rearrange(jnp.pad(ground, pad), "b (i y) (j x) -> (b i j) (y x)", y=TILE, x=TILE)
    tile = jnp.arange(b * side * side, dtype=jnp.int32)
    inner = jnp.arange(TILE * TILE, dtype=jnp.int32)
    x = ((tile % side) * TILE)[:, None] + (inner % TILE)[None]
    y = ((tile // side % side) * TILE)[:, None] + (inner // TILE)[None]
    depth = jnp.repeat(depth, side * side)
    work = (ground, x.astype(jnp.float32), y.astype(jnp.float32), start.ravel(), count.ravel(), depth)
    planes = walk(work, pieces.reshape(b * p, *pieces.shape[2:]), order.ravel(), vertices.shape[1], look)
    shape = {"b": b, "i": side, "j": side, "y": TILE, "x": TILE}
    planes = (einops.rearrange(a, "(b i j) (y x) -> b (i y) (j x)", **shape) for a in planes)
    return Picture(*(a[:, :height, :width] for a in planes))


def walk(work: tuple, pieces, order, strands: int, look) -> tuple:
    """All tiles, the busiest first, CHUNK at a time, so that no tile waits long for another."""
    n = work[0].shape[0]
    chunk = min(CHUNK, n)
    busy = jnp.argsort(-work[4])
    busy = jnp.concatenate([busy, jnp.repeat(busy[-1:], -n % chunk)])
    chunks = jax.tree.map(lambda a: a[busy].reshape(-1, chunk, *a.shape[1:]), work)
    planes = lax.map(lambda c: paint_chunk(c, pieces, order, strands, look), chunks)
    back = jnp.argsort(busy[:n])
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[back], planes)
