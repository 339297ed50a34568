"""What a pipeline makes of an image: its size, tiles, channels, range and augmentation. Lengths are in pixels."""

import dataclasses
from collections.abc import Sequence

from adjax.data.headers import check_channels
from adjax.types import Record, UserError

AUGMENTATIONS = ("flip_h", "flip_v", "rot90", "shift")


@dataclasses.dataclass(frozen=True)
class View:
    """size: every image is resized to it first; None keeps each image's own.
    tile: side of the random crops of training; None trains on whole images. Smaller images are padded by reflection.
    crops: tiles that each visit to an image gives in training: more of them spare decoding where images don't stay in
    memory, and make the rows of a batch more alike.
    channels: None keeps the stored ones; 1 and 3 convert grey to colour and back and drop the alpha of PNG and BMP.
    range: the values of float images that become 0 and 1; what lies outside is clipped. Integers go by their type.
    augment: any of AUGMENTATIONS, in effect only in training: mirrored left-right or up-down, turned by quarters,
    shifted by up to 1/16 of the side (whole images only: random tiles move anyway).
    """

    size: tuple[int, int] | None = None
    tile: int | None = None
    crops: int = 1
    channels: int | None = None
    range: tuple[float, float] | None = None
    augment: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("size", "range"):  # lists, as configs give them
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))
        object.__setattr__(self, "augment", tuple(self.augment))
        for name in self.augment:
            if name not in AUGMENTATIONS:
                raise UserError(f"unknown augmentation {name!r}; choose from {', '.join(AUGMENTATIONS)}")
        if "shift" in self.augment and self.tile is not None:
            raise UserError("augmentation 'shift' is for whole images; random tiles are shifted already")
        if self.crops < 1 or (self.crops > 1 and self.tile is None):
            raise UserError(f"crops={self.crops} must be at least 1, and more than that needs data.tile")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise UserError(f"range {self.range} must be (low, high) with low < high")
        for length in (*(self.size or ()), *(() if self.tile is None else (self.tile,))):
            if length < 1:
                raise UserError(f"size {self.size} and tile {self.tile} must be positive")

    def check(self, records: Sequence[Record]) -> int:
        """The number of channels the images will have. Raises UserError for what the headers already forbid."""
        for record in records:
            if record.dtype == "float32" and self.range is None:
                raise UserError(
                    f"{record.path} holds float pixels: state what is black and what is white by data.range=(low, high)"
                )
        return check_channels(records, self.channels)

    def shape(self, record: Record) -> tuple[int, int]:
        """Height and width of the image before tiles are cut."""
        return self.size or record.shape[:2]
