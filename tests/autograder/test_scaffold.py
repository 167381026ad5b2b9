"""``course new-task``: what it writes is a task that works, and it overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.framework import register
from autograder.points import points
from autograder.scaffold import new_task
from lab.box.errors import CourseError, UsageError


@pytest.mark.usefixtures("machine")
def test_a_private_folder_adds_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = new_task("test.greeting", tmp_path / "overlay")
    assert len(written) == 3
    monkeypatch.setenv(register.OVERLAY, str(tmp_path / "overlay"))
    register._load.cache_clear()
    assert register.find("test.greeting").goal == "Start a container that says a greeting."
    assert points("test.greeting") == 2
    with pytest.raises(CourseError, match="is there already"):
        new_task("test.greeting", tmp_path / "overlay")
    for name in ("greeting", "Test.greeting", "test.", "a.b/../c"):
        with pytest.raises(UsageError, match="can't be the name"):
            new_task(name, tmp_path)
    with pytest.raises(UsageError, match="take its place"):
        new_task("containers.walls", tmp_path)
