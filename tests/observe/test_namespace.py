"""Walls are told by the kernel's numbers, whatever a container was made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.box.errors import CourseError
from lab.box.machine import Machine
from lab.box.machine.base import Result
from lab.observe import Between, Walls, between, pid, walls
from lab.observe.namespace import namespaces

if TYPE_CHECKING:
    from lab.box.instances.box import Box

PAIR = """
docker run -d --name look-app --ipc shareable app:v1
docker run -d --name look-helper --network container:look-app --ipc container:look-app base sleep 1000
"""
KINDS = ("net", "ipc", "uts", "pid", "mnt")


def numbers(*own: str) -> dict[str, str]:
    """A number for each kind: 1 is the first one's, and the kinds that are named have another."""
    return {kind: "2" if kind in own else "1" for kind in KINDS}


def test_a_process_that_is_about_to_end_counts_as_gone() -> None:
    """It has lost its network already, and not its files."""

    class Listed(Machine):
        def sh(self, *_: object, **__: object) -> Result:  # type: ignore[override]
            whole = "".join(f"{process}/ns {kind} {kind}:[{process}]\n" for process in (1, 7) for kind in KINDS)
            return Result(0, whole + "8/ns mnt mnt:[8]\n8/ns uts uts:[8]\n", "")

    assert set(namespaces(Listed(), 7, 8)) == {1, 7}


def test_what_has_another_number_than_the_box_is_private() -> None:
    found = Walls(numbers(), numbers("net", "pid"))
    assert found.private == {"net", "pid"}
    assert [line.split()[-1] for line in repr(found).splitlines()[2:]] == ["wall", "shared", "shared", "wall", "shared"]


def test_among_three_a_wall_is_up_down_or_gone_between_some() -> None:
    found = Between({"a": numbers(), "b": numbers("net", "ipc"), "c": numbers("net") | {"ipc": "3"}})
    assert (found.down, found.up) == ({"uts", "pid", "mnt"}, {"ipc"})
    assert repr(found).splitlines()[2].endswith("gone between some")


@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_two_that_join_have_no_wall_of_those_kinds(pair: Box) -> None:
    found = between(pair, {name: pid(pair, name) for name in ("look-app", "look-helper")})
    assert (found.down, found.up) == ({"net", "ipc"}, {"uts", "pid", "mnt"})
    assert {"net", "ipc", "uts", "pid", "mnt"} <= walls(pair, "look-helper").private


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_what_has_ended_has_no_walls(pair: Box) -> None:
    process = pid(pair, "look-helper")
    pair.sh("docker kill look-helper", check=True)
    with pytest.raises(CourseError, match="look-helper does not run"):
        walls(pair, "look-helper")
    with pytest.raises(CourseError, match="helper does not run"):
        between(pair, {"app": pid(pair, "look-app"), "helper": process})
