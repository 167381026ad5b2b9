"""What an agent says, and whether it is for how long the machine has been up."""

from __future__ import annotations

import pytest

from autograder.checks.vms.box import MANY, _uptime
from autograder.checks.vms.ports import Port

UP_S = 2820.5


def says(*lines: str) -> tuple[bool, str]:
    return _uptime(Port(frozenset({7}), ("socat",), (*lines, "status: 000"), UP_S))


@pytest.mark.parametrize(
    "lines",
    [("2820.51 5012.3",), ("2821",), ("up since", "2819 seconds"), ("<p>2820</p>",), ('{"pid": 4711, "uptime": 2820.1}',)],
)
def test_it_says_the_seconds_in_any_form(lines: tuple[str, ...]) -> None:
    assert says(*lines) == (True, "")


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        ((), "whatever it is asked"),
        (("up and running",), "whatever it is asked"),
        (("2700.12 5000.1",), "a while ago"),
        ((" 19:20:07 up 47 min,  0 users,  load average: 0.00, 0.01, 0.05",), "for how many seconds"),
        (tuple(map(str, range(MANY + 3000))), "so many numbers"),
    ],
)
def test_what_it_says_instead_is_told_what_it_is(lines: tuple[str, ...], hint: str) -> None:
    right, told = says(*lines)
    assert not right
    assert hint in told


def test_nobody_and_a_container_are_no_agent() -> None:
    nobody = Port(frozenset(), (), (), UP_S)
    contained = Port(frozenset({7}), ("python3",), ("2820", "status: 200"), UP_S, contained=True)
    assert _uptime(nobody) == (False, "Nobody listens on port {port} of the machine.")
    assert "There are none yet" in _uptime(contained)[1]
