"""``course check`` and ``course new-task``: what this package adds to the command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autograder.framework.register import find
from autograder.framework.run import begin
from autograder.testing import perform
from tests.autograder.checks.test_containers import seen_by_the_box
from tests.support.course import course

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running


def test_all_tasks_are_listed_without_a_box(tmp_path: Path) -> None:
    env = dict(os.environ) | {"COURSE_STATE": str(tmp_path)}
    listed = json.loads(course("check", "--json", env=env).out)
    assert {"containers.process", "containers.two-processes"} <= {task["task"] for task in listed}
    assert "Report pid, address and parent" in course("check", env=env).out


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_task_is_checked_from_a_terminal(running: Running, box: Box) -> None:
    done = course("check", "containers.process", env=running.environment)
    assert (done.code, "has not begun" in done.err) == (1, True)
    task = begin(box, find("containers.process"))
    try:
        done = course("check", "containers.process", env=running.environment)
        assert (done.code, "0 of 3 points" in done.out) == (1, True)
        perform(box, task, seen_by_the_box)
        done = course("check", "containers.process", "--json", env=running.environment)
        assert done.code == 0
        assert json.loads(done.out)["points"] == json.loads(done.out)["of"] == 3
    finally:
        task.clear(box)


def test_a_typo_names_what_there_is(tmp_path: Path) -> None:
    done = course("check", "containers.proces", env=dict(os.environ) | {"COURSE_STATE": str(tmp_path)})
    assert done.code == 2
    assert 'Next: check("containers.process")' in done.err


def test_a_new_task_is_written_once(tmp_path: Path) -> None:
    env = dict(os.environ) | {"COURSE_STATE": str(tmp_path / "state")}
    command = ("new-task", "networks.two-bridges", "--overlay", str(tmp_path / "mine"))
    done = course(*command, env=env)
    assert (done.code, done.out.count("wrote ")) == (0, 3)
    again = course(*command, env=env)
    assert (again.code, "is there already" in again.err) == (1, True)
    listed = course("check", env=env | {"COURSE_OVERLAY": str(tmp_path / "mine")}).out
    assert "networks.two-bridges" in listed


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_task_that_is_not_graded_has_a_score_and_no_points(running: Running, box: Box) -> None:
    task = begin(box, find("start.greeting"))
    try:
        perform(box, task, "docker run -d --name $container app:v1")
        done = course("check", "start.greeting", env=running.environment)
        assert (done.code, "start.greeting: 1 of 2\n" in done.out, "Hello, world." in done.out) == (1, True, True)
        perform(box, task, "docker rm -f $container; docker run -d --name $container -e GREETING=$greeting app:v1")
        seen = json.loads(course("check", "start.greeting", "--json", env=running.environment).out)
        assert (seen["score"], "points" in seen) == (1, False)
    finally:
        task.clear(box)
