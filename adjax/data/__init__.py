"""Data sets as records, and records as batches. TensorFlow is imported at the first batch, not here."""

import inspect
from collections.abc import Callable, Sequence

from adjax.data import (
    aitex,
    btad,
    dagm,
    elpv,
    folder,
    kolektor_sdd,
    kolektor_sdd2,
    magnetic_tile,
    mpdd,
    mvtec_ad,
    mvtec_ad2,
    mvtec_loco,
    nanotwice,
    real_iad,
    shards,
    visa,
)
from adjax.data.folder import unlabelled
from adjax.data.headers import check_channels
from adjax.data.source import Source
from adjax.data.splits import cut
from adjax.types import Dataset, UserError

__all__ = ["DATASETS", "known", "load", "options", "unlabelled"]


def _filaments(*, root: str | None = None, category: str = "", data_seed: int = 0, **options) -> Source:
    """The data set's own seed is `data_seed`: another one than that of the splits, so that seeds share images."""
    from adjax.data import filaments  # brings the renderer along

    _check_options("filaments", filaments.generate, options)
    made = filaments.generate(root or None, seed=data_seed, **options)
    return folder.load(root=str(made), category=category)


DATASETS: dict[str, Callable[..., Source]] = {
    "folder": folder.load,
    "elpv": elpv.load,
    "filaments": _filaments,
    "mvtec_ad": mvtec_ad.load,
    "mvtec_ad2": mvtec_ad2.load,
    "mvtec_loco": mvtec_loco.load,
    "visa": visa.load,
    "real_iad": real_iad.load,
    "btad": btad.load,
    "mpdd": mpdd.load,
    "dagm": dagm.load,
    "kolektor_sdd": kolektor_sdd.load,
    "kolektor_sdd2": kolektor_sdd2.load,
    "magnetic_tile": magnetic_tile.load,
    "nanotwice": nanotwice.load,
    "aitex": aitex.load,
    "shards": shards.load,
}


def load(
    *,
    dataset: str,
    root: str | None = None,
    category: str | Sequence[str] = "",
    seed: int,
    calibration: float,
    validation: float,
    channels: int | None = None,
    **options,
) -> Dataset:
    """The records of a data set, its good learning images cut into train, calibration and validation by `seed`.

    Several categories ("a,b" or a sequence) are cut one by one: each has what it would have alone.
    `calibration` and `validation` are fractions of those images: 0 gives none, anything above at least one; a data
    set with a validation folder of its own keeps it instead. `channels`: what mixed grey and colour become; None
    demands that all agree. `options` are the data set's own (`DATASETS`). Raises UserError for whatever is wrong.
    """
    known(dataset)
    if dataset == "folder" and not root:
        raise UserError("data set 'folder' needs data.root: a folder of good images, or one in MVTec AD's layout")
    loader = DATASETS[dataset]
    _check_options(dataset, loader, options)
    names = [name.strip() for name in (category.split(",") if isinstance(category, str) else category)]
    parts = []
    for name in dict.fromkeys(names):
        source = loader(root=root, category=name, **options)
        own = source.validation
        made = cut(source.learn, seed=seed, calibration=calibration, validation=0 if own else validation)
        parts.append(made | ({"validation": own} if own else {}) | {"test": source.test})
    splits = {name: tuple(record for part in parts for record in part[name]) for name in parts[0]}
    check_channels([record for part in splits.values() for record in part], channels)
    return Dataset(dataset, ",".join(names), splits)


def known(dataset: str) -> str:
    """The name itself; UserError with the choices for any other."""
    if dataset not in DATASETS:
        raise UserError(f"unknown data set {dataset!r}; choose from {', '.join(DATASETS)}")
    return dataset


def options() -> dict[str, dict]:
    """What each data set can be told beyond root and category, and its defaults."""
    return {
        name: {
            p.name: p.default
            for p in inspect.signature(loader).parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.name not in ("root", "category")
        }
        for name, loader in DATASETS.items()
    }


def _check_options(dataset: str, function: Callable, options: dict) -> None:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in options:
        if name not in parameters:
            choices = ", ".join(p for p in parameters if p not in ("root", "category", "seed"))
            raise UserError(f"data set {dataset!r} has no option {name!r}; choose from {choices or 'none'}")
