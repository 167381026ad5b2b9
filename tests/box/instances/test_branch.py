"""A copy of the box goes on beside it: what ran goes on in both, and each is a machine of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.box import machines
from lab.box.drivers.microvm.qemu import VirtualMachine
from lab.box.errors import CourseError, NotOnThisBackend, UsageError
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

COUNTS = "docker run -d --name counts base sh -c 'n=0; while sleep 0.1; do n=$((n+1)); echo $n > /count; done'"
COUNTED = "docker exec counts cat /count"
WHO = "hostname; cat /etc/machine-id; sha256sum < /etc/ssh/course_host_key; ip -br -4 addr show eth0"
on_microvm = pytest.mark.parametrize("running", ["microvm"], indirect=True)


@on_microvm
def test_what_runs_goes_on_in_both(fresh: Box) -> None:
    fresh.sh(f"{COUNTS}; echo before > /root/notes", check=True)
    until("it to count", lambda: int(fresh.sh(COUNTED).stdout or 0) > 5)
    copy = fresh.branch("plan-b")
    try:
        for machine in (fresh, copy):
            count = int(machine.sh(COUNTED).stdout)
            assert count > 5
            until("it to count on", lambda machine=machine, count=count: int(machine.sh(COUNTED).stdout) > count)  # type: ignore[misc]
        ours, theirs = fresh.sh(WHO).stdout, copy.sh(WHO).stdout
        assert theirs.startswith("plan-b\n")
        assert set(ours.splitlines()).isdisjoint(theirs.splitlines())
        assert theirs.count("10.30.0.") == 1  # and not the box's, too
        assert fresh.sh("ping -c 1 -W 5 plan-b").code == copy.sh("ping -c 1 -W 5 box").code == 0

        copy.sh("docker rm -f counts; echo after > /root/notes", check=True)
        assert fresh.sh("cat /root/notes").stdout == "before\n"
        assert [one.name for one in fresh.docker.containers.list()] == ["counts"]
        with pytest.raises(UsageError, match="There is a machine 'plan-b' already"):
            fresh.branch("plan-b")
        assert [machine.name for machine in machines.all()] == ["plan-b"]
    finally:
        machines.delete()


@pytest.mark.full
@on_microvm
def test_one_that_does_not_start_costs_nothing(fresh: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise CourseError("QEMU did not load the state.")

    monkeypatch.setattr(VirtualMachine, "start", fail)
    with pytest.raises(CourseError, match="did not load"):
        fresh.branch("plan-b")
    assert machines.all() == []
    assert fresh.sh("echo goes on").stdout == "goes on\n"


@on_microvm
def test_where_there_is_no_room_it_says_so(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.box.core.memory.free_mb", lambda: 900.0)
    with pytest.raises(CourseError, match="1 more need 1178 MB of memory"):
        box.branch("plan-b")
    assert machines.all() == []


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_container_can_not_be_copied_and_says_so(box: Box) -> None:
    with pytest.raises(NotOnThisBackend, match="no second plan-b") as raised:
        box.branch("plan-b")
    assert "--backend microvm" in raised.value.try_next
    assert machines.all() == []
