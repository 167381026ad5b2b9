"""What the ports of a machine say, read from what a shell on it has printed."""

from __future__ import annotations

import pytest

from autograder.checks.vms.ports import look_at, look_when_started, why_nobody
from lab.box.machine.base import Machine, Result

SERVES = """\
LISTEN 0 5 0.0.0.0:9100 0.0.0.0:* users:(("python3",pid=41,fd=3))
LISTEN 0 5 0.0.0.0:9102 0.0.0.0:* users:(("docker-proxy",pid=50,fd=3))
LISTEN 0 5 0.0.0.0:9103 0.0.0.0:* users:(("python3",pid=51,fd=3))
/proc/1/ns mnt:[1]
/proc/41/ns mnt:[1]
/proc/50/ns mnt:[1]
/proc/51/ns mnt:[2]
up 9100 12.50
said 9100 greeting: hello
said 9100 status: 200
up 9101 12.60
up 9102 12.70
up 9103 12.80
said 9102 status: 000
init 1
"""
NOTHING = "/proc/1/ns mnt:[1]\nup 9100 12.50\nup 9101 1\nup 9102 1\ninit 0\n"


class Printed(Machine):
    """A machine on which shells have printed this, one after the other."""

    def __init__(self, *printed: str) -> None:
        self.left = list(printed)

    def sh(self, command: str, *, timeout: float = 1, check: bool = False, stdin: bytes = b"") -> Result:
        assert (command.startswith("ports='"), timeout > 0, check, stdin) == (True, True, True, b"")
        return Result(0, self.left.pop(0) if len(self.left) > 1 else self.left[0], "")


def test_a_port_has_its_processes_and_what_it_says() -> None:
    seen = look_at(Printed(SERVES), 9100, 9101, 9102)
    assert (seen[9100].processes, seen[9100].programs, seen[9100].up_s) == ({41}, ("python3",), 12.5)
    assert (seen[9100].page("greeting"), seen[9100].page("status"), seen[9100].page("version")) == ("hello", "200", "")
    assert [seen[port].words for port in (9100, 9101, 9102)] == ["says hello", "nobody listens", "does not answer"]
    assert [number for number in (9100, 9102, 9103) if look_at(Printed(SERVES), 9100, 9102, 9103)[number].contained] == [9102, 9103]
    assert seen.named
    assert not look_at(Printed(NOTHING), 9100).named


def test_what_was_started_gets_time_to_become_good() -> None:
    machine = Printed(SERVES.replace("hello", "soon"), SERVES.replace("hello", "soon"), SERVES)
    assert look_when_started(machine, 9100, good=lambda seen: seen[9100].page("greeting") == "hello")[9100].page("greeting") == "hello"


def test_where_nothing_was_started_nobody_waits() -> None:
    machine = Printed(NOTHING, SERVES)
    assert look_when_started(machine, 9100, good=lambda seen: bool(seen[9100].processes))[9100].words == "nobody listens"
    assert machine.left == [SERVES]


@pytest.mark.parametrize(
    ("named", "container", "hint"),
    [(True, False, "kill -HUP 1"), (False, True, "A container has port"), (False, False, "brought them back")],
)
def test_why_nobody_listens_depends_on_what_was_seen(*, named: bool, container: bool, hint: str) -> None:
    assert hint in why_nobody(9100, named=named, container=container)
