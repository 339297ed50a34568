"""Noises for images: pure functions of a batch of keys, one independent field per key and channel."""

from adjax.noise.fractal import fractal
from adjax.noise.gaussian import power_law
from adjax.noise.perlin import draem_field, draem_mask, perlin
from adjax.noise.simplex import simplex2, simplex3

__all__ = ["draem_field", "draem_mask", "fractal", "perlin", "power_law", "simplex2", "simplex3"]
