"""The loops of `coreset.pruned`, compiled by numba.

Axes: n points, d dimensions (a multiple of 8), m centres.
"""

from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Int

SLACK = np.float32(4 * (1 + 1e-4))  # (2 x)² and more than rounding: what it skips could not have changed
NONE = -1


class State(NamedTuple):
    points: Float[np.ndarray, "n k l"]
    chosen: Int[np.ndarray, "m"]
    centres: Float[np.ndarray, "m k l"]  # the chosen points, side by side
    nearest: Float[np.ndarray, "n"]  # squared distance to the nearest centre
    following: Int[np.ndarray, "n"]  # the next member of the same centre, NONE after the last
    member: Int[np.ndarray, "m"]  # a centre's first member
    radius: Float[np.ndarray, "m"]  # squared distance of its farthest member
    farthest: Int[np.ndarray, "m"]  # the first of the farthest members


def start(points: Float[np.ndarray, "n k l"], size: int, first: int) -> State:
    """All points are members of the first centre."""
    n = len(points)
    following = np.arange(1, n + 1, dtype=np.int32)
    following[-1] = NONE
    nearest = distances(points, points[first])
    whole = lambda kind, value: np.full(size, value, kind)
    state = State(
        points,
        whole(np.int32, first),
        np.zeros((size, *points.shape[1:]), np.float32),
        nearest,
        following,
        whole(np.int32, NONE),
        whole(np.float32, -1),
        whole(np.int32, 0),
    )
    state.centres[0], state.member[0] = points[first], 0
    state.farthest[0] = nearest.argmax()
    state.radius[0] = nearest[state.farthest[0]]
    return state


@numba.njit(cache=True, fastmath={"reassoc", "nsz", "contract"})
def squared(a, b, limit):
    """Squared distance, or any sum of its blocks that is at least `limit`."""
    total = np.float32(0)
    for block in range(a.shape[0]):
        part = np.float32(0)
        for i in range(a.shape[1]):
            difference = a[block, i] - b[block, i]
            part += difference * difference
        total += part
        if total >= limit:
            break
    return total


@numba.njit(cache=True)
def distances(points, centre):
    found = np.empty(points.shape[0], np.float32)
    for x in range(points.shape[0]):
        found[x] = squared(points[x], centre, np.float32(np.inf))
    return found


@numba.njit(cache=True)
def advance(points, chosen, centres, nearest, following, member, radius, farthest, begin, end):
    """Picks number `begin` to `end`."""
    for number in range(begin, end):
        best = 0
        for j in range(1, number):
            if radius[j] > radius[best] or (radius[j] == radius[best] and farthest[j] < farthest[best]):
                best = j
        new = farthest[best]
        chosen[number] = new
        centres[number] = points[new]
        for j in range(number):
            reach = SLACK * radius[j]
            if member[j] != NONE:
                between = squared(centres[number], centres[j], reach)
                if between < reach:
                    take(points, centres, nearest, following, member, radius, farthest, j, number, between)


@numba.njit(cache=True)
def take(points, centres, nearest, following, member, radius, farthest, old, new, between):
    """Moves what is nearer to centre `new` than to `old` and finds the farthest of those that stay."""
    radius[old], farthest[old] = np.float32(-1), points.shape[0]
    x, before = member[old], NONE
    while x != NONE:
        after = following[x]
        moved = False
        if between < SLACK * nearest[x]:
            distance = squared(points[x], centres[new], nearest[x])
            moved = distance < nearest[x]
        if moved:
            nearest[x] = distance
            if before == NONE:
                member[old] = after
            else:
                following[before] = after
            following[x], member[new] = member[new], x
        else:
            before = x
        centre = new if moved else old
        if nearest[x] > radius[centre] or (nearest[x] == radius[centre] and x < farthest[centre]):
            radius[centre], farthest[centre] = nearest[x], x
        x = after
