import pytest

from adjax.losses.names import parse
from adjax.types import UserError


def test_sums_are_read():
    assert parse("ssim") == {"ssim": 1.0}
    assert parse("ssim + 0.5*l1") == {"ssim": 1.0, "l1": 0.5}
    assert parse("2*l2+l2") == {"l2": 3.0}


@pytest.mark.parametrize(
    ("wrong", "message"), [("sim", "choose from"), ("x*l1", "'x' is not a weight"), ("", "choose from")]
)
def test_errors_name_the_value(wrong, message):
    with pytest.raises(UserError, match=message):
        parse(wrong)
