"""The reconstruction losses by name: each is an anomaly map and a training loss.

Axes: b batch, h height, w width, c channels.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from adjax.losses import frequency, gradient, pixel, structure
from adjax.losses.filters import spatial_mean
from adjax.types import UserError

MapFn = Callable[[Array, Array], Float[Array, "b h w"]]
TermFn = Callable[[Array, Array], Float[Array, "b"]]
Ignore = Bool[Array, "b h w"] | None  # a batch's `_ignore`: pixels that count nowhere


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


def weighted_map(weights: Mapping[str, float]) -> Callable[..., Float[Array, "b h w"]]:
    """(pred, target, ignore) -> the weighted sum of the named anomaly maps; see `check_weights`."""
    weights = check_weights(weights)

    def errors(pred: Array, target: Array, ignore: Ignore = None):
        pred = _agreeing(pred, target, ignore)
        return sum(weight * LOSSES[name].map(pred, target) for name, weight in weights.items())

    return errors


def weighted_terms(weights: Mapping[str, float]) -> Callable[..., dict[str, Float[Array, "b"]]]:
    """(pred, target, ignore) -> the named training losses, unweighted, as they are logged.

    The total is `sum(check_weights(weights)[name] * term for name, term in terms.items())`. With `ignore` a term is
    divided by the share of the pixels that count: a mean over these; 0 where none does.
    """
    names = tuple(check_weights(weights))

    def terms(pred: Array, target: Array, ignore: Ignore = None):
        found = {name: LOSSES[name].term(_agreeing(pred, target, ignore), target) for name in names}
        if ignore is None:
            return found
        share = 1.0 - jnp.mean(ignore.astype(jnp.float32), axis=(1, 2))
        return {
            name: jnp.where(share > 0, term / jnp.where(share > 0, share, 1.0), 0.0) for name, term in found.items()
        }

    return terms


def _agreeing(pred: Array, target: Array, ignore: Ignore) -> Array:
    """The prediction, but the target where pixels are ignored: there every loss is 0, and so is its gradient, also
    what a window would spread from there to the pixels around."""
    return pred if ignore is None else jnp.where(ignore[..., None], target.astype(pred.dtype), pred)


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
