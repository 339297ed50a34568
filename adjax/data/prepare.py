"""Packs a data set into shards for cluster jobs; `shards` reads them.

    python -m adjax.data.prepare --dataset=NAME --root=DIR --out=DIR [--category=A,B] [--shard-mb=256]

Nothing is decoded or resized: the files' own bytes are copied. What lies beside images for views of the results
(meta/<stem>.json) is not packed. The index is written last: a folder without one is not finished.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from adjax.data import DATASETS, files, known, shards
from adjax.data.check import add_arguments, settings
from adjax.data.source import Source
from adjax.data.tensorflow import tf
from adjax.types import Record, UserError


class Writer:
    """Appends files to shards of about `most` bytes, and says where each came to lie."""

    def __init__(self, out: Path, most: int):
        self.out, self.most, self.number, self.size, self.file = out, most, -1, most, None

    def add(self, path: str, name: str) -> list:
        data = files.read(path)
        if self.size >= self.most:
            self.close()
            self.number, self.size = self.number + 1, 0
            self.file = tf().io.TFRecordWriter(str(self.out / self.shard))
        self.file.write(data)
        offset, self.size = self.size + 12, self.size + len(data) + 16  # length and its checksum; the data's checksum
        return [self.shard, offset, len(data), name]

    @property
    def shard(self) -> str:
        return f"{self.number:05d}.tfrecord"

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def prepare(dataset: str, root: str, category: str, how: dict, out: Path, shard_mb: float) -> int:
    """The number of images packed."""
    load: Callable[..., Source] = DATASETS[known(dataset)]
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; state an empty or a new folder by --out")
    sources = [load(root=root or None, category=name, **how) for name in category.split(",")]
    out.mkdir(parents=True, exist_ok=True)
    writer, index = Writer(out, int(shard_mb * 2**20)), {"version": shards.VERSION, "dataset": dataset}
    for split in shards.SPLITS:
        parts = [getattr(source, split) for source in sources]
        index[split] = [_entry(r, writer) for part in parts for r in part or ()]
    writer.close()
    entries = [entry for split in shards.SPLITS for entry in index[split]]
    index["categories"] = list(dict.fromkeys(entry["category"] for entry in entries))
    (out / shards.INDEX).write_text(json.dumps(index) + "\n")
    return len(entries)


def _entry(record: Record, writer: Writer) -> dict:
    def masks(paths: tuple[str, ...]) -> list:
        return [writer.add(path, f"{record.id}.{number}{Path(path).suffix}") for number, path in enumerate(paths)]

    meta = {name: value for name, value in record.meta.items() if name != "details"}
    fields = record._asdict() | {"meta": meta, "path": writer.add(record.path, record.id)}
    return fields | {"masks": masks(record.masks), "ignore": masks(record.ignore)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Packs a data set into shards.", allow_abbrev=False)
    add_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, help="a new folder")
    parser.add_argument("--shard-mb", type=float, default=256, help="size of a shard, about")
    given = parser.parse_args(arguments)
    try:
        number = prepare(*settings(given), given.out, given.shard_mb)
    except UserError as error:
        raise SystemExit(str(error)) from error
    print(f"{number} images in {len(list(given.out.glob('*.tfrecord')))} shards: --config.data.dataset=shards "
          f"--config.data.root={given.out} --config.data.category={given.category}")  # fmt: skip


if __name__ == "__main__":
    main()
