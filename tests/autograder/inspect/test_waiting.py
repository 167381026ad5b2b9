"""Looking again returns what was seen last, in time or not."""

from __future__ import annotations

import time

import pytest

from autograder.inspect import look_until
from lab.box.errors import WaitTimeout


def test_what_is_as_wanted_is_returned_at_once() -> None:
    numbers = iter(range(9))
    assert look_until("three", lambda seen: seen == 3, lambda: next(numbers), timeout_s=5, every_s=0.001) == 3
    assert next(numbers) == 4


def test_what_never_comes_is_no_error_and_what_was_seen_last_is_returned() -> None:
    began = time.monotonic()
    assert look_until("more", bool, lambda: 0, timeout_s=0.05, every_s=0.01) == 0
    assert 0.05 <= time.monotonic() - began < 2


def test_a_look_that_fails_is_taken_again() -> None:
    looks = iter([ConnectionRefusedError("no"), None])

    def look() -> str:
        if error := next(looks):
            raise error
        return "there"

    assert look_until("it", lambda seen: seen == "there", look, timeout_s=5, every_s=0.001) == "there"


def test_what_could_never_be_looked_at_is_an_error() -> None:
    def look() -> bool:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(WaitTimeout, match=r"for the machine\.\s.*nobody listens"):
        look_until("the machine", bool, look, timeout_s=0.05, every_s=0.01)
