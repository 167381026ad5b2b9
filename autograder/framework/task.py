"""A task that has begun: its parameters, which are drawn when it begins, and the answers that the learner has given.

Both are files on the machine itself, in a directory that a reset empties and a checkpoint includes.  So the notebook, the live panel and
``course check`` see the same task, on the learner's computer and inside a box alike.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from autograder.framework import task_machines
from lab.box.errors import CourseError, UsageError
from lab.box.machine import Machine
from lab.cleanup import clean

Value = str | int | float | list[str] | list[int]
Answer = str | int | float | bool | list[str | int | float | bool]
DIRECTORY = "/run/course/tasks"
LARGEST_ANSWER = 4096
"""Bytes of JSON."""
LOAD = r"""
[ -n "$task" ] && [ -f "$task" ] || exit 0
asked=$(($(cat "$task.asked" 2>/dev/null) + more))
[ $more = 0 ] || echo $asked > "$task.asked"
head -c $most "$task"; echo
[ -f "$task.answer" ] && head -c $most "$task.answer"; echo
echo $asked
"""
"""Prints three lines: the task, its answers or an empty line, and how many times the learner has had it checked."""
SCALARS = (str, int, float, bool)


@dataclass(frozen=True)
class Task:
    """A task that has begun.  Its parameters are attributes: ``task.port``.

    Args:
        name: ``topic.task``.
        key: a word that this run alone has; what the learner makes for the task has a name that starts with it.
        values: the parameters, by their names.
        answers: what the learner has reported, by name.
        asked: how many times the learner has had it checked.
        roles: the names of the machines that were made for it, by what they are for.
    """

    name: str
    key: str
    values: Mapping[str, Value]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    asked: int = 0
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if hidden := [name for name in self.values if hasattr(type(self), name) or name in self.__dict__]:
            why = f"task.{hidden[0]} is something else already, and would hide it."
            raise UsageError(f"A parameter of the task {self.name} can't be called {hidden[0]}.", why, "another name for it, in draw")

    @property
    def machines(self) -> dict[str, Machine]:
        """The machines that were made for it, by role, on the learner's computer and inside the box alike.

        Raises:
            CourseError: one is gone.
        """
        return task_machines.find(self.name, self.roles)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(f"The task {self.__dict__.get('name')} has no {name!r}; it has: {', '.join(self.values)}.") from None

    def __repr__(self) -> str:
        rows = {**self.values, **{f"machine {role}": name for role, name in self.roles.items()}}
        width = max(map(len, rows), default=0)
        return "\n".join([self.name, *(f"  {name:<{width}}  {value}" for name, value in rows.items())])

    def begin(self, machine: Machine) -> Task:
        """Write it to the machine, and return it as it was written: without parameters whose names start with an underscore.

        Those are for *prepare* alone, because they may tell the answer.
        """
        public = {name: value for name, value in self.values.items() if not name.startswith("_")}
        _write(machine, self.name, json.dumps({"key": self.key, "values": public, "roles": self.roles}))
        return Task(self.name, self.key, public, roles=self.roles)

    def clear(self, machine: Machine) -> None:
        """Remove the task, and all that was made for it.

        That is its machines, and whatever has a name that starts with its key: containers, images, networks, volumes, and files in /root.
        """
        clean(machine, self.key)
        self.delete_machines()
        machine.sh(f"rm -f {DIRECTORY}/{shlex.quote(self.name)}*")

    def delete_machines(self) -> None:
        """Delete the machines that were made for it; does nothing inside a box, where that can't be done."""
        task_machines.delete(self.roles)


def load(machine: Machine, name: str, *, asking: bool = False) -> Task | None:
    """The task as the machine keeps it; None where it has not begun.

    Args:
        machine: that keeps it.
        name: ``topic.task``.
        asking: count this as one more time that the learner has it checked.

    Raises:
        CourseError: its files can't be read as a task.
    """
    settings = f"cd {DIRECTORY} 2>/dev/null && task={shlex.quote(name)} more={int(asking)} most={2 * LARGEST_ANSWER}\n"
    lines = machine.sh(settings + LOAD).stdout.splitlines()
    if not lines:
        return None
    try:
        kept, answers, asked = json.loads(lines[0]), json.loads(lines[1] or "{}"), int(lines[2])
        answers = {key: answers[key] for key in answers}
        return Task(name, str(kept["key"]), dict(kept["values"]), answers, asked, dict(kept.get("roles", {})))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CourseError(f"What the machine knows of the task {name} makes no sense.", str(error), f'task("{name}", again=True)') from None


def give(machine: Machine, task: str, answers: Mapping[str, object]) -> dict[str, Answer]:
    """Write answers to a task to the machine, and return them as they were written: without those that are still ``...`` or None.

    Raises:
        UsageError: one is not text, a number, or a list of these; or all together are too long.
    """
    given = {name: _plain(name, value) for name, value in answers.items() if value is not ... and value is not None}
    text = json.dumps(given)
    if len(text) > LARGEST_ANSWER:
        raise UsageError(
            f"The answer to {task} is too long.", f"It has {len(text)} characters; {LARGEST_ANSWER} are enough.", "answer less"
        )
    _write(machine, f"{task}.answer", text)
    return given


def _plain(name: str, value: object) -> Answer:
    if isinstance(value, set | frozenset | tuple | list):
        if all(isinstance(item, SCALARS) for item in value):
            return [_plain(name, item) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]  # type: ignore[misc]
        raise UsageError(f"The answer {name!r} can't be taken.", "A list may hold text and numbers, nothing else.", f"{name}=[…]")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"The answer {name!r} can't be taken.", f"{value} is not a number that can be compared.", f"{name}=0.5")
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, bytes | IPv4Address | IPv6Address):
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if isinstance(number := getattr(value, "item", lambda: None)(), SCALARS):  # NumPy's numbers
        return number
    kind = type(value).__name__
    raise UsageError(f"The answer {name!r} can't be taken.", f"It is a {kind}; it may be text, a number, or a list of such.", f"{name}=…")


def _write(machine: Machine, name: str, text: str) -> None:
    path = f"{DIRECTORY}/{name}"
    if not re.fullmatch(r"[\w.-]+", name):
        raise UsageError(
            f"{name!r} can't be the name of a task.", "It has letters, digits, hyphens, and a dot.", 'task("containers.walls")'
        )
    machine.sh(f"mkdir -p {DIRECTORY} && cat > {path}.new && mv {path}.new {path}", stdin=text.encode(), check=True)
