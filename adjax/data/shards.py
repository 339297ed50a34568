"""A data set packed into a few large files by `prepare`, as file systems of clusters like it.

    <root>/00000.tfrecord, 00001.tfrecord ...   every image and mask as it was, one TFRecord each
    <root>/index.json                           the records, and where in which shard their files lie

The records have the ids, order and bytes of the data set they were made from: splits, batches and fingerprints are the
same. Any host reads of any shard only the images of its own rows.
"""

import json
from pathlib import Path

from adjax.data import files, layout
from adjax.data.source import Source
from adjax.types import Record, UserError

INDEX, VERSION = "index.json", 1
SPLITS = ("learn", "validation", "test")


def load(*, root: str | None = None, category: str = "") -> Source:
    """`category` is one of those that were packed, or "" for all of them as one.

    Splits are cut within each category that is named: naming the same ones gives the splits of the files.
    """
    top = layout.find("shards", root, INDEX)
    try:
        index = json.loads((top / INDEX).read_text())
        if index["version"] != VERSION:
            raise UserError(
                f"{top / INDEX} is of version {index['version']}, not {VERSION}: prepare the data set again"
            )
        if category:
            layout.choose("shards", "category", category, index["categories"])
        parts = {s: index[s] and tuple(_record(e, top) for e in index[s]) for s in SPLITS}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{top / INDEX} cannot be used ({type(error).__name__}: {error}); prepare it again") from error
    kept = {s: p and tuple(r for r in p if category in ("", r.category)) for s, p in parts.items()}
    return Source(kept["learn"] or (), kept["test"] or (), kept["validation"] or None)


def _record(entry: dict, top: Path) -> Record:
    def path(place: list) -> str:
        shard, offset, length, name = place
        return files.part(top / shard, offset, length, name)

    rest = {name: entry[name] for name in ("id", "label", "defect", "category", "dtype", "meta")}
    hidden = {name: tuple(path(place) for place in entry[name]) for name in ("masks", "ignore")}
    return Record(path=path(entry["path"]), shape=tuple(entry["shape"]), **rest, **hidden)
