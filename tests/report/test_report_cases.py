"""The choice of cases and what became of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjax.report.cases import choose_cases, outcome, read_rows, shortlist


def row(name, label, score, decision=None, defect="", split="test"):
    return {"id": name, "label": label, "score": score, "decision": decision, "defect": defect, "split": split}


def test_the_worst_mistakes_the_clearest_detections_and_a_clean_one():
    rows = [row(f"good{i}", 0, i / 10, i > 7) for i in range(10)]
    rows += [row(f"a{i}", 1, i / 10, i > 7, "a") for i in range(5, 10)]
    rows += [row("b", 1, 0.75, True, "b"), row("held-out", 0, 99.0, True, split="validation")]
    chosen = choose_cases(rows, 7)
    assert chosen == ["good0", "a5", "good9", "a9", "a6", "good8", "b"]
    assert choose_cases(rows, 1) == ["good0"]
    everything = choose_cases(rows, 100)
    assert len(everything) == len(set(everything)) and "held-out" not in everything


def test_where_nothing_went_wrong_the_closest_calls_stand():
    rows = [row(f"good{i}", 0, i / 10, False) for i in range(5)] + [row(f"bad{i}", 1, 1 + i, True) for i in range(5)]
    assert choose_cases(rows, 6) == ["good0", "bad0", "good4", "bad4", "bad3", "bad2"]


def test_without_labels_the_highest_the_borderline_and_the_lowest():
    rows = [row(f"{i}", -1, float(i), i > 4) for i in range(10)]
    assert choose_cases(rows, 5) == ["0", "9", "4", "8", "5"]
    assert choose_cases([row("x", "", "nan"), row("y", "", "1.5", "")], 5) == ["y"]
    assert choose_cases([], 5) == []


@given(st.lists(st.integers(0, 9), max_size=40), st.sampled_from([None, 0, 3, 4, 9]), st.integers(1, 5))
def test_a_shortlist_of_unlabelled_images_loses_no_case(scores, threshold, n):
    rows = [row(f"{i}", -1, s, None if threshold is None else s > threshold) for i, s in enumerate(scores)]
    kept = []
    for one in rows:
        names = shortlist([*kept, one], n)
        kept = [r for r in (*kept, one) if r["id"] in names]
        assert len(kept) <= 3 * n + 1
    assert choose_cases(kept, n) == choose_cases(rows, n)


@pytest.mark.parametrize(
    "label, decision, expected",
    [
        (0, False, "passed"),
        (0, True, "false_alarm"),
        (1, False, "missed"),
        (1, True, "found"),
        (-1, True, "flagged"),
        (-1, False, "unflagged"),
        (0, None, "undecided"),
    ],
)
def test_outcomes(label, decision, expected):
    assert outcome(label, decision) == expected


def test_decisions_in_every_spelling():
    words = [True, "True", 1, "1", "defective", False, "0", "good", None, ""]
    decisions = [r.decision for r in read_rows([row("x", 0, 1.0, word) for word in words])]
    assert decisions == [True] * 5 + [False] * 3 + [None] * 2
    with pytest.raises(ValueError, match="x: unknown decision 'maybe'; choose from"):
        read_rows([row("x", 0, 1.0, "maybe")])
