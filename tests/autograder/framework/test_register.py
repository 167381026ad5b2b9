"""All checks there are: found in the folders of topics, and in a teacher's private folder."""

from __future__ import annotations

import sys
from pathlib import Path
from pkgutil import iter_modules

import pytest

from autograder import checks as topics
from autograder.framework import register
from lab.box.errors import CourseError, UsageError

PRIVATE = """
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, image, number, page, words

@check("test.private", kind="state", parts=1, draw=lambda dice, key: {"port": Dice(1).ports(1)[0]})
def private(machine, task):
    \"\"\"Be found.\"\"\"
    yield Fact("it", ok=True, saw="")
"""


@pytest.mark.parametrize("topic", sorted(module.name for module in iter_modules(topics.__path__)))
def test_each_folder_is_a_topic_whose_tasks_bear_its_name(topic: str) -> None:
    tasks = [name for name, check in register.checks().items() if check.look.__module__.startswith(f"autograder.checks.{topic}.")]
    assert tasks
    assert [name for name in tasks if not name.startswith(f"{topic}.")] == []


def test_a_check_in_a_private_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/private.py").write_text(PRIVATE)
    monkeypatch.setenv(register.OVERLAY, str(tmp_path))
    try:
        assert register.find("test.private").goal == "Be found."
    finally:
        register._known.pop("test.private", None)  # type: ignore[attr-defined]
        sys.modules.pop("course_overlay_private", None)


def test_what_is_wrong_with_a_private_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(register.OVERLAY, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="There is no folder"):
        register.checks()
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/bad.py").write_text("def look(:\n")
    monkeypatch.setenv(register.OVERLAY, str(tmp_path))
    with pytest.raises(CourseError, match=r"bad.py can't be read[\s\S]+line 1"):
        register.checks()
