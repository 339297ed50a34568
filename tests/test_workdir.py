"""A working directory's log."""

import logging

from adjax import workdir


def test_a_log_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path, capfd):
    (tmp_path / "log.txt").symlink_to("/dev/full")
    with workdir.log_to(tmp_path):
        logging.info("first")
        logging.error("the message")
    told = capfd.readouterr().err.splitlines()
    assert [line for line in told if "log.txt: cannot write it (No space left on device)" in line] == told[:1]
    assert [line.rsplit(" ", 1)[-1] for line in told[1:]] == ["first", "message"]
