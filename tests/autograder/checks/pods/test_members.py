"""Which namespaces the members of a pod share, and which directories and ports they have, without a box."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.checks.pods.members import Member, Members, names, ports_of, shared_directories
from autograder.inspect import Listener

OUTSIDE = {"net": "1", "pid": "2"}


def member(role: str, net: str = "", status: str = "running", **found: Any) -> Member:
    inspected = {"State": {"Status": status, "Pid": 40, "ExitCode": 1}, **found}
    return Member(role, f"it-{role}", inspected, {"net": net, "pid": f"9{net}", "mnt": f"8{role}"} if net else {})


def pod(*nets: str) -> Members:
    return Members(tuple(member(str(number), net) for number, net in enumerate(nets)), OUTSIDE)


@pytest.mark.parametrize(
    ("nets", "joined", "apart", "opened"),
    [
        (("7", "7", "7"), True, False, False),
        (("7", "8", "9"), False, True, False),
        (("7", "7", "9"), False, False, False),
        (("1", "1", "1"), False, False, True),
        (("7", "8", "1"), False, False, True),
        (("7", "7", ""), False, False, False),
    ],
)
def test_a_namespace_is_shared_by_all_by_none_or_with_the_machine(
    nets: tuple[str, ...], *, joined: bool, apart: bool, opened: bool
) -> None:
    there = pod(*nets)
    assert (there.joined("net"), there.apart("net"), there.opened("net")) == (joined, apart, opened)
    assert there.all_run == all(nets)


def test_a_paused_member_does_not_run() -> None:
    assert not member("app", "7", status="paused").runs
    assert member("app", "7").runs


def test_a_member_is_described_by_its_role_and_its_state() -> None:
    there = Members((member("pause", "7"), member("app", status="exited"), Member("sidecar", "it-sidecar")), OUTSIDE)
    assert there.described == "pause running, app exited (1), sidecar missing"
    assert there["app"].pid == 40
    assert there["sidecar"].pid == 0


def test_ports_are_those_of_a_members_own_programs() -> None:
    found = [Listener(80, 1, "a", "8app"), Listener(81, 2, "b", "8other"), Listener(82, 3, "c", "")]
    assert ports_of(member("app", "7"), found) == {80}


def test_published_ports_are_those_of_the_machine() -> None:
    ports = {"8080/tcp": [{"HostPort": "9100"}, {"HostPort": "9100"}], "9090/tcp": None, "53/udp": [{"HostPort": ""}]}
    assert member("app", "7", NetworkSettings={"Ports": ports}).published == {9100}
    assert member("app", "7").published == set()


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (["/a/b"], ["/a/b"], ["/a/b"]),
        (["/a"], ["/a/b"], ["/a/b"]),
        (["/a/b"], ["/a"], ["/a/b"]),
        (["/a/b"], ["/a/bc"], []),
        ([], ["/a"], []),
    ],
)
def test_a_directory_is_shared_where_one_is_within_the_other(one: list[str], other: list[str], shared: list[str]) -> None:
    first, second = (member("x", "7", Mounts=[{"Source": source} for source in sources]) for sources in (one, other))
    assert shared_directories(first, second) == shared


def test_names_begin_with_the_key() -> None:
    assert names("walls-abcd", "pause", "app") == {"pod": "walls-abcd", "pause": "walls-abcd-pause", "app": "walls-abcd-app"}
