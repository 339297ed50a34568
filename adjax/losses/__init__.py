"""Named, unreduced losses: `map_*` give f32[b h w] and serve as anomaly maps too, `term_*` give f32[b]."""

from adjax.losses.addressing import term_entropy
from adjax.losses.feature import map_cosine, map_perceptual, term_perceptual
from adjax.losses.frequency import map_focal_frequency, map_weighted_frequency
from adjax.losses.gradient import map_gms, map_msgms, term_msgms
from adjax.losses.latent import kl_weight, term_bernoulli, term_gaussian, term_kl
from adjax.losses.pixel import map_charbonnier, map_l1, map_l2, map_smooth_l1
from adjax.losses.segmentation import (
    median_frequency_weights,
    term_balanced_cross_entropy,
    term_cross_entropy,
    term_dice,
    term_dice_cross_entropy,
    term_dice_focal,
    term_focal,
    term_focal_tversky,
    term_tversky,
)
from adjax.losses.structure import map_ms_ssim, map_ssim, term_ms_ssim
from adjax.losses.table import LOSSES, Loss, check_weights, weighted_map, weighted_terms

__all__ = [
    "LOSSES",
    "Loss",
    "check_weights",
    "kl_weight",
    "map_charbonnier",
    "map_cosine",
    "map_focal_frequency",
    "map_gms",
    "map_l1",
    "map_l2",
    "map_ms_ssim",
    "map_msgms",
    "map_perceptual",
    "map_smooth_l1",
    "map_ssim",
    "map_weighted_frequency",
    "median_frequency_weights",
    "term_balanced_cross_entropy",
    "term_bernoulli",
    "term_cross_entropy",
    "term_dice",
    "term_dice_cross_entropy",
    "term_dice_focal",
    "term_entropy",
    "term_focal",
    "term_focal_tversky",
    "term_gaussian",
    "term_kl",
    "term_ms_ssim",
    "term_msgms",
    "term_perceptual",
    "term_tversky",
    "weighted_map",
    "weighted_terms",
]
