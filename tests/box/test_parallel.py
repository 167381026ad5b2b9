"""All is done, in order, also where it fails for one."""

from __future__ import annotations

import threading
import time

import pytest

from lab.box.errors import CourseError
from lab.box.parallel import AT_ONCE, in_parallel


def test_results_come_in_the_order_of_the_things() -> None:
    meeting = threading.Barrier(AT_ONCE, timeout=10)  # passed only if all are under way at the same time

    def action(number: int) -> int:
        meeting.wait()
        time.sleep(0.01 * (AT_ONCE - number))
        return number * 2

    assert in_parallel(action, range(AT_ONCE)) == [number * 2 for number in range(AT_ONCE)]


def test_a_failure_is_raised_when_all_others_have_ended_also_those_that_had_to_wait() -> None:
    ended = []

    def action(number: int) -> None:
        if number == 0:
            raise CourseError("The first one fails.")
        time.sleep(0.05)
        ended.append(number)

    with pytest.raises(CourseError, match="The first one fails"):
        in_parallel(action, range(3 * AT_ONCE))
    assert sorted(ended) == list(range(1, 3 * AT_ONCE))
