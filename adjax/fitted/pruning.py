"""The loops of `coreset.pruned`, compiled by numba.

Axes: n points, m centres, b new centres, c candidates; k l dimensions in k blocks of l.
"""

import numba
import numpy as np
from jaxtyping import Float

SLACK = np.float32(4 * (1 + 1e-4))  # (2 x)² and more than rounding: what it skips could not have changed


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
def pick(points, candidates, nearest, above, chosen, begin, end):
    """Picks from the candidates as long as the farthest is farther than `above`; the number of the next pick.

    `nearest`: of the candidates; ends up wrong for those that are not picked, which `absorb` puts right.
    """
    for number in range(begin, end):
        new, best = points[chosen[number - 1]], 0
        for i in range(len(candidates)):
            nearest[i] = min(nearest[i], squared(points[candidates[i]], new, nearest[i]))
            if nearest[i] > nearest[best]:
                best = i
        if nearest[best] <= above:
            return number
        chosen[number] = candidates[best]
    return end


@numba.njit(cache=True, parallel=True)
def between(centres: Float[np.ndarray, "m k l"], first: int) -> Float[np.ndarray, "m b"]:
    """Squared distances of all centres to those from number `first` on."""
    found = np.empty((len(centres), len(centres) - first), np.float32)
    for j in numba.prange(len(centres)):
        for c in range(found.shape[1]):
            found[j, c] = squared(centres[j], centres[first + c], np.float32(np.inf))
    return found


@numba.njit(cache=True, parallel=True)
def absorb(points, centres, first, table, nearest, owner):
    """Brings `nearest` and `owner` up to date with the centres from number `first` on."""
    for x in numba.prange(len(points)):
        for c in range(table.shape[1]):
            if table[owner[x], c] < SLACK * nearest[x]:
                distance = squared(points[x], centres[first + c], nearest[x])
                if distance < nearest[x]:
                    nearest[x], owner[x] = distance, first + c
