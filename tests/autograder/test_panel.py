"""The live panel: it follows what happens on the box, and leaves no thread behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from autograder.framework.register import find
from autograder.framework.run import begin
from autograder.notebook import answer
from autograder.panel import Panel, watch
from lab.box.core.inside import NBGRADER
from tests.support.course import until

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.instances.box import Box
    from tests.conftest import Running

pytestmark = pytest.mark.parametrize("running", ["container"], indirect=True)
LIMITS = find("containers.limits")


@pytest.fixture
def limits(box: Box) -> Iterator[Task]:
    task = begin(box, LIMITS, again=True)
    yield task
    task.clear(box)


def says(panel: Panel) -> str:
    return str(panel.children[0].value)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("watch-", "topology"))}


def test_facts_turn_as_things_happen(box: Box, limits: Task, capsys: pytest.CaptureFixture[str]) -> None:
    panel = Panel(box, LIMITS)
    try:
        until("the first look", lambda: "0 of 4" in says(panel))
        limit = {"mem_limit": f"{limits.memory_mb}m", "nano_cpus": int(limits.cpus * 1e9)}
        box.docker.containers.run("app:v1", detach=True, name=limits.steady, **limit)
        until("two facts to turn", lambda: "2 of 4" in says(panel))
        assert f"✓ memory of {limits.steady}" in says(panel)
        assert f"✓ memory of {limits.steady}" in panel._repr_mimebundle_()["text/plain"]
        box.docker.containers.get(limits.steady).remove(force=True)
        until("them to turn back", lambda: "0 of 4" in says(panel))
        assert 'role="status"' in says(panel)
    finally:
        panel.close()
    until("its threads to end", lambda: not threads())
    assert capsys.readouterr().err == ""


def test_an_answer_is_seen_although_no_engine_tells_of_it(box: Box, running: Running) -> None:
    process = find("containers.process")
    task = begin(box, process, again=True)
    panel = Panel(box, process)
    try:
        until("the first look", lambda: "0 of 3" in says(panel))
        answer(task, pid=int(box.docker.api.inspect_container(task.container)["State"]["Pid"]))
        until("the fact to turn", lambda: "1 of 3" in says(panel))
    finally:
        panel.close()
        task.clear(running.box)


@pytest.mark.usefixtures("limits")
def test_an_engine_that_goes_is_said_and_met_again(box: Box) -> None:
    panel = Panel(box, LIMITS)
    try:
        until("the first look", lambda: "0 of 4" in says(panel))
        box.sh("killall dockerd")
        until("that to be said", lambda: "stale since" in says(panel) or "could not look" in says(panel))
        until("the engine to be met again", lambda: "0 of 4" in says(panel), timeout_s=60)
    finally:
        panel.close()


@pytest.mark.usefixtures("limits")
def test_nbgrader_gets_no_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NBGRADER, "validate")
    assert watch("containers.limits") is None
    assert not threads()
