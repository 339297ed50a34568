"""Which images the report shows, and what became of each.

Axes: h height, w width, c channels.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

FITTING = ("train", "calibration", "validation")  # splits whose images were learned from or set the threshold
DECISIONS = {"": None, "none": None, "0": False, "false": False, "good": False} | dict.fromkeys(
    ("1", "true", "defective"), True
)


class Case(NamedTuple):
    id: str
    label: int  # 0 good, 1 defective, -1 unknown
    defect: str
    score: float
    decision: bool | None  # True: called defective; None: no threshold
    image: Float[np.ndarray, "h w c"]  # in [0, 1]
    mask: Bool[np.ndarray, "h w"] | None
    map: Float[np.ndarray, "h w"] | None


class Row(NamedTuple):
    id: str
    split: str
    label: int
    defect: str
    score: float  # NaN where the image has none
    decision: bool | None


def read_rows(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows of scores.csv as values, whether typed or as the strings of csv.DictReader.

    A decision is a bool, 0/1, "good"/"defective", or empty. Raises ValueError on any other.
    """
    return [_read_row(row) for row in rows]


def _read_row(row: Mapping[str, Any]) -> Row:
    decision, score, label = row.get("decision"), row.get("score"), row.get("label")
    word = str("" if decision is None else decision).lower()
    if word not in DECISIONS:
        raise ValueError(f"{row['id']}: unknown decision {decision!r}; choose from {', '.join(DECISIONS)}")
    return Row(
        id=str(row["id"]),
        split=str(row.get("split") or ""),
        label=-1 if label in (None, "") else int(label),
        defect=str(row.get("defect") or ""),
        score=math.nan if score in (None, "") else float(score),
        decision=DECISIONS[word],
    )


def outcome(label: int, decision: bool | None) -> str:
    """One of missed, false_alarm, found, passed, flagged, unflagged, undecided."""
    if decision is None:
        return "undecided"
    if label < 0:
        return "flagged" if decision else "unflagged"
    if label == 1:
        return "found" if decision else "missed"
    return "false_alarm" if decision else "passed"


def choose_cases(rows: Iterable[Mapping[str, Any]], n: int) -> list[str]:
    """Ids of at most `n` images worth looking at, out of the rows of scores.csv.

    Taken in turn: the missed image with the lowest score, the false alarm with the highest, the clearest
    detection (each defect type once before any a second time); and, once, the cleanest good image. Where
    nothing was missed, or nothing raised a false alarm, one close call stands for it. Unlabelled images: the
    highest scores, those nearest to a change of decision, and once the lowest. Images of the fitting splits,
    and images without a finite score, never enter.
    """
    seen = _by_score(rows)
    good, bad, unknown = ([r for r in seen if r.label == label] for label in (0, 1, -1))
    misses = [r for r in reversed(bad) if r.decision is not True] or bad[-1:]
    alarms = [r for r in good if r.decision is not False] or good[:1]
    found = _spread([r for r in bad if r.decision is not False])
    chosen = _take_turns([good[-1:], unknown[-1:]], n)
    chosen = _take_turns([misses, alarms, found, unknown, _borderline(unknown)], n - len(chosen), chosen)
    return [r.id for r in chosen]


def shortlist(rows: Iterable[Mapping[str, Any]], n: int) -> list[str]:
    """Ids of the unlabelled images that `choose_cases` may choose when there are more rows than these; others never.

    One threshold decided on all of them: those nearest to a change of decision are the lowest of the flagged and the
    highest of the rest. At most 3 n + 1.
    """
    seen = _by_score(rows)
    flagged = sorted((r for r in seen if r.decision), key=lambda r: (r.score, r.id))
    others = [r for r in seen if r.decision is False]
    return list(dict.fromkeys(r.id for r in (*seen[:n], *seen[-1:], *flagged[:n], *others[:n])))


def _by_score(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    seen = [r for r in read_rows(rows) if r.split not in FITTING and math.isfinite(r.score)]
    return sorted(seen, key=lambda r: (-r.score, r.id))


def _spread(rows: list[Row]) -> list[Row]:
    """The same rows, in an order that visits every defect type before any a second time."""
    turn: dict[str, int] = {}
    turns = []
    for row in rows:
        turn[row.defect] = turn.get(row.defect, -1) + 1
        turns.append(turn[row.defect])
    return [rows[i] for i in np.argsort(turns, kind="stable")]


def _borderline(rows: list[Row]) -> list[Row]:
    """Rows by their distance from the middle between flagged and others; none if all were decided alike."""
    flagged = [r.score for r in rows if r.decision]
    others = [r.score for r in rows if r.decision is False]
    if not flagged or not others:
        return []
    edge = (min(flagged) + max(others)) / 2
    return sorted(rows, key=lambda r: (abs(r.score - edge), r.id))


def _take_turns(queues: list[list[Row]], n: int, before: list[Row] | None = None) -> list[Row]:
    """`before`, then up to `n` rows more: the queues one after another, a row each, none twice."""
    taken = {row.id: row for row in before or ()}
    goal = len(taken) + n
    queues = [list(queue) for queue in queues]
    while any(queues) and len(taken) < goal:
        for queue in queues:
            while queue and queue[0].id in taken:
                queue.pop(0)
            if queue and len(taken) < goal:
                row = queue.pop(0)
                taken[row.id] = row
    return list(taken.values())
