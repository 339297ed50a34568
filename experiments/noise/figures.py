"""Draws contact_sheet.png (every noise once) and spectra.png (radially averaged power).

Axes: b batch, h height, w width, c channels.
"""

import pathlib

import jax
import matplotlib
import numpy as np
import peers

from adjax.noise import draem_field, draem_mask, fractal, power_law

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = pathlib.Path(__file__).parent
SIZE = 256


def many(noise, n, seed=0):
    images = jax.jit(noise)(jax.random.split(jax.random.key(seed), n))
    return np.asarray(images, np.float32).reshape(n, SIZE, SIZE, -1)[..., 0]


def octave(wavelength, **options):
    return lambda keys: fractal(keys, (SIZE, SIZE, 1), frequency=wavelength, octaves=1, **options)


def radial(images):
    """Mean power by distance from frequency 0, in cycles per pixel, written plainly."""
    window = np.hanning(SIZE)[:, None] * np.hanning(SIZE)[None]
    power = (np.abs(np.fft.fft2(images * window[None])) ** 2).mean(0) / (window**2).sum()
    radius = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    rings = np.round(radius * SIZE).astype(int).ravel()
    total, count = np.bincount(rings, power.ravel()), np.bincount(rings)
    keep = slice(1, SIZE // 2)
    return np.arange(len(count))[keep] / SIZE, (total / count)[keep]


def sheet():
    whole = lambda keys, **options: fractal(keys, (SIZE, SIZE, 1), **options)
    panels = {
        "fractal (AnoDDPM)": many(whole, 1)[0],
        "opensimplex, the same": peers.octaves(0, 200, SIZE),
        "fractal, dims=2": many(lambda k: whole(k, dims=2), 1)[0],
        "fractal, persistence 0.5": many(lambda k: whole(k, persistence=0.5), 1)[0],
        **{f"one octave, {f} px": many(octave(f), 1)[0] for f in (64, 16, 4, 2)},
        "one octave, 16 px, dims=2": many(octave(16, dims=2), 1)[0],
        "draem_field": many(lambda k: draem_field(k, (SIZE, SIZE)), 1, 3)[0],
        "draem_mask": many(lambda k: draem_mask(k, (SIZE, SIZE)), 1, 3)[0],
        **{
            f"power_law {e}": many(lambda k, e=e: power_law(k, (SIZE, SIZE, 1), exponent=e), 1)[0]
            for e in (0.0, 1.0, 2.0, 3.0)
        },
        "fractal > 0.8": many(lambda k: whole(k, persistence=0.5), 1)[0] > 0.8,
    }
    figure, axes = plt.subplots(4, 4, figsize=(12, 12.6))
    for ax, (title, image) in zip(axes.ravel(), panels.items()):
        ax.imshow(image, cmap="gray", interpolation="nearest")
        ax.set_title(title, fontsize=9)
        ax.axis("off")
    figure.tight_layout()
    figure.savefig(HERE / "contact_sheet.png", dpi=90)


def spectra():
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4))
    for f in (32, 16, 8, 4):
        left.loglog(*radial(many(octave(f), 32)), label=f"{f} px")
    theirs = np.stack([one_of_theirs(i, 16) for i in range(32)])
    left.loglog(*radial(theirs), "k--", lw=1, label="opensimplex, 16 px")
    left.set_title("one octave, three dimensions")
    middle.loglog(*radial(many(lambda k: fractal(k, (SIZE, SIZE, 1)), 32)), label="fractal")
    theirs = np.stack([peers.octaves(i, 50 * i, SIZE) for i in range(32)])
    middle.loglog(*radial(theirs), "k--", lw=1, label="opensimplex")
    middle.set_title("six octaves")
    for exponent in (0.0, 1.0, 2.0, 3.0):
        right.loglog(
            *radial(many(lambda k, e=exponent: power_law(k, (SIZE, SIZE, 1), exponent=e), 16)), label=f"{exponent:.0f}"
        )
    right.set_title("power_law by exponent")
    for ax in (left, middle, right):
        ax.set(xlabel="cycles per pixel", ylabel="power", ylim=(1e-6, None))
        ax.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(HERE / "spectra.png", dpi=90)


def one_of_theirs(seed, wavelength):
    peers.opensimplex.seed(seed)
    at = np.arange(SIZE) / wavelength
    return peers.opensimplex.noise3array(at, at, np.array([50.0 * seed]) / wavelength)[0]


if __name__ == "__main__":
    sheet()
    spectra()
