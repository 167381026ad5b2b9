"""Tasks that declare machines: they are there when the task begins, outside and inside the box, and gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from autograder.framework import register, run
from autograder.framework.fact import Fact
from autograder.framework.task import load
from autograder.notebook import tidy
from lab import machines
from lab.box.channel.kernel import put_course
from lab.box.core.inside import NBGRADER
from lab.box.errors import CourseError
from tests.support.course import until

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)

LOOK_INSIDE = """
from autograder.framework.task import load
from lab import connect
task = load(connect(), "test.crew")
for role, machine in task.machines.items():
    machine.put("/etc/hostname", "/root/from-box")
    name = machine.sh("cat /root/from-box /etc/hostname", check=True).stdout.split()
    print(role, *name, machine.docker.info()["Name"], machine.url(80))
"""
BEGIN_INSIDE = """
from autograder.framework.register import find
from autograder.framework.run import begin
from lab import connect, machines
import sys
from lab.box.errors import CourseError
for wish in (lambda: machines.create("x"), lambda: begin(connect(), find("test.crew"))):
    try:
        wish()
    except CourseError as error:
        print(error.what)
"""
DECLARE = """
from autograder.framework.register import check
check("test.crew", kind="state", parts=2, machines=("web-1", "web-2"))(lambda machine, task: iter(()))
"""


def crew(_: Machine, task: Task) -> Iterator[Fact]:
    """Both machines answer, and know each other."""
    for role, one in task.machines.items():
        other = next(name for name in task.roles.values() if name != task.roles[role])
        done = one.sh(f"hostname && ping -c1 -W5 {other} > /dev/null && echo sees")
        yield Fact(role, done.stdout == f"{task.roles[role]}\nsees\n", done.stdout, ("Is it there?",))


@pytest.fixture
def declared(box: Box) -> Iterator[register.Check]:
    register.check("test.crew", kind="state", parts=2, machines=("web-1", "web-2"))(crew)
    yield register.find("test.crew")
    if task := load(box, "test.crew"):
        task.clear(box)
    del register._known["test.crew"]  # type: ignore[attr-defined]


def names() -> list[str]:
    return [machine.name for machine in machines.all()]


def test_a_tasks_machines_come_and_go_with_it(declared: register.Check, box: Box) -> None:
    task = run.begin(box, declared)
    assert names() == [f"{task.key}-web-1", f"{task.key}-web-2"]
    assert run.judge(box, declared).score == 1
    assert run.begin(box, declared).roles == task.roles
    again = run.begin(box, declared, again=True)
    assert names() == sorted(again.roles.values())
    machines.delete(again.roles["web-2"])
    with pytest.raises(CourseError, match=r"machine web-2 of test.crew is gone") as gone:
        run.judge(box, declared)
    assert "again=True" in gone.value.try_next
    tidy("test.crew")
    assert names() == []


def test_code_inside_the_box_reaches_them_and_makes_none(declared: register.Check, box: Box) -> None:
    task = run.begin(box, declared)
    put_course(box)
    said = box.sh(f"python3 - <<'E'\n{LOOK_INSIDE}\nE", check=True, timeout=120).stdout
    own = box.sh("hostname").stdout.strip()
    assert said.splitlines() == [f"{role} {own} {name} {name} http://{name}:80" for role, name in task.roles.items()]
    task.clear(box)
    said = box.sh(f"python3 - <<'E'\n{DECLARE}{BEGIN_INSIDE}\nE", check=True, timeout=120).stdout.splitlines()
    assert said[0].startswith("Nothing inside a box can make machines")
    assert "can't begin inside a box" in said[1]


def test_only_the_box_gets_in_and_only_with_its_key(declared: register.Check, box: Box) -> None:
    task = run.begin(box, declared)
    one, two = task.machines.values()
    ask = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o ConnectTimeout=30"
    denied = box.sh(f"{ask} root@{task.roles['web-1']} true", timeout=120)
    assert "Permission denied (publickey)" in denied.stderr
    box.get("/run/course/peers/key", path := "/tmp/stolen")
    two.put(path, "/root/stolen")
    denied = two.sh(f"chmod 600 /root/stolen; {ask} -i /root/stolen root@{task.roles['web-1']} true", timeout=120)
    assert "Permission denied (publickey)" in denied.stderr
    listening = one.sh("ss -Hltn | grep -v 127.0.0.11 | awk '{print $4}'").stdout.split()
    assert listening == [f"{machines.find(task.roles['web-1']).address}:22"]


def test_machines_of_a_run_that_a_reset_forgot_go_when_it_begins_anew(declared: register.Check, box: Box) -> None:
    before = run.begin(box, declared)
    box.reset()
    after = run.begin(box, declared)
    assert set(before.roles.values()).isdisjoint(after.roles.values())
    assert names() == sorted(after.roles.values())


def test_a_task_that_can_not_be_prepared_leaves_no_machines(box: Box) -> None:
    def refuse(_: Machine, task: Task) -> None:
        until("a machine", lambda: task.machines["web-1"].sh("true").code == 0)
        raise CourseError("no")

    register.check("test.crew", kind="state", parts=2, machines=("web-1",), prepare=refuse)(crew)
    with pytest.raises(CourseError, match="no"):
        run.begin(box, register.find("test.crew"))
    del register._known["test.crew"]  # type: ignore[attr-defined]
    assert names() == []


def test_under_nbgrader_tidy_gives_the_machines_back(declared: register.Check, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    run.begin(box, declared)
    monkeypatch.setenv(NBGRADER, "autograde")
    tidy("test.crew")
    assert names() == []
    assert load(box, "test.crew")
