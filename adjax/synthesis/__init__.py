"""Planted anomalies: (key, image[, texture]) -> image, mask, severity. Pure functions of keys, all inside jit."""

from adjax.synthesis.compose import batched, chain, one_of, redrawn, restricted, scaled, sometimes
from adjax.synthesis.cutpaste import three_way
from adjax.synthesis.planted import Planted, Sampler, compare, painted
from adjax.synthesis.procedural import procedural
from adjax.synthesis.recipes import SYNTHESES, TEXTURED, synthesis

__all__ = [
    "SYNTHESES",
    "TEXTURED",
    "Planted",
    "Sampler",
    "batched",
    "chain",
    "compare",
    "one_of",
    "painted",
    "procedural",
    "redrawn",
    "restricted",
    "scaled",
    "sometimes",
    "synthesis",
    "three_way",
]
