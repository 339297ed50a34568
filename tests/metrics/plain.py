"""The definitions, written slowly and plainly: one threshold after the other, one region after the other."""

import itertools

import numpy as np


def regions(mask):
    """8-connected regions as lists of pixels, by flood fill."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask))}
    found = []
    while left:
        stack, region = [left.pop()], []
        while stack:
            y, x = stack.pop()
            region.append((y, x))
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    stack.append(near)
        found.append(region)
    return found


def pro_points(maps, masks, ignore=None):
    """(FPR, PRO) at every distinct score, from the highest, with (0, 0) in front."""
    ignore = [np.zeros(m.shape, bool) for m in maps] if ignore is None else ignore
    parts = []
    for m, g, o in zip(maps, masks, ignore):
        for region in regions(g):
            seen = [m[p] for p in region if not o[p]]
            if seen:
                parts.append(np.array(seen))
    normal = np.concatenate([m[~g & ~o] for m, g, o in zip(maps, masks, ignore)])
    points = [(0.0, 0.0)]
    for t in sorted({*normal.tolist(), *np.concatenate(parts).tolist()}, reverse=True):
        points.append((float(np.mean(normal >= t)), float(np.mean([np.mean(p >= t) for p in parts]))))
    return points


def area(points, limit):
    """Trapezoids up to the limit, the last one cut at it."""
    total = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        total += (x1 - x0) * (y0 + y1) / 2
    return total / limit


def aupro(maps, masks, limit=0.3, ignore=None):
    return area(pro_points(maps, masks, ignore), limit)
