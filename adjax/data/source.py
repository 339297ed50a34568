"""What a data set's file hands over before the good images are cut into splits."""

from typing import NamedTuple

from adjax.types import Record


class Source(NamedTuple):
    learn: tuple[Record, ...]  # good images to learn from
    test: tuple[Record, ...]
    validation: tuple[Record, ...] | None = None  # good images the data set itself sets aside, if it does
