"""The reconstruction losses by name: each is an anomaly map and a training loss.

Axes: b batch, h height, w width, c channels.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxtyping import Array, Float

from adjax.losses import frequency, gradient, pixel, structure
from adjax.losses.filters import spatial_mean
from adjax.types import UserError

MapFn = Callable[[Array, Array], Float[Array, "b h w"]]
TermFn = Callable[[Array, Array], Float[Array, "b"]]


class Loss(NamedTuple):
    """Both take (pred, target), images in [0, 1] as f32[b h w c], and are 0 where the two agree."""

    map: MapFn
    term: TermFn


def _mean(map_fn: MapFn) -> Loss:
    return Loss(map_fn, lambda pred, target: spatial_mean(map_fn(pred, target)[..., None])[:, 0])


LOSSES: Mapping[str, Loss] = {
    "l2": _mean(pixel.map_l2),
    "l1": _mean(pixel.map_l1),
    "smooth_l1": _mean(pixel.map_smooth_l1),
    "charbonnier": _mean(pixel.map_charbonnier),
    "ssim": _mean(structure.map_ssim),
    "ms_ssim": Loss(structure.map_ms_ssim, structure.term_ms_ssim),
    "gms": _mean(gradient.map_gms),
    "msgms": Loss(gradient.map_msgms, gradient.term_msgms),
    "weighted_frequency": _mean(frequency.map_weighted_frequency),
    "focal_frequency": _mean(frequency.map_focal_frequency),
}


def weighted_map(weights: Mapping[str, float]) -> MapFn:
    """The weighted sum of the named anomaly maps; see `check_weights`."""
    weights = check_weights(weights)
    return lambda pred, target: sum(weight * LOSSES[name].map(pred, target) for name, weight in weights.items())


def weighted_terms(weights: Mapping[str, float]) -> Callable[[Array, Array], dict[str, Float[Array, "b"]]]:
    """The named training losses, unweighted, as they are logged.

    The total is `sum(check_weights(weights)[name] * term for name, term in terms.items())`.
    """
    names = tuple(check_weights(weights))
    return lambda pred, target: {name: LOSSES[name].term(pred, target) for name in names}


def check_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights as plain floats, without those that are 0 (a command line can't remove a key of a config).

    UserError for an unknown name, a weight that is negative or not finite, and when none is left.
    """
    for name, weight in weights.items():
        if name not in LOSSES:
            raise UserError(f"unknown loss {name!r}; choose from {', '.join(LOSSES)}")
        if not (math.isfinite(weight) and weight >= 0):
            raise UserError(f"the weight of loss {name!r} is {weight}; it must be finite and not negative")
    kept = {name: float(weight) for name, weight in weights.items() if weight > 0}
    if not kept:
        raise UserError(f"no loss has a positive weight; choose from {', '.join(LOSSES)}")
    return kept
