"""Waiting: for what, how long, and what was seen when it did not come."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.box.errors import WaitTimeout
from lab.box.wait import tail, wait_for, wait_until


class Late:
    """Comes at a certain attempt."""

    def __init__(self, comes_at: int) -> None:
        self.comes_at, self.attempts = comes_at, 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.attempts < self.comes_at:
            raise ConnectionRefusedError(f"attempt {self.attempts} of {self.comes_at}")
        return "there"


@pytest.mark.parametrize("comes_at", [1, 2, 10])
def test_what_came_is_returned(comes_at: int) -> None:
    probe = Late(comes_at)
    assert wait_for("it", probe, timeout_s=5, every_s=0.001) == "there"
    assert probe.attempts == comes_at


def test_nothing_may_be_what_came() -> None:
    assert wait_for("it", lambda: None, timeout_s=1) is None


def test_what_did_not_come_is_named_with_what_was_seen_last_and_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(20)))
    began = time.monotonic()
    with pytest.raises(WaitTimeout) as raised:
        wait_for("the engine", Late(1000), timeout_s=0.1, log=log)
    assert 0.05 < time.monotonic() - began < 1
    assert raised.value.what == "Waited 0.1 s for the engine."
    first, *rest = raised.value.why.splitlines()
    assert first.startswith("Seen last: ConnectionRefusedError: attempt ")
    assert rest == [f"line {number}" for number in range(12, 20)]
    assert raised.value.try_next == "course doctor"
    assert raised.value.__suppress_context__


def test_it_looks_at_least_once() -> None:
    assert wait_for("it", Late(1), timeout_s=0) == "there"
    with pytest.raises(WaitTimeout, match="attempt 1"):
        wait_for("it", Late(2), timeout_s=0)


def test_it_stops_early_when_there_is_no_use(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("qemu: out of memory\n")
    probe = Late(1000)
    began = time.monotonic()
    with pytest.raises(WaitTimeout) as raised:
        wait_for("the engine", probe, timeout_s=30, log=tmp_path / "log", alive=lambda: probe.attempts < 3)
    assert time.monotonic() - began < 1
    assert probe.attempts == 3
    assert raised.value.what == "What was to bring the engine has ended."
    assert raised.value.why == "qemu: out of memory"


def test_what_is_not_a_lack_is_not_waited_out() -> None:
    def wrong() -> None:
        raise ValueError("a mistake in the probe")

    began = time.monotonic()
    with pytest.raises(ValueError, match="a mistake"):
        wait_for("it", wrong, timeout_s=30)
    assert time.monotonic() - began < 1


def test_a_predicate_is_asked_until_it_is_true() -> None:
    answers = iter([False, False, True, False])
    wait_until("it", lambda: next(answers), timeout_s=5, every_s=0.001)
    assert list(answers) == [False]


def test_a_predicate_that_can_not_look_yet_is_asked_again() -> None:
    late = Late(3)
    wait_until("it", lambda: late() == "there", timeout_s=5, every_s=0.001)
    assert late.attempts == 3


def test_a_predicate_that_stays_false_is_named_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("still starting\n")
    with pytest.raises(WaitTimeout) as raised:
        wait_until("the engine", lambda: False, timeout_s=0.05, every_s=0.01, log=tmp_path / "log")
    assert raised.value.what == "Waited 0.05 s for the engine."
    assert raised.value.why == "still starting"


def test_a_predicate_is_not_asked_when_there_is_no_use() -> None:
    asked = []
    with pytest.raises(WaitTimeout, match="has ended"):
        wait_until("the engine", lambda: bool(asked.append(1)), timeout_s=30, alive=lambda: False)
    assert asked == []


def test_a_mistake_in_a_predicate_is_not_waited_out() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until("it", lambda: 1 // 0 == 1, timeout_s=30)


def test_a_log_may_be_absent_short_or_not_text(tmp_path: Path) -> None:
    assert tail(None) == ""
    assert tail(tmp_path / "nowhere") == ""
    assert tail(tmp_path) == ""
    (tmp_path / "log").write_bytes(b"one\ntwo \xff\n")
    assert tail(tmp_path / "log").splitlines() == ["one", "two \N{REPLACEMENT CHARACTER}"]
    assert tail(tmp_path / "log", lines=1).startswith("two")
