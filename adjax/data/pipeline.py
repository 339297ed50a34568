"""Records as batches, by tf.data: random crops for training, one pass for fitting, whole images for scoring.

Axes: b batch, h height, w width, c channels, n records, t tile side. A batch holds NumPy arrays: image f32[b h w c] in
[0, 1], _mask bool[b], for scoring _hash u32[b] and _size i32[b 2], and _ignore bool[b h w] where any record has such
masks (types.py). Rows that only pad a batch are zero.

What is in a batch depends on records, view, seed, batch size and its number alone: not on threads, hosts or memory.
Images are decoded once and kept as stored while the cache lasts; beyond it they are decoded when they are needed.
Memory: the cache, beyond it the last few images, and for each thread one batch and one image being decoded, with
run.AHEAD batches ready.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Int

from adjax.data import balance as balancing
from adjax.data import stored
from adjax.data.crops import DRAWS, augmented, padded, random_tile
from adjax.data.memory import RECENT, Cache
from adjax.data.run import run, threads_for
from adjax.data.tensorflow import tf
from adjax.data.view import View
from adjax.tiling import Grid, bucket, starts
from adjax.types import Record, UserError

Batches = Iterator[dict[str, np.ndarray]]
ENDLESS = np.iinfo(np.int64).max
ALIGN = 64


def stream(
    records: Sequence[Record],
    view: View,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    augment: bool = True,
    balance: float | None = None,
    shard: tuple[int, int] = (0, 1),
    cache_mb: float = 1024,
    cache_dir: str | None = None,
    workers: int | None = None,
) -> Batches:
    """Endless batches for training, from batch number `start` on, which costs nothing to reach.

    Every epoch visits all images in an order of its own; each visit cuts view.crops random tiles (or takes the whole
    image) and augments them. `batch_size` counts all hosts' rows, of which `shard` (host, hosts) yields its own.
    `balance`: instead, this share of the tiles shows a labelled object, every object once before any a second time,
    and the others show none; batches then have the field `target`.
    `cache_dir`: a folder that keeps decoded images instead of `cache_mb` of memory.
    """
    channels = _check(records, view)
    first, rows = _rows(batch_size, shard)
    height, width = (view.tile, view.tile) if view.tile else _whole(records, view)
    names = view.augment if augment else ()
    if "rot90" in names and height != width:
        raise UserError(f"augmentation 'rot90' needs square images, not {height}×{width}; set view.tile or drop it")
    deck = None if balance is None else balancing.deal(records, view, balance)
    marks = stored.marks_of(records) + (("target",) if deck else ())
    size = rows * height * width * (4 * channels + len(marks))
    # Rows of one visit may lie in two batches, which other threads fill: what they share must still be there.
    recent = RECENT if view.crops == 1 else threads_for(workers, size) * (rows // view.crops + 2)
    fetch = stored.fetcher(records, view, marks, Cache(cache_mb, cache_dir, recent))

    def draw(number):
        sample = number * batch_size + first + tf().range(rows, dtype="int64")
        if deck is None:
            index = _shuffled(sample // view.crops, len(records), seed, 0)
        else:
            index = _dealt(sample, deck, balance, seed)
        uniform = tf().random.stateless_uniform([batch_size, DRAWS], [seed, number], dtype="float64", alg="philox")
        return index, uniform[first : first + rows]

    def tile(index, draws):
        if deck is None:
            return index, random_tile(fetch(index), view.tile, draws)
        record, *box = deck.objects[index] if index >= 0 else (deck.clean[-1 - index],)
        image = padded(fetch(record), view.tile, view.tile)
        target = image[..., -1] > 0
        y, x = balancing.around(target, box, view.tile, draws) if box else balancing.beside(target, view.tile, draws)
        return record, image[y : y + view.tile, x : x + view.tile]

    def gather(indices, uniforms):
        image, *fields = _empty(rows, height, width, channels, marks)
        for row, (index, draws) in enumerate(zip(indices, uniforms)):
            record, piece = tile(index, draws)
            stored.write((image, *fields), row, augmented(piece, names, draws), records[record], view)
        return image, np.ones(rows, bool), *fields

    data = tf().data.Dataset.range(start, ENDLESS).map(draw)
    return run(data, gather, ("image", "_mask", *marks), size, workers)


def _shuffled(number, length: int, seed: int, deck: int):
    """The entry of `range(length)` at place `number` of its endless repetition, each time in another order.

    tf.random.experimental.index_shuffle is this operation, but fails when each index has a seed of its own.
    """
    epoch, last = number // length, tf().fill(tf().shape(number), np.int64(length - 1))
    seeds = tf().stack(
        [tf().fill(tf().shape(number), np.int64(seed)), epoch, tf().fill(tf().shape(number), np.int64(deck))], 1
    )
    return tf().raw_ops.RandomIndexShuffle(index=number % length, seed=seeds, max_index=last)


def _dealt(sample, deck: balancing.Deck, share: float, seed: int):
    """The object of each sample, or -1 - the place in `clean`: of the first s samples floor(s share) have objects."""
    before, after = (tf().cast(tf().floor(tf().cast(s, "float64") * share), "int64") for s in (sample, sample + 1))
    objects = _shuffled(before, max(1, len(deck.objects)), seed, 1)
    clean = _shuffled(sample - before, max(1, len(deck.clean)), seed, 2)
    return tf().where(after > before, objects, -1 - clean)


def _empty(rows: int, height: int, width: int, channels: int, marks: Sequence[str]) -> list[np.ndarray]:
    """A batch's image and marks, not yet written."""
    shape = (rows, height, width)
    return [_aligned((*shape, channels), np.float32), *(_aligned(shape, bool) for _ in marks)]


def _aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Begins at a multiple of ALIGN bytes: TensorFlow takes such an array over, any other it copies."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + ALIGN, np.uint8)
    first = -room.ctypes.data % ALIGN
    return room[first : first + size].view(dtype).reshape(shape)


def _blank(fields: Iterable[np.ndarray], rows: int | slice) -> None:
    for field in fields:
        field[rows] = 0


def sweep(
    records: Sequence[Record],
    view: View,
    *,
    batch_size: int,
    grid: Grid | None = None,
    shard: tuple[int, int] = (0, 1),
    cache_mb: float = 1024,
    cache_dir: str | None = None,
    workers: int | None = None,
) -> Batches:
    """One pass over whole images, or over all tiles of `grid`, in order and without augmentation.

    `view.tile` is not used. The last batch is padded; every host yields the same number of batches.
    """
    channels, marks = _check(records, view), stored.marks_of(records)
    first, rows = _rows(batch_size, shard)
    if grid is None:
        height, width = _whole(records, view)
        places = np.array([(i, 0, 0) for i in range(len(records))])
    else:
        height = width = grid.size
        places = _tiles(records, view, grid)
    fetch = stored.fetcher(records, view, marks, Cache(cache_mb, cache_dir))

    def gather(number):
        image, *fields = _empty(rows, height, width, channels, marks)
        begin = number * batch_size + first
        mine = places[begin : begin + rows]
        for row, (index, y, x) in enumerate(mine):
            piece = padded(fetch(index), height, width)[y : y + height, x : x + width]
            stored.write((image, *fields), row, piece, records[index], view)
        _blank((image, *fields), slice(len(mine), None))
        return image, np.arange(rows) < len(mine), *fields

    data = tf().data.Dataset.range(-(-len(places) // batch_size))
    return run(data, gather, ("image", "_mask", *marks), rows * height * width * (4 * channels + len(marks)), workers)


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
    channels, marks = view.check(records), stored.marks_of(records)
    groups: dict[tuple[int, int], list[int]] = {}
    for index, record in enumerate(records):
        size = view.shape(record)
        groups.setdefault(size if grid is None else tuple(bucket(n, grid) for n in size), []).append(index)
    plan = [
        (*size, group[i : i + batch_size]) for size, group in groups.items() for i in range(0, len(group), batch_size)
    ]

    def gather(number):
        height, width, members = plan[number]
        image, *fields = _empty(batch_size, height, width, channels, marks)
        _blank((image, *fields), slice(len(members), None))
        sizes, reasons = np.zeros((batch_size, 2), np.int32), np.full(batch_size, "", object)
        for row, index in enumerate(members):
            try:
                whole = stored.prepared(records[index], view, marks)
            except UserError as error:
                if on_unreadable is None:
                    raise
                reasons[row] = str(error)
                _blank((image, *fields), row)
            else:
                sizes[row] = whole.shape[:2]
                stored.write((image, *fields), row, padded(whole, height, width), records[index], view)
        return image, sizes, reasons, *fields

    largest = max(height * width for height, width, _ in plan) * batch_size * (4 * channels + len(marks))
    data = tf().data.Dataset.range(len(plan))
    batches = run(data, gather, ("image", "_size", "reasons", *marks), largest, workers)
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
