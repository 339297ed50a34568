"""The contract: an anomaly detector is a state that eats batches, is finished once, and then scores images.

Axes: b batch, h height, w width, c channels.

A batch is a dict of arrays:
  image  f32[b h w c]  in [0, 1]
  _mask  bool[b]       False on rows that only pad the batch
where images are scored:
  _hash  u32[b]        stable hash of the record's id; the image's randomness comes from it
  _size  i32[b 2]      true height and width; what lies beyond is padding up to a bucket
and, absent unless the data have it:
  _ignore  bool[b h w] pixels that count nowhere: not in a loss, a score, a threshold or a metric
  target   bool[b h w] labelled objects, in training batches that are balanced by them
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Array, Float

State = Any  # a pytree of arrays
Key = Any  # a typed key of jax.random
Batch = Mapping[str, Array]
Scalars = Mapping[str, Array]


class UserError(Exception):
    """Something the user can mend. `main` shows the message without a traceback and exits with a code other than 0."""


class Prediction(NamedTuple):
    score: Float[Array, "b"]  # one number per image, higher = more anomalous
    map: Float[Array, "b h w"] | None  # the same per pixel at input resolution; None for image-level methods
    aux: Mapping[str, Array] = {}  # for looking and composing: reconstruction, uncertainty, mask ...


class Info(NamedTuple):
    """What a method may know of its task before it sees it: static Python values only."""

    counts: Mapping[str, int]  # images in each normal split: "train", "calibration"
    steps: Mapping[str, int]  # updates in each phase
    batch_size: int


def keep(state: State, key: Key) -> State:
    """The finish of a phase that has nothing to finish."""
    del key
    return state


class Phase(NamedTuple):
    update: Callable[[State, Batch, Key], tuple[State, Scalars]]  # pure; compiled by fit
    finish: Callable[[State, Key], State] = keep  # once, may run on the host; leaf shapes may change here
    split: str = "train"  # "train" | "calibration": which NORMAL images it eats
    augment: bool = True  # geometric augmentation on or off


class Method(NamedTuple):
    init: Callable[[Key, Batch, Info], State]  # a pytree of arrays whose structure never changes
    phases: Mapping[str, Phase]  # run in order; empty for filters and baselines
    score: Callable[[State, Batch, Key], Prediction]  # pure, per image; one key per image: keys has shape [b]
    reconstruct: Callable[[State, Batch, Key], Array] | None = None  # images; what projected() descends on
    embed: Callable[[State, Batch], Array] | None = None  # features; what after() feeds on
    needs: frozenset[str] = frozenset()  # batch fields beyond image: "texture", "penalty", "yx", "reference"
    shared: frozenset[str] = frozenset()  # state fields that stacked members hold once (backbone, teacher)


class Record(NamedTuple):
    """One image of a data set, known from its file name and header; its pixels are read later."""

    id: str  # the path below the data set's root, with forward slashes; unique, and stable across machines
    path: str
    label: int  # 0 good, 1 defective, -1 unknown
    defect: str  # "good", the defect's type, or "" when unknown
    masks: tuple[str, ...]  # mask files, () when there are none
    category: str
    shape: tuple[int, int, int]  # h w c as stored
    dtype: str  # "uint8" | "uint16" | "float32", as stored
    meta: Mapping[str, Any] = {}
    ignore: tuple[str, ...] = ()  # files of masks of the pixels that count nowhere


class Dataset(NamedTuple):
    name: str
    category: str
    splits: Mapping[str, tuple[Record, ...]]  # "train", "calibration", "validation" (all good) and "test"
