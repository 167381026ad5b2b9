"""Checkpoints: a virtual machine goes back to how it was, processes and all; a container says why it can't."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from lab.box import lifecycle
from lab.box.build.recipe import Recipe
from lab.box.core.instance_dir import box_record
from lab.box.errors import CourseError, NotOnThisBackend, UsageError
from tests.support.course import course, until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

on_microvm = pytest.mark.parametrize("running", ["microvm"], indirect=True)
on_container = pytest.mark.parametrize("running", ["container"], indirect=True)
CLOCK_S = 2


def count(box: Box) -> int:
    """How many pages the app says that it has served, this one included: a number that is nowhere but in its memory."""
    answer = requests.get(box.url(8080), timeout=20)
    answer.raise_for_status()
    return next(int(line.split()[1]) for line in answer.text.splitlines() if line.startswith("count:"))


def clock_is_right(box: Box) -> bool:
    before = time.time()
    there = float(box.sh("date +%s.%N").stdout)
    return before - CLOCK_S < there < time.time() + CLOCK_S


@on_microvm
def test_rewinding_undoes_everything(fresh: Box) -> None:
    box, name = fresh, fresh.status().name
    app = box.docker.containers.run("app:v1", name="app", detach=True, ports={"8080/tcp": 8080})
    box.sh("echo kept > /root/notes; nohup sleep 54321 > /dev/null 2>&1 &")
    until("the app", lambda: requests.get(f"{box.url(8080)}/ready", timeout=20).ok)
    served = [count(box), count(box)][-1]

    box.checkpoint("before-the-disaster")
    assert box.checkpoints()[-1] == "before-the-disaster"
    assert count(box) == served + 1  # saving it did not end it
    assert clock_is_right(box)
    box.docker.containers.get("app").remove(force=True)
    box.sh("pkill sleep; rm -rf /root /etc /usr/lib/python3* /usr/bin/docker*")
    box.rewind("before-the-disaster")

    assert box.sh("cat /root/notes; pgrep -x sleep -a | grep -c 54321").stdout == "kept\n1\n"
    assert box.docker.containers.get("app").id == app.id
    assert box.docker.containers.get("app").status == "running"
    assert count(box) == served + 1
    assert clock_is_right(box)
    assert box.sh("hostname").stdout.strip() == box.status().name == name
    assert box.docker.containers.run("base", ["echo", "new"], network_mode="none", remove=True) == b"new\n"


@on_microvm
def test_checkpoints_outlive_a_reset_and_are_replaced_by_name(fresh: Box) -> None:
    box = fresh
    box.sh("echo first > /root/version")
    box.checkpoint("one")
    box.sh("echo second > /root/version")
    box.checkpoint("two")
    box.reset()
    assert box.sh("cat /root/version").code != 0
    assert [(saved.name, saved.incompatibility) for saved in box.status().checkpoints[-2:]] == [("one", ""), ("two", "")]
    box.sh("echo third > /root/version")
    box.checkpoint("one")
    assert box.checkpoints()[-2:] == ("two", "one")
    box.rewind("two")
    assert box.sh("cat /root/version").stdout == "second\n"
    box.rewind("one")
    assert box.sh("cat /root/version").stdout == "third\n"


@on_microvm
def test_checkpoints_outlive_a_crash(running: Running, fresh: Box) -> None:
    fresh.sh("echo kept > /root/notes")
    fresh.checkpoint("before-the-crash")
    record = box_record(running.installation)
    assert record
    assert record.launched.vm
    record.launched.vm.kill()
    box = lifecycle.up("microvm", installation=running.installation)
    assert "before-the-crash" in box.checkpoints()
    box.rewind("before-the-crash")
    assert box.sh("cat /root/notes").stdout == "kept\n"


@on_microvm
@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "-x", "with space", "ünder", "x" * 41, "new\nline", "x\n"])
def test_what_is_no_name_is_refused(box: Box, name: str) -> None:
    before = box.status()
    for act in (box.checkpoint, box.rewind):
        with pytest.raises(UsageError, match="can't be the name of a checkpoint") as raised:
            act(name)
        assert "letters, digits" in raised.value.why
        assert raised.value.try_next.startswith("course checkpoint ")
    assert box.status().name == before.name
    assert box.checkpoints() == tuple(saved.name for saved in before.checkpoints)


@on_microvm
def test_the_longest_name_is_one(box: Box) -> None:
    with pytest.raises(UsageError, match="There is no checkpoint"):
        box.rewind("x" * 40)


@on_microvm
def test_an_unknown_checkpoint_costs_nothing(box: Box) -> None:
    name = box.status().name
    with pytest.raises(UsageError, match="There is no checkpoint 'nope'") as raised:
        box.rewind("nope")
    assert raised.value.why == f"There are: {', '.join(box.checkpoints()) or 'none yet'}."
    assert raised.value.try_next == "course checkpoint nope"
    assert box.status().name == name
    assert box.sh("echo alive").stdout == "alive\n"


@on_microvm
def test_a_damaged_checkpoint_is_said_and_a_reset_helps(running: Running, box: Box) -> None:
    box.checkpoint("damaged")
    (saved,) = Path(running.installation.boxes).rglob("damaged.zst")
    saved.write_bytes(saved.read_bytes()[: 1 << 20])
    with pytest.raises(CourseError) as raised:
        box.rewind("damaged")
    saved.unlink()
    assert raised.value.try_next
    box.reset()
    assert box.sh("echo alive").stdout == "alive\n"


@on_microvm
def test_a_checkpoint_of_another_recipe_is_refused_and_the_box_goes_on(running: Running, box: Box) -> None:
    box.checkpoint("outdated")
    (note,) = Path(running.installation.boxes).rglob("outdated.json")
    note.write_text(note.read_text().replace(Recipe().key, "0123456789ab"))
    box.sh("echo kept > /root/notes")
    with pytest.raises(UsageError, match="'outdated' does not fit your box any more") as raised:
        box.rewind("outdated")
    assert "another recipe (0123456789ab" in raised.value.why
    assert box.sh("cat /root/notes").stdout == "kept\n"
    said = course("status", env=running.environment).out
    assert next(line for line in said.splitlines() if line.startswith("outdated")).split(maxsplit=1)[1].startswith("It belongs to a box of")


@on_container
def test_a_container_says_why_not_and_what_else(box: Box) -> None:
    name = box.status().name
    for act, says in ((box.checkpoint, "'lunch' was not saved"), (box.rewind, "was not rewound to 'lunch'")):
        with pytest.raises(NotOnThisBackend, match=says) as raised:
            act("lunch")
        assert "container backend" in raised.value.why
        assert "course reset" in raised.value.try_next
        assert "course up --backend microvm" in raised.value.try_next
    assert box.checkpoints() == box.status().checkpoints == ()
    assert box.status().name == name
