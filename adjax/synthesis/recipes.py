"""Published anomalies that are a shape with a content, and the table of all syntheses by name.

Axes: h height, w width.
"""

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp

from adjax.synthesis import contents, shapes
from adjax.synthesis.compose import one_of, redrawn, restricted
from adjax.synthesis.confetti import confetti
from adjax.synthesis.cutpaste import cutpaste, scar
from adjax.synthesis.nsa import nsa
from adjax.synthesis.planted import Sampler, painted
from adjax.types import Key, UserError


def draem(
    threshold: float = 0.5,
    opacity: tuple[float, float] = (0.2, 1.0),
    augmented: bool = True,
) -> Sampler:
    """Perlin blobs of a texture (Zavrtanik et al. 2021, arXiv 2108.07610); opacity = 1 − β. Needs a texture.

    Their half of images left as they are: `sometimes(draem(), 0.5)`.
    """
    return painted(shapes.perlin(threshold), contents.given(augmented), opacity)


def realnet(strength: tuple[float, float] = (0.5, 1.0), foreground: Callable | None = None) -> Sampler:
    """DRAEM's blobs on the foreground, filled with a whole anomalous image (Zhang et al. 2024, arXiv 2403.05897).

    That image is the texture. The strength's range is theirs for images drawn from a diffusion model; (0.2, 1) for
    textures.
    """
    sampler = painted(shapes.perlin(), contents.given(augmented=False), strength)
    return restricted(sampler, foreground) if foreground else sampler


def glass(mean: float = 0.5, sigma: float = 0.1, bounds: tuple[float, float] = (0.2, 0.8)) -> Sampler:
    """GLASS's anomalies of the image (Chen et al. 2024, arXiv 2407.09359): one Perlin blob field, or the union or the
    intersection of two, a third each, until it is not empty; opacity 1 − β, β ~ N(mean, sigma²) cut to `bounds`.
    Needs a texture.
    """
    one = shapes.perlin()

    def shape(key: Key, sides: tuple[int, int]):
        k_first, k_second, k_rule, k_opacity = jax.random.split(key, 4)
        first, second = one(k_first, sides), one(k_second, sides)
        rule = jax.random.randint(k_rule, (), 0, 3)
        both = jax.lax.select_n(rule, first, jnp.maximum(first, second), jnp.minimum(first, second))
        return both * (1.0 - jnp.clip(mean + sigma * jax.random.normal(k_opacity), *bounds))

    return redrawn(painted(shape, contents.given()))


def stain(blur: float = 0.0, irregularity: float = 0.1) -> Sampler:
    """The stain of AE + Stain (Collin & De Vleeschouwer 2020, arXiv 2008.12977); their mixed modes blur by 0.15."""
    return painted(shapes.stain(blur=blur, irregularity=irregularity), contents.grey())


def scratch(
    width: tuple[float, float] = (2.0, 5.0), length: tuple[float, float] = (0.1, 1.0), sigmas: tuple = (2.0, 6.0)
) -> Sampler:
    """A thin line, brighter or darker than what it lies on by some of the image's standard deviations."""
    return painted(shapes.stroke(width, length), contents.contrasted(*sigmas), (0.5, 1.0))


def blob(threshold: float = 0.6, step: tuple[float, float] = (0.1, 0.4)) -> Sampler:
    """Blobs of simplex noise, brighter or darker by a step."""
    return painted(shapes.simplex(threshold), contents.shifted(*step))


def erasing(area: tuple[float, float] = (0.02, 0.4), aspect: tuple[float, float] = (0.3, 3.3)) -> Sampler:
    """Random erasing (Zhong et al. 2020, arXiv 1708.04896): a rectangle of even noise."""
    return painted(shapes.rectangle(area, aspect), contents.static())


def structured(opacity: tuple[float, float] = (0.2, 1.0)) -> Sampler:
    """Any shape × any content × any opacity: the three factors of the corruption of filtering autoencoders (Bauer &
    Müller 2025, arXiv 2511.07233). Which shapes and contents, and all ranges, are this library's own."""
    shape = one_of([shapes.perlin(), shapes.simplex(), shapes.stain(blur=0.05), shapes.rectangle(), shapes.stroke()])
    content = one_of([contents.patterned(), contents.elsewhere(), contents.colour(), contents.static()])
    return painted(shape, content, opacity)


SYNTHESES: dict[str, Callable[..., Sampler]] = {
    "blob": blob,
    "confetti": confetti,
    "cutpaste": cutpaste,
    "cutpaste_or_scar": lambda: one_of([cutpaste(), scar()]),
    "draem": draem,
    "erasing": erasing,
    "glass": glass,
    "nsa": nsa,
    "realnet": realnet,
    "scar": scar,
    "scratch": scratch,
    "stain": stain,
    "structured": structured,
}
TEXTURED = frozenset({"draem", "glass", "realnet"})  # these need a texture: method.needs={"texture"}


def synthesis(name: str, **options) -> Sampler:
    """The sampler that a configuration names."""
    if name not in SYNTHESES:
        raise UserError(f"unknown synthesis '{name}'; choose from {', '.join(SYNTHESES)}")
    known = inspect.signature(SYNTHESES[name]).parameters
    for option in options:
        if option not in known:
            raise UserError(f"synthesis '{name}' has no option '{option}'; choose from {', '.join(known) or 'none'}")
    return SYNTHESES[name](**options)
