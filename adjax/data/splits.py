"""Cuts calibration, validation and test images from the good ones, by lot and never overlapping.

The lot is drawn by a hash: the same on every machine and with every version of the libraries. Records that share
meta["group"] (views of one part, pieces of one item) stay together, so that a cut may take a few more than it should.
"""

import hashlib
from collections.abc import Sequence

from adjax.types import Record, UserError


def cut(
    records: Sequence[Record], *, seed: int, calibration: float, validation: float
) -> dict[str, tuple[Record, ...]]:
    """{"train", "calibration", "validation"}; fractions are of `records`, a positive one gives at least one image."""
    counts = {
        name: _count(name, fraction, len(records))
        for name, fraction in (("calibration", calibration), ("validation", validation))
    }
    lot = _lot(records, str(seed))
    first = _whole(lot, counts["calibration"])
    second = _whole(lot, first + counts["validation"])
    if second >= len(records):
        raise UserError(
            f"{len(records)} good images are too few for data.calibration={calibration} ({counts['calibration']}), "
            f"data.validation={validation} ({counts['validation']}) and at least one to train on"
        )
    parts = {"train": lot[second:], "calibration": lot[:first], "validation": lot[first:second]}
    return {name: _sorted(part) for name, part in parts.items()}


def hold_out(records: Sequence[Record], count: int) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """(to learn from, to test on), for data sets without a split of their own: the same whatever the run's seed."""
    lot = _lot(records, "test")
    end = _whole(lot, count)
    return _sorted(lot[end:]), _sorted(lot[:end])


def _lot(records: Sequence[Record], salt: str) -> list[Record]:
    def place(record: Record) -> tuple[bytes, str]:
        group = record.meta.get("group", record.id)
        return hashlib.sha256(f"{salt}/{group}".encode()).digest(), record.id

    return sorted(records, key=place)


def _whole(lot: Sequence[Record], end: int) -> int:
    """`end`, moved back to where a group ends."""
    while 0 < end < len(lot) and "group" in lot[end].meta and lot[end].meta["group"] == lot[end - 1].meta.get("group"):
        end += 1
    return end


def _sorted(records: Sequence[Record]) -> tuple[Record, ...]:
    return tuple(sorted(records, key=lambda record: record.id))


def _count(name: str, fraction: float, total: int) -> int:
    if not 0 <= fraction < 1:
        raise UserError(f"data.{name}={fraction} must be a fraction: at least 0 and below 1")
    return max(1, round(fraction * total)) if fraction > 0 else 0
