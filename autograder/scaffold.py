"""What ``course new-task`` writes: a check, a notebook with its cells and a model answer, and tests, for a small task.

The small task works as it is, so that a teacher changes something that works, and does not fill in a form.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template
from typing import Any

from autograder.framework.register import checks
from autograder.points import grade_id
from lab.box.errors import CourseError, UsageError

CHECK = Template('''\
"""What the task $task is about, in a sentence."""

from collections.abc import Iterator, Mapping

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, state
from lab.box.machine import Machine


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """What differs from run to run.  Names that start with the key are removed when the task ends."""
    return {"container": f"{key}-web", "greeting": f"hello-{dice.nonce()}"}


@check("$task", kind="state", parts=2, draw=draw)
def $function(machine: Machine, task: Task) -> Iterator[Fact]:
    """Start a container that says a greeting."""
    found = container(machine, task.container)
    running = state(found) == "running"
    hint = f"Start a container named {task.container}, and let it go on running."
    yield Fact("your container", running, state(found), (hint, "docker run", "--name and -d"))
    said = f"GREETING={task.greeting}" in (found["Config"]["Env"] if found else [])
    hint = "The image app:v1 takes its greeting from the variable GREETING."
    yield Fact("its greeting", said, "as it should be" if said else "another, or none", (hint, "docker run --help", "-e"))
''')
TEST = Template('''\
"""The task $task: nothing is worth nothing, the model answer all, and each wrong answer has a hint of its own."""

from autograder.testing import Graded, graded


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    assert graded("$task").score == 0


def test_the_model_answer_is_worth_all(graded: Graded) -> None:
    assert graded("$task", "docker run -d --name $$container -e GREETING=$$greeting app:v1").score == 1


def test_another_way_is_worth_all(graded: Graded) -> None:
    script = "docker create --name $$container --env GREETING=$$greeting app:v1; docker start $$container"
    assert graded("$task", script).score == 1


def test_another_greeting_is_half_right_and_says_why(graded: Graded) -> None:
    verdict = graded("$task", "docker run -d --name $$container app:v1")
    assert verdict.score == 0.5
    assert "GREETING" in verdict.text()


def test_a_container_that_ended_says_so(graded: Graded) -> None:
    verdict = graded("$task", "docker run --name $$container app:v1 true")
    assert "exited" in verdict.text()
''')


def new_task(name: str, overlay: Path) -> list[Path]:
    """Write the files of a new task, and return their paths, the test last.

    Args:
        name: ``topic.task``.
        overlay: the private folder that gets ``checks``, ``source`` and ``tests``.

    Raises:
        UsageError: the name is not of that form, or a task has it already.
        CourseError: one of the files is there already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*\.[a-z][a-z0-9-]*", name):
        why = "It has a topic, a dot, and a task, in lower case; the task may have hyphens."
        raise UsageError(f"{name!r} can't be the name of a task.", why, "course new-task networks.two-bridges --overlay FOLDER")
    topic, _, short = name.partition(".")
    words = {"task": name, "function": short.replace("-", "_")}
    file = f"{topic}_{words['function']}"  # no hyphen: Canvas adds -1, -2 … to what is handed in once more, and these are taken off again
    contents = {
        overlay / "checks" / f"{file}.py": CHECK.substitute(words),
        overlay / "source" / topic / f"{words['function']}.ipynb": json.dumps(_notebook(name, words["function"]), indent=1) + "\n",
        overlay / "tests" / f"test_{file}.py": TEST.substitute(words),
    }
    if there := [path for path in contents if path.exists()]:
        raise CourseError(f"{there[0]} is there already.", "Nothing was written.", "choose another name, or remove it")
    if name in checks():
        raise UsageError(f"There is a task {name} already.", "A new one of that name would take its place.", "choose another name")
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(contents)


def _notebook(task: str, variable: str) -> dict[str, Any]:
    name = grade_id(task)
    solution = f"%%box --set {variable}.container,{variable}.greeting\n### BEGIN SOLUTION\n"
    solution += "docker run -d --name $container -e GREETING=$greeting app:v1\n### END SOLUTION"
    cells = [
        _cell(
            "markdown",
            f"{name}-text",
            "# A greeting\n\nStart a container with the name and the greeting that the task has drawn.",
            locked=True,
        ),
        _cell(
            "code",
            f"{name}-setup",
            "%load_ext lab\nfrom autograder import answer, check, connect, task, tidy\n\nbox = connect()",
            locked=True,
        ),
        _cell("code", f"{name}-task", f'{variable} = task("{task}")\n{variable}', locked=True),
        _cell("code", f"{name}-make", solution, solution=True),
        _cell("code", name, f'check("{task}")', grade=True, locked=True, points=2),
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def _cell(kind: str, name: str, source: str, **marks: bool | int) -> dict[str, Any]:
    metadata = {"grade": False, "grade_id": name, "locked": False, "schema_version": 3, "solution": False, "task": False, **marks}
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {"nbgrader": metadata}, "source": source.splitlines(keepends=True), **code}
