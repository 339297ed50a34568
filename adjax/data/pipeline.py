"""Records as batches, by tf.data: random crops for training, one pass for fitting, whole images for scoring.

Axes: b batch, h height, w width, c channels, n records, t tile side. A batch holds NumPy arrays: image f32[b h w c] in
[0, 1], _mask bool[b], and for scoring _hash u32[b] and _size i32[b 2]. Rows that only pad a batch are zero.

What is in a batch depends on records, view, seed, batch size and its number alone: not on threads, hosts or memory.
Images are decoded once and kept as stored while `cache_mb` lasts; beyond it they are decoded when they are needed.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from absl import logging
from jaxtyping import Float, Float32, Int, Shaped

from adjax.data import decode
from adjax.data.memory import remember
from adjax.data.run import run
from adjax.data.tensorflow import tf
from adjax.data.view import View
from adjax.tiling import Grid, bucket, starts
from adjax.types import Record, UserError

Batches = Iterator[dict[str, np.ndarray]]
DRAWS = 7  # uniform numbers per sample: y, x, flip_h, flip_v, rot90, shift y, shift x; each choice has its own
SHIFT = 16  # "shift" moves by up to a 16th of the side
ENDLESS = np.iinfo(np.int64).max


def stream(
    records: Sequence[Record],
    view: View,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    augment: bool = True,
    shard: tuple[int, int] = (0, 1),
    cache_mb: float = 1024,
    workers: int | None = None,
) -> Batches:
    """Endless batches for training, from batch number `start` on, which costs nothing to reach.

    Every epoch visits all images in an order of its own; each visit cuts one random tile (or takes the whole image)
    and augments it. `batch_size` counts all hosts' rows, of which `shard` (host, hosts) yields its own.
    """
    channels = _check(records, view)
    first, rows = _rows(batch_size, shard)
    height = width = view.tile
    if view.tile is None:
        height, width = _whole(records, view)
    names = view.augment if augment else ()
    if "rot90" in names and height != width:
        raise UserError(f"augmentation 'rot90' needs square images, not {height}×{width}; set view.tile or drop it")
    fetch = _fetch(records, view, cache_mb)

    def draw(number):
        sample = number * batch_size + first + tf().range(rows, dtype="int64")
        epoch, last = sample // len(records), tf().fill([rows], np.int64(len(records) - 1))
        # tf.random.experimental.index_shuffle is this operation, but fails when each index has a seed of its own.
        seeds = tf().stack([tf().fill([rows], np.int64(seed)), epoch, tf().zeros_like(epoch)], axis=1)
        index = tf().raw_ops.RandomIndexShuffle(index=sample % len(records), seed=seeds, max_index=last)
        uniform = tf().random.stateless_uniform([batch_size, DRAWS], [seed, number], dtype="float64", alg="philox")
        return index, uniform[first : first + rows]

    def gather(indices, uniforms):
        out = np.empty((rows, height, width, channels), np.float32)
        for row, (index, uniform) in enumerate(zip(indices, uniforms)):
            tile = _augmented(_random_tile(fetch(index), view.tile, uniform), names, uniform)
            out[row] = _finished(tile, records[index], view)
        return out, np.ones(rows, bool)

    data = tf().data.Dataset.range(start, ENDLESS).map(draw)
    return run(data, gather, ("image", "_mask"), rows * height * width * channels * 4, workers)


def sweep(
    records: Sequence[Record],
    view: View,
    *,
    batch_size: int,
    grid: Grid | None = None,
    shard: tuple[int, int] = (0, 1),
    cache_mb: float = 1024,
    workers: int | None = None,
) -> Batches:
    """One pass over whole images, or over all tiles of `grid`, in order and without augmentation.

    `view.tile` is not used. The last batch is padded; every host yields the same number of batches.
    """
    channels = _check(records, view)
    first, rows = _rows(batch_size, shard)
    if grid is None:
        height, width = _whole(records, view)
        places = np.array([(i, 0, 0) for i in range(len(records))])
    else:
        height = width = grid.size
        places = _tiles(records, view, grid)
    fetch = _fetch(records, view, cache_mb)

    def gather(number):
        out = np.zeros((rows, height, width, channels), np.float32)
        begin = number * batch_size + first
        mine = places[begin : begin + rows]
        for row, (index, y, x) in enumerate(mine):
            image = _padded(fetch(index), height, width)
            out[row] = _finished(image[y : y + height, x : x + width], records[index], view)
        return out, np.arange(rows) < len(mine)

    data = tf().data.Dataset.range(-(-len(places) // batch_size))
    return run(data, gather, ("image", "_mask"), rows * height * width * channels * 4, workers)


def images(
    records: Sequence[Record],
    view: View,
    *,
    batch_size: int,
    grid: Grid | None = None,
    on_unreadable: Callable[[Record, str], None] | None = None,
    workers: int | None = None,
) -> Iterator[tuple[list[Record], dict[str, np.ndarray]]]:
    """Every image once, whole, with the records of the rows where _mask is True, in the rows' order.

    Images of one padded size share batches: with `grid` both sides are padded to `tiling.bucket` by reflection,
    without it only images of the same size meet. Batches are padded to `batch_size`. An image that cannot be decoded
    is handed to `on_unreadable(record, reason)` and left out; without it, UserError.
    """
    if not records:
        return iter(())
    channels = view.check(records)
    groups: dict[tuple[int, int], list[int]] = {}
    for index, record in enumerate(records):
        size = view.shape(record)
        groups.setdefault(size if grid is None else tuple(bucket(n, grid) for n in size), []).append(index)
    plan = [
        (*size, group[i : i + batch_size]) for size, group in groups.items() for i in range(0, len(group), batch_size)
    ]

    def gather(number):
        height, width, members = plan[number]
        out = np.zeros((batch_size, height, width, channels), np.float32)
        sizes, reasons = np.zeros((batch_size, 2), np.int32), np.full(batch_size, "", object)
        for row, index in enumerate(members):
            try:
                image = _prepared(records[index], view)
            except UserError as error:
                if on_unreadable is None:
                    raise
                reasons[row] = str(error)
            else:
                sizes[row] = image.shape[:2]
                out[row] = _finished(_padded(image, height, width), records[index], view)
        return out, sizes, reasons

    largest = max(height * width for height, width, _ in plan) * batch_size * channels * 4
    data = tf().data.Dataset.range(len(plan))
    batches = run(data, gather, ("image", "_size", "reasons"), largest, workers)
    return _reported(zip(plan, batches), records, on_unreadable)


def _reported(
    pairs: Iterable, records: Sequence[Record], on_unreadable: Callable[[Record, str], None] | None
) -> Iterator[tuple[list[Record], dict[str, np.ndarray]]]:
    for (_, _, members), batch in pairs:
        reasons = [reason.decode() for reason in batch.pop("reasons")]
        mask, hashes = np.zeros(len(reasons), bool), np.zeros(len(reasons), np.uint32)
        for row, (index, reason) in enumerate(zip(members, reasons)):
            if reason:
                on_unreadable(records[index], reason)
            else:
                mask[row], hashes[row] = True, zlib.crc32(records[index].id.encode())
        readable = [records[index] for index, good in zip(members, mask) if good]
        if readable:
            yield readable, batch | {"_mask": mask, "_hash": hashes}


def _check(records: Sequence[Record], view: View) -> int:
    if not records:
        raise UserError("no images to make batches of: the split is empty")
    return view.check(records)


def _rows(batch_size: int, shard: tuple[int, int]) -> tuple[int, int]:
    """First row and number of rows of this host in every global batch."""
    host, hosts = shard
    if batch_size < 1 or batch_size % hosts:
        raise UserError(f"batch_size={batch_size} must be a positive multiple of the number of hosts, {hosts}")
    return host * (batch_size // hosts), batch_size // hosts


def _whole(records: Sequence[Record], view: View) -> tuple[int, int]:
    """The one height and width of whole images."""
    first = view.shape(records[0])
    for record in records:
        if view.shape(record) != first:
            raise UserError(
                f"{records[0].path} is {first[0]}×{first[1]} and {record.path} is {record.shape[0]}×{record.shape[1]} "
                "(height×width): whole images must share one size; set data.tile to train on tiles, "
                "or data.size to resize"
            )
    return first


def _tiles(records: Sequence[Record], view: View, grid: Grid) -> Int[np.ndarray, "m 3"]:
    """(record, y, x) of every tile."""
    places = []
    for index, record in enumerate(records):
        height, width = (max(n, grid.size) for n in view.shape(record))
        places += [(index, y, x) for y in starts(height, grid) for x in starts(width, grid)]
    return np.array(places)


def _fetch(records: Sequence[Record], view: View, cache_mb: float) -> Callable[[int], Shaped[np.ndarray, "h w c"]]:
    needed = sum(_bytes(record, view) for record in records) / 2**20
    if needed > cache_mb:
        logging.info(
            "%d images take %.0f MB decoded and data.cache_mb is %.0f: the others are decoded anew each time",
            len(records), needed, cache_mb,
        )  # fmt: skip
    return remember(lambda index: _prepared(records[index], view), int(cache_mb * 2**20))


def _bytes(record: Record, view: View) -> int:
    """Memory of what `_prepared` gives."""
    if _resized(record, view):
        return math.prod(view.size) * (view.channels or record.shape[2]) * 4
    return math.prod(record.shape) * np.dtype(record.dtype).itemsize


def _resized(record: Record, view: View) -> bool:
    return view.shape(record) != record.shape[:2]


def _prepared(record: Record, view: View) -> Shaped[np.ndarray, "h w c"]:
    """What is worth keeping: the image as stored, or resized."""
    image = decode.decode(record)
    return decode.resize(decode.to_unit(image, view), view.size) if _resized(record, view) else image


def _finished(image: Shaped[np.ndarray, "h w c"], record: Record, view: View) -> Float32[np.ndarray, "h w c"]:
    return image if _resized(record, view) else decode.to_unit(image, view)


def _padded(image: Shaped[np.ndarray, "h w c"], height: int, width: int) -> Shaped[np.ndarray, "h w c"]:
    """At least height×width, by symmetric reflection below and on the right, repeated as often as it takes."""
    missing = [(0, max(0, n - have)) for n, have in zip((height, width), image.shape[:2])]
    return np.pad(image, (*missing, (0, 0)), mode="symmetric") if any(n for _, n in missing) else image


def _random_tile(image: Shaped[np.ndarray, "h w c"], tile: int | None, draws: Float[np.ndarray, "d"]):
    if tile is None:
        return image
    image = _padded(image, tile, tile)
    y, x = (int(u * (n - tile + 1)) for u, n in zip(draws, image.shape[:2]))
    return image[y : y + tile, x : x + tile]


def _augmented(image: Shaped[np.ndarray, "h w c"], names: Sequence[str], draws: Float[np.ndarray, "d"]):
    if "flip_h" in names and draws[2] < 0.5:
        image = image[:, ::-1]
    if "flip_v" in names and draws[3] < 0.5:
        image = image[::-1]
    if "rot90" in names:
        image = np.rot90(image, int(draws[4] * 4))
    if "shift" in names:
        margins = [max(1, n // SHIFT) for n in image.shape[:2]]
        y, x = (int(u * (2 * m + 1)) for u, m in zip(draws[5:], margins))
        wide = np.pad(image, (*((m, m) for m in margins), (0, 0)), mode="symmetric")
        image = wide[y : y + image.shape[0], x : x + image.shape[1]]
    return image
