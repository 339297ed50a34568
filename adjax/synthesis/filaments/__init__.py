"""Procedural micrographs of many thin filaments, with exact defects: pure functions of keys."""

from adjax.synthesis.filaments.levels import LEVELS, OPTICS, VERSION
from adjax.synthesis.filaments.plan import FAMILY, KINDS, TYPES
from adjax.synthesis.filaments.scene import TAU, Pair, defective, image_key, normal

__all__ = ["FAMILY", "KINDS", "LEVELS", "OPTICS", "TAU", "TYPES", "VERSION", "Pair", "defective", "image_key", "normal"]
