"""Cuts calibration and validation images from the good ones, by seed and never overlapping."""

import hashlib
from collections.abc import Sequence

from adjax.types import Record, UserError


def cut(
    records: Sequence[Record], *, seed: int, calibration: float, validation: float
) -> dict[str, tuple[Record, ...]]:
    """{"train", "calibration", "validation"}; the fractions are of `records`, a positive one gives at least one image.

    The lot is drawn by a hash of seed and id: the same on every machine and with every version of the libraries.
    """
    counts = {
        name: _count(name, fraction, len(records))
        for name, fraction in (("calibration", calibration), ("validation", validation))
    }
    if sum(counts.values()) >= len(records):
        raise UserError(
            f"{len(records)} good images are too few for data.calibration={calibration} ({counts['calibration']}), "
            f"data.validation={validation} ({counts['validation']}) and at least one to train on"
        )
    lot = sorted(records, key=lambda record: hashlib.sha256(f"{seed}/{record.id}".encode()).digest())
    first, second = counts["calibration"], sum(counts.values())
    parts = {"train": lot[second:], "calibration": lot[:first], "validation": lot[first:second]}
    return {name: tuple(sorted(part, key=lambda record: record.id)) for name, part in parts.items()}


def _count(name: str, fraction: float, total: int) -> int:
    if not 0 <= fraction < 1:
        raise UserError(f"data.{name}={fraction} must be a fraction: at least 0 and below 1")
    return max(1, round(fraction * total)) if fraction > 0 else 0
