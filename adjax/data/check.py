"""What a downloaded data set holds, before it costs a night. Reads everything, warns, never changes a file.

    python -m adjax.data.check --dataset=NAME --root=DIR [--category=A,B] [--out=DIR] [--option NAME=VALUE ...]

Counts by split and defect beside the published ones, sizes, channels, values of the masks, files that cannot be read,
images that are both learned from and tested, and a contact sheet for each category in --out. Without --category every
category that is there. Exit code 1 when the data set cannot be used as it is.
"""

import argparse
import contextlib
import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from adjax.data import DATASETS, expected, files, fingerprint, folder, known, layout, masks, options, sheet, twins
from adjax.data.decode import decode
from adjax.data.source import Source
from adjax.data.tensorflow import tf
from adjax.types import Record, UserError

SHOWN = 5  # files named under one warning
FULL = 0.9  # share of marked pixels from which a mask looks inverted


class Seen(NamedTuple):
    """What one image and its masks hold."""

    record: Record
    digest: str = ""
    print: twins.Print | None = None
    values: tuple[int, ...] = ()  # of its masks
    marked: float = 0.0  # share of pixels
    orientation: int = 1
    problem: str = ""


def check(dataset: str, root: str, category: str, how: dict, out: Path) -> tuple[list[str], bool]:
    """(lines of the report, whether the data set can be used)."""
    tf()  # its import is not the data set's time
    load, lines, usable, number = DATASETS[known(dataset)], [], True, 0
    clocks = (time.perf_counter, time.process_time)
    start = [clock() for clock in clocks]
    for name in category.split(",") if category else _categories(load, root, how):
        lines.append(f"{dataset} {name}".rstrip())
        try:
            source = load(root=root or None, category=name, **how)
        except UserError as error:
            lines += [f"  ERROR {error}", *_named("cannot be read", _unreadable(root, name))]
            usable = False
            continue
        seen = _look(_every(source))
        number += len(seen)
        usable = usable and not any(s.problem for s in seen)
        picture = out / f"{'_'.join(filter(None, ('contact_sheet', dataset, name)))}.png"
        sheet.write(picture, _rows(source, {s.record.id for s in seen if not s.problem}))
        lines += [*_counts(dataset, name, source), *_facts(seen), *_warnings(source, seen), f"  see {picture}"]
    if number:
        wall, busy = (1000 * (clock() - then) / number for clock, then in zip(clocks, start))
        lines.append(f"{number} images: {wall:.1f} s per thousand, {busy:.1f} s of one processor")
    return lines, usable


def _categories(load: Callable[..., Source], root: str, how: dict) -> Sequence[str]:
    """All that are there; "" where the data set has none, and where only loading it can say what is wrong."""
    try:
        source = load(root=root or None, category="", **how)
        return sorted({record.category for record in _every(source)})
    except layout.Unknown as error:
        return error.choices if error.name == "category" else ("",)
    except UserError:
        return ("",)


def _every(source: Source) -> tuple[Record, ...]:
    return (*source.learn, *(source.validation or ()), *source.test)


def _unreadable(root: str, category: str) -> list[str]:
    """A data set that cannot be loaded is read file by file, so that all broken ones are known at once."""
    top = layout.absolute(root or "")
    found: list[str] = []
    if root and top.is_dir():
        base = top / category if (top / category).is_dir() else top
        with contextlib.suppress(UserError):  # no images at all: the error above says so
            readable = folder.unlabelled(str(base), on_unreadable=lambda path, reason: found.append(reason))
            found += [s.problem for s in _look(readable) if s.problem]
    return found


def _look(records: Sequence[Record]) -> list[Seen]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_inspect, records))


def _inspect(record: Record) -> Seen:
    try:
        image = decode(record)
        values, marked = set(), 0.0
        for path in record.masks:
            with Image.open(io.BytesIO(files.read(path))) as opened:
                values |= set(map(int, np.unique(np.asarray(opened))))
        if record.masks:
            marked = float(masks.read_mask(record).mean())
        digest = fingerprint.fingerprint([record._replace(masks=(), ignore=())])[record.id]
        turned = _orientation(record.path)
        return Seen(record, digest, twins.fingerprint(image), tuple(sorted(values)), marked, turned)
    except (UserError, OSError) as error:
        return Seen(record, problem=str(error))


def _orientation(path: str) -> int:
    if Path(path).suffix.lower() in (".tif", ".tiff"):
        return 1  # many kinds of them Pillow does not know
    with Image.open(io.BytesIO(files.read(path))) as opened:
        return opened.getexif().get(0x0112, 1)


def _counts(dataset: str, category: str, source: Source) -> list[str]:
    """A row for each split and defect, and for whatever else is known of the published set."""
    test, every = source.test, _every(source)
    rows = {"train": len(source.learn), "validation": len(source.validation or ())}
    rows |= {"test good": sum(r.label == 0 for r in test), "test bad": sum(r.label == 1 for r in test)}
    rows |= Counter(r.defect for r in test if r.label)
    totals = {"test": len(test), "good": sum(r.label == 0 for r in every), "bad": sum(r.label for r in every)}
    published, known = expected.COUNTS.get(dataset, {}).get(category, {}), expected.SOURCES.get(dataset, "")
    lines = [f"  {'images':22}{'found':>8}{'expected':>10}   ({known if published else 'none known'})"]
    found = dict.fromkeys(published, 0) | totals | rows
    for name in (*rows, *(n for n in published if n not in rows)):
        if found[name] or name in published:
            lines.append(f"  {name:22}{found[name]:8}{published.get(name, '-'):>10}")
    wrong = [name for name, number in published.items() if found[name] != number]
    if wrong:
        lines.append(f"  WARNING other counts than expected ({known}): {', '.join(wrong)}")
    return lines


def _facts(seen: Iterable[Seen]) -> list[str]:
    readable = [s for s in seen if not s.problem]
    sizes = Counter(f"{s.record.shape[1]}×{s.record.shape[0]}" for s in readable)
    kinds = Counter(f"{s.record.shape[2]} × {s.record.dtype}" for s in readable)
    values = sorted({v for s in readable for v in s.values})
    shown = ", ".join(map(str, values)) if len(values) <= 12 else f"{len(values)} from {values[0]} to {values[-1]}"
    shares = [s.marked for s in readable if s.record.label == 1 and s.record.masks]
    lines = [f"  sizes (width×height)  {_common(sizes)}", f"  channels        {_common(kinds)}"]
    if shares:
        lines.append(f"  mask values     {shown}")
        lines.append(f"  marked          {min(shares):.2%} to {max(shares):.2%}, median {np.median(shares):.2%}")
    return lines


def _warnings(source: Source, seen: Sequence[Seen]) -> list[str]:
    readable = {s.record.id: s for s in seen if not s.problem}
    learned = [readable[r.id] for r in (*source.learn, *(source.validation or ())) if r.id in readable]
    tested = [readable[r.id] for r in source.test if r.id in readable]
    bad = [s for s in tested if s.record.label == 1 and s.record.masks]
    groups = {s.record.meta["group"] for s in learned if "group" in s.record.meta}
    straddling = [s for s in tested if s.record.label == 0 and s.record.meta.get("group") in groups]
    channels = {s.record.shape[2] for s in readable.values()}
    pairs = [(learned[i].record.id, tested[j].record.id) for i, j in _copies(learned, tested)]
    twice = [(tested[i].record.id, tested[j].record.id) for i, j in _copies(tested, tested) if i < j]
    look = [(learned[i].record.id, tested[j].record.id) for i, j in _alike(learned, tested)]
    lines = [
        *_named("cannot be read", [s.problem for s in seen if s.problem]),
        *_named("mark nothing (masks)", [s.record.id for s in bad if s.marked == 0]),
        *_named("mark nearly everything (inverted masks?)", [s.record.id for s in bad if s.marked > FULL]),
        *_named(
            "good, but their masks mark something", [s.record.id for s in tested if not s.record.label and s.marked]
        ),
        *_named("turned by an EXIF tag, which is not applied", [s.record.id for s in seen if s.orientation != 1]),
        *_named("tested, though their group is learned from", [s.record.id for s in straddling]),
        *_named("learned from and tested, same bytes", [f"{a} = {b}" for a, b in pairs]),
        *_named("learned from and tested, same look", [f"{a} ~ {b}" for a, b in look if (a, b) not in pairs]),
        *_named("tested twice, same bytes", [f"{a} = {b}" for a, b in twice]),
    ]
    if len(channels) > 1:
        lines.append("  WARNING grey and colour are mixed: state data.channels=1 or data.channels=3")
    return lines or ["  nothing to warn of"]


def _copies(first: Sequence[Seen], second: Sequence[Seen]) -> list[tuple[int, int]]:
    places: dict[str, list[int]] = {}
    for i, s in enumerate(first):
        places.setdefault(s.digest, []).append(i)
    return [(i, j) for j, s in enumerate(second) for i in places.get(s.digest, ())]


def _alike(first: Sequence[Seen], second: Sequence[Seen]) -> list[tuple[int, int]]:
    return twins.alike([s.print for s in first], [s.print for s in second])


def _rows(source: Source, readable: set[str]) -> dict[str, list[Record]]:
    """The rows of the contact sheet."""
    rows: dict[str, list[Record]] = {}
    for split, part in (("train", source.learn), ("validation", source.validation or ()), ("test", source.test)):
        for record in sorted(part, key=lambda r: r.label):  # good ones first
            if record.id in readable:
                rows.setdefault(f"{split}, {record.defect}", []).append(record)
    return rows


def _named(what: str, found: Sequence[str]) -> list[str]:
    """A warning with its first cases."""
    if not found:
        return []
    rest = [f"    and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return [f"  WARNING {len(found)} {what}", *(f"    {each}" for each in found[:SHOWN]), *rest]


def _common(counter: Counter) -> str:
    rest = f" and {len(counter) - SHOWN} more" if len(counter) > SHOWN else ""
    return ", ".join(f"{name} ({n})" for name, n in counter.most_common(SHOWN)) + rest


def _option(text: str, dataset: str) -> tuple[str, object]:
    """NAME=VALUE, the value of the type that the option's default has."""
    name, _, value = text.partition("=")
    defaults = options()[known(dataset)]
    layout.choose(dataset, f"options.{dataset}", name, tuple(defaults))
    return name, type(defaults[name])(value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that name a data set."""
    parser.add_argument("--dataset", required=True, help=", ".join(DATASETS))
    parser.add_argument("--root", default="", help="the folder that was unpacked")
    parser.add_argument("--category", default="", help="one or several, separated by commas")
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE of this data set")


def settings(given: argparse.Namespace) -> tuple[str, str, str, dict]:
    """(data set, root, category, options)"""
    return given.dataset, given.root, given.category, dict(_option(text, given.dataset) for text in given.option)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Checks a data set on disk.", allow_abbrev=False)
    add_arguments(parser)
    parser.add_argument("--out", default=".", type=Path, help="where the contact sheets go")
    given = parser.parse_args(arguments)
    try:
        lines, usable = check(*settings(given), given.out)
    except UserError as error:
        raise SystemExit(str(error)) from error
    print("\n".join(lines))
    return 0 if usable else 1


if __name__ == "__main__":
    raise SystemExit(main())
