"""One defective image and its twin in numbers: how well each filter ranks the defect above the controls that fit it.

Axes: h height, w width, m map (filters.MAPS), d disc.
"""

import io

import jax
import jax.numpy as jnp
import numpy as np
from filters import maps, smoothed, statistics
from jax import lax
from jaxtyping import Array, Bool
from PIL import Image
from scipy import fft, stats

from adjax.data.filaments import shows
from adjax.synthesis.filaments import KINDS, OPTICS, defective, image_key

REMOVED = ("broken", "thinned", "scratch")
EXTENDED = ("density", "orientation", "curvature", "width", "blur", "noise", "film")
GROWN = 10  # px around the extent that belong to no control
RINGS = 8  # px to the nearest strand; all that lies farther counts as one more
PIXELS = 3000  # of the defect, and of each control, drawn per image
DISCS = 2000  # random discs per instance
ALIKE = 0.05  # of coverage
THIN = 4  # px: disc means are taken from maps of this fraction of the resolution


def grown(mask: Bool[Array, "h w"], by: int) -> Bool[Array, "h w"]:
    """By a square of 2 by + 1 px."""
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (by, by)
        wide, n = jnp.pad(mask, pad), mask.shape[axis]
        mask = sum(lax.slice_in_dim(wide, i, i + n, axis=axis).astype(jnp.uint8) for i in range(2 * by + 1)) > 0
    return mask


@jax.jit
def controls(extent: Array, count: Array, remaining: Array) -> dict[str, Array]:
    """Places that are free of the defect, and every pixel's distance to the strands that the image shows (rounded)."""
    free, strands, near = ~grown(extent, GROWN), count > 0, (count > 0) & (remaining > 0)
    away = jnp.zeros(near.shape, jnp.uint8)
    for _ in range(RINGS):
        away, near = away + ~near, grown(near, 1)
    return {
        "strands": grown(strands, 2) & free,
        "crossings": grown(count > 1, 2) & free,
        "pores": grown(strands, 3) & ~strands & free,
        "free": free,
        "away": away,
    }


@jax.jit
def truth(pair, noisy: Array, wide: Array) -> Array:
    """The oracle's map: the difference to the twin, smoothed; for noise that of the images, as the ideals are equal."""
    ideal = jnp.abs(pair.ideal[1] - pair.ideal[0])
    seen = jnp.abs(pair.image.astype(jnp.float32) - pair.twin.astype(jnp.float32)) / 255
    difference = jnp.where(noisy, seen, ideal)
    return jnp.where(wide, smoothed(difference, 8.0), smoothed(difference, 1.0))


def auroc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Share of pairs in the right order, ties by half; along the last axis."""
    ranks = stats.rankdata(np.concatenate([positive, negative], axis=-1), axis=-1)
    n, m = positive.shape[-1], negative.shape[-1]
    return (ranks[..., :n].sum(-1) - n * (n + 1) / 2) / (n * m)


def sample(mask: np.ndarray, rng) -> np.ndarray:
    at = np.flatnonzero(mask)
    return rng.choice(at, PIXELS, replace=False) if len(at) > PIXELS else at


def pixelwise(responses: np.ndarray, visible: np.ndarray, negatives: np.ndarray, rng) -> list[float]:
    flat = responses.reshape(len(responses), -1)
    return np.round(auroc(flat[:, sample(visible, rng)], flat[:, sample(negatives, rng)]), 4).tolist()


def matched(visible: np.ndarray, free: np.ndarray, away: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the defect, and of as many free places as far from the strands, ring by ring."""
    positive, flat = sample(visible, rng), away.ravel()
    places = np.flatnonzero(free)
    places = rng.choice(places, min(len(places), 40 * PIXELS), replace=False)
    number = max(1, PIXELS // len(positive))
    wanted = np.bincount(flat[positive], minlength=RINGS + 1)
    rings = [places[flat[places] == d] for d in range(RINGS + 1)]
    return positive, np.concatenate([rng.choice(r, number * n) for r, n in zip(rings, wanted) if n and len(r)])


def disc_means(thin: np.ndarray, radius: float) -> np.ndarray:
    """Means over a disc around every pixel of thinned maps [m h w], by the Fourier transform; borders wrap."""
    n, r = thin.shape[-1], radius / THIN
    d = np.minimum(np.arange(n), n - np.arange(n))
    kernel = np.clip(r + 0.5 - np.hypot(d[:, None], d[None]), 0, 1).astype(np.float32)
    return fft.irfft2(fft.rfft2(thin) * fft.rfft2(kernel / kernel.sum())[None], s=(n, n))


def thinned(images: np.ndarray) -> np.ndarray:
    m, h, w = images.shape
    return images.reshape(m, h // THIN, THIN, w // THIN, THIN).mean((2, 4), dtype=np.float32)


def discwise(pair, responses: np.ndarray, plain: np.ndarray, rng) -> list[list[list[float]]]:
    """Per instance the ranks of its disc in the image, and of the same disc in the twin, among alike discs of the twin.

    The second is the first without a defect: 0.5 on average, whatever the place.
    """
    covered = (pair.crossings > 0).astype(np.float32)[None]
    thin = thinned(np.concatenate([responses, plain, covered]))
    m, n, table = len(responses), thin.shape[-1], []
    for i in np.flatnonzero(pair.plan.active):
        radius = 0.8 * float(pair.plan.extent[i])
        means, edge = disc_means(thin, radius), int(radius / THIN) + 1
        at = tuple(int(np.clip(round((float(u[i]) - 1.5) / THIN), 0, n - 1)) for u in (pair.plan.y, pair.plan.x))
        y, x = rng.integers(edge, n - edge, (2, DISCS))
        alike = np.abs(means[-1][y, x] - means[(-1, *at)]) < ALIKE
        others = means[m : 2 * m, y[alike], x[alike]]
        if others.shape[1] < 20:
            continue
        ranks = [(others < means[k : k + m, at[0], at[1]][:, None]).mean(1) for k in (0, m)]
        table.append([np.round(r, 4).tolist() for r in ranks])
    return table


def png_bytes(image: np.ndarray) -> int:
    """As the data set is written."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=2)
    return buffer.tell()


def measure(kind: str, index: int, seed: int, how: dict) -> dict | None:
    """The record of one image; None where the first draw can't be seen."""
    made = defective(image_key(seed, 8, index), jnp.int32(KINDS.index(kind)), jnp.int32(0), **how)
    pair = jax.tree.map(np.asarray, made)
    numbers = np.flatnonzero(pair.plan.active) + 1
    if not len(numbers) or not all(shows(pair, pair.visible, kind, n) for n in numbers):
        return None
    rng = np.random.default_rng(index)
    responses, plain = (np.asarray(maps(jnp.asarray(u, jnp.float32) / 255)) for u in (pair.image, pair.twin))
    negatives = {k: np.asarray(v) for k, v in controls(made.extent, made.crossings, made.remaining).items()}
    ideal = np.asarray(truth(made, jnp.bool_(kind == "noise"), jnp.bool_(kind in EXTENDED)))[None]
    record = {"kind": kind, "index": index, "share": float(pair.visible.mean())}
    record["statistics"] = [statistics(plain), statistics(responses)]
    record["png"] = [png_bytes(pair.twin), png_bytes(pair.image)]
    if kind in EXTENDED:
        record["discs"] = discwise(pair, responses, plain, rng)
        near = "free"
    else:
        removed = kind in REMOVED and not (kind == "scratch" and OPTICS[how["optics"]].additive)  # there it glows
        near = "pores" if removed else "strands"
        record["b"] = pixelwise(responses, pair.visible, negatives[near], rng)
        if removed:
            record["beside"] = record["b"]
            flat = responses.reshape(len(responses), -1)
            at = matched(pair.visible, negatives["free"], negatives["away"], rng)
            record["b"] = np.round(auroc(*(flat[:, u] for u in at)), 4).tolist()
        else:
            record["c"] = pixelwise(responses, pair.visible, negatives["crossings"], rng)
    record["oracle"] = pixelwise(ideal, pair.visible, negatives[near], rng)[0]
    return record
