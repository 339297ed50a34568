"""Tiles with and without labelled objects in a stated share: small objects in large images are rarely hit by chance.

Axes: h height, w width, n objects, t tile side. An object is a connected region (8 neighbours) of a record's mask.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from adjax.data.crops import padded
from adjax.data.stored import mark
from adjax.data.view import View
from adjax.types import Record, UserError


class Deck(NamedTuple):
    objects: Int[np.ndarray, "n 5"]  # record, then the box: first row, end row, first column, end column
    clean: Int[np.ndarray, "m"]  # records with room for a tile that shows no object


def deal(records: Sequence[Record], view: View, share: float) -> Deck:
    """Reads every mask once. `share` is that of the tiles with an object; raises UserError where it can't be had."""
    if not 0 <= share <= 1:
        raise UserError(f"balance={share} must lie between 0 and 1: the share of tiles with a labelled object")
    if view.tile is None or view.crops > 1:
        raise UserError("balance needs data.tile, and data.crops=1: whole images can't be balanced by what they show")
    objects, clean = [], []
    for index, record in enumerate(records):
        if record.label < 0:
            raise UserError(f"{record.path} has no label: only labelled images can be balanced")
        mask = mark(record, view, "target") if record.masks or record.label else None
        if mask is None or free(mask, view.tile).any():
            clean.append(index)
        if mask is not None:
            regions = ndimage.find_objects(ndimage.label(mask, np.ones((3, 3)))[0])
            objects += [(index, y.start, y.stop, x.start, x.stop) for y, x in regions]
    if share > 0 and not objects:
        raise UserError(f"balance={share} needs labelled objects, but no image has any")
    if share < 1 and not clean:
        raise UserError(f"balance={share} needs tiles without objects, but every tile of {view.tile} shows one")
    return Deck(np.array(objects, np.int64).reshape(-1, 5), np.array(clean, np.int64))


def free(mask: Bool[np.ndarray, "h w"], tile: int) -> Bool[np.ndarray, "h2 w2"]:
    """At which (y, x) a tile may begin that shows no object; images smaller than a tile are reflected up to it."""
    mask = padded(mask[..., None], tile, tile)[..., 0]
    sums = np.pad(mask, ((1, 0), (1, 0))).cumsum(0, dtype=np.int32).cumsum(1)
    return sums[tile:, tile:] - sums[:-tile, tile:] - sums[tile:, :-tile] + sums[:-tile, :-tile] == 0


def beside(mask: Bool[np.ndarray, "h w"], tile: int, draws: Float[np.ndarray, "d"]) -> tuple[int, int]:
    """(y, x) of a tile without objects, all such tiles alike."""
    if not mask.any():
        return tuple(int(u * (n - tile + 1)) for u, n in zip(draws, mask.shape))
    places = np.argwhere(free(mask, tile))
    return tuple(map(int, places[int(draws[0] * len(places))]))


def around(
    mask: Bool[np.ndarray, "h w"], box: Sequence[int], tile: int, draws: Float[np.ndarray, "d"]
) -> tuple[int, int]:
    """(y, x) of a tile that shows the whole object, or along an axis where it is too long one drawn pixel of it."""
    pixels = np.argwhere(mask[box[0] : box[1], box[2] : box[3]])
    pixel = pixels[int(draws[5] * len(pixels))] + (box[0], box[2])
    place = []
    for at, first, end, length, u in zip(pixel, box[::2], box[1::2], mask.shape, draws):
        if end - first > tile:
            first, end = at, at + 1
        low, high = max(0, end - tile), min(first, length - tile)
        place.append(int(low + int(u * (high - low + 1))))
    return tuple(place)
