"""The cut of the good images."""

import pytest

from adjax.data.splits import cut, hold_out
from adjax.types import Record, UserError


def records(count):
    return [Record(f"train/good/{i:03d}.png", "", 0, "good", (), "", (9, 9, 1), "uint8") for i in range(count)]


def test_parts_are_disjoint_complete_and_of_the_stated_size():
    parts = cut(records(100), seed=3, calibration=0.25, validation=0.1)
    ids = [r.id for part in parts.values() for r in part]
    assert {name: len(part) for name, part in parts.items()} == {"train": 65, "calibration": 25, "validation": 10}
    assert sorted(ids) == [r.id for r in records(100)]


def test_the_seed_and_nothing_else_decides():
    first = cut(records(40), seed=3, calibration=0.2, validation=0.2)
    assert first == cut(records(40)[::-1], seed=3, calibration=0.2, validation=0.2)
    assert first != cut(records(40), seed=4, calibration=0.2, validation=0.2)


def test_zero_gives_none_and_the_least_fraction_one():
    parts = cut(records(3), seed=0, calibration=0.001, validation=0)
    assert [len(part) for part in parts.values()] == [2, 1, 0]


def test_calibration_does_not_move_when_validation_grows():
    first, second = (cut(records(40), seed=1, calibration=0.2, validation=v) for v in (0.0, 0.3))
    assert first["calibration"] == second["calibration"]


@pytest.mark.parametrize(("count", "fractions"), [(2, (0.1, 0.1)), (10, (0.5, 0.5)), (0, (0, 0))])
def test_too_few_images(count, fractions):
    with pytest.raises(UserError, match=f"{count} good images are too few"):
        cut(records(count), seed=0, calibration=fractions[0], validation=fractions[1])


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 5])
def test_fractions(fraction):
    with pytest.raises(UserError, match="must be a fraction"):
        cut(records(9), seed=0, calibration=fraction, validation=0)


def grouped(count, size):
    """`size` views of each item."""
    return [r._replace(meta={"group": i // size}) for i, r in enumerate(records(count))]


def test_what_belongs_together_stays_together():
    for seed in range(20):
        parts = cut(grouped(30, 3), seed=seed, calibration=0.15, validation=0.15)
        groups = [{r.meta["group"] for r in part} for part in parts.values()]
        assert sum(map(len, groups)) == len(set().union(*groups)) == 10
        assert [len(part) for part in parts.values()] == [18, 6, 6]  # 4 wanted, whole items given


def test_the_test_images_are_drawn_by_lot_whatever_the_order():
    some = grouped(30, 3)
    learn, test = hold_out(some, 10)
    assert (learn, test) == hold_out(some[::-1], 10)
    assert (len(learn), len(test)) == (18, 12) and not {r.meta["group"] for r in learn} & {
        r.meta["group"] for r in test
    }
    assert [len(part) for part in hold_out(records(30), 10)] == [20, 10]
    assert hold_out(some, 0) == (tuple(some), ())
