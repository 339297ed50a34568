"""What a level of difficulty and a kind of optics mean, in numbers. Lengths in px of the full-size image."""

from typing import NamedTuple

VERSION = "1.3.0"  # of the images: any change of a single grey value raises it
REFERENCE = 1024  # px: strand counts are given for this side and scale with the side, so that coverage stays


class Level(NamedTuple):
    """Ranges are (low, high). Size and strength concern the defects alone."""

    strands: tuple[int, int]
    persistence: float  # px; the smaller the curlier
    deep_blur: float  # standard deviation in px of the deepest strands' extra blur
    shadow: float  # depth of the contact shadow, of 1
    electrons: float  # per pixel at grey 1; the fewer the noisier
    gradient: float  # illumination, centre to border
    charging: float  # strength of halos, streaks and line jitter
    size: float  # factor on the defects' lengths
    strength: float  # factor on the defects' graded changes: of width, contrast, noise
    near: float  # share of deformed strands placed within 15 px of a crossing
    grazing: int  # pairs that cross at less than 15 degrees
    bundles: float = 0.1  # share of strands that follow another one for a while
    knots: float = 6.0  # harmless swellings per image at the reference side: as large as a small bead


LEVELS = {
    "L1": Level((50, 75), 2000.0, 0.0, 0.0, 200.0, 0.05, 0.0, 1.5, 1.5, 0.2, 0),
    "L2": Level((115, 155), 1000.0, 0.6, 0.15, 100.0, 0.10, 0.3, 1.0, 1.0, 0.4, 2),
    "L3": Level((180, 240), 600.0, 1.2, 0.25, 60.0, 0.15, 0.6, 0.7, 0.8, 0.5, 5),
    "L4": Level((220, 280), 400.0, 1.2, 0.25, 40.0, 0.20, 1.0, 0.5, 0.6, 0.6, 10),
}


class Optics(NamedTuple):
    additive: bool  # light adds where strands cross; otherwise the upper one hides the lower
    shadow: float  # factor on the level's contact shadow
    edge: float  # brightening of flanks
    ground: float  # grey of the empty background
    texture: float  # amplitude of its slow variation
    grey: tuple[float, float]  # of the deepest and the topmost strand
    spread: float  # standard deviation around it
    psf: tuple[float, float]  # standard deviation in px
    stretch: float  # largest ratio of the two axes of the PSF
    scan: float  # factor on charging, which only a scanned beam has
    falloff: float  # darkening at the border


OPTICS = {
    "sem": Optics(False, 1.0, 0.15, 0.17, 0.04, (0.34, 0.70), 0.05, (0.6, 1.2), 1.4, 1.0, 0.08),
    "fluorescence": Optics(True, 0.0, 0.0, 0.06, 0.015, (0.10, 0.42), 0.04, (1.2, 1.6), 1.1, 0.0, 0.25),
}
