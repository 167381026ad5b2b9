"""All checks there are, by name: those of ``autograder.checks``, and those of a teacher's private folder (``COURSE_OVERLAY``).

Checks are found by looking into these folders when the first one is asked for, so the framework imports none of them by name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.task import Task, Value
from lab.box.errors import CourseError, UsageError
from lab.box.machine import Machine

Kind = Literal["state", "answer", "program"]
Look = Callable[[Machine, Task], Iterator[Fact]]
OVERLAY = "COURSE_OVERLAY"
TOPICS = "autograder.checks"
"""The package that has a folder for each topic."""


@dataclass(frozen=True)
class Check:
    """A task, with what is needed to begin it and to look at it.

    Args:
        name: ``topic.task``.
        kind: what is looked at.  *state*: what is on the machine when the check looks; *answer*: what the learner reports; *program*: what
            the learner leaves under a fixed name, and the check starts and drives.
        parts: how many facts *look* yields when it can look at everything.
        look: looks at the machine, and yields facts.
        draw: draws the task's parameters anew for each run, given the run's key; names that begin with the key are removed with the task.
        prepare: puts on the machine what the learner starts from.
        timeout_s: seconds until a look is given up.
        answers: the names that an answer may have; where there are none, any name will do.
        graded: it stands in an assignment, and is worth points.
        machines: the roles of the machines that it needs beside the box.  They are made when the task begins, are found in
            ``task.machines``, and are deleted with the task.
        cold: the machines boot a kernel of their own where the driver can do that, because the task measures how long a start takes.
    """

    name: str
    kind: Kind
    parts: int
    look: Look
    draw: Callable[[Dice, str], Mapping[str, Value]]
    prepare: Callable[[Machine, Task], None]
    timeout_s: float
    answers: tuple[str, ...]
    graded: bool
    machines: tuple[str, ...]
    cold: bool

    @property
    def goal(self) -> str:
        """What the learner is to achieve, in a sentence: the first line of the docstring of *look*."""
        return (self.look.__doc__ or "").strip().splitlines()[0]


_known: dict[str, Check] = {}


def nothing_to_draw(dice: Dice, key: str) -> Mapping[str, Value]:  # noqa: ARG001
    """For a task without parameters."""
    return {}


def nothing_to_prepare(machine: Machine, task: Task) -> None:
    """For a task that starts from the machine as it is."""


def check(
    name: str,
    *,
    kind: Kind,
    parts: int,
    draw: Callable[[Dice, str], Mapping[str, Value]] = nothing_to_draw,
    prepare: Callable[[Machine, Task], None] = nothing_to_prepare,
    timeout_s: float = 150,
    answers: tuple[str, ...] = (),
    graded: bool = True,
    machines: tuple[str, ...] = (),
    cold: bool = False,
) -> Callable[[Look], Look]:
    """Register a function that yields facts as the check of a task; see ``Check`` for the arguments."""

    def register(look: Look) -> Look:
        _known[name] = Check(name, kind, parts, look, draw, prepare, timeout_s, answers, graded, machines, cold)
        return look

    return register


def checks() -> Mapping[str, Check]:
    """All checks, by name.

    Raises:
        UsageError: the private folder does not exist.
        CourseError: a file of the private folder can't be read.
    """
    _load(os.environ.get(OVERLAY, ""))
    return _known


def find(name: str) -> Check:
    """The check with this name.

    Raises:
        UsageError: there is none; the message names the one whose name is most alike.
        CourseError: a file of the private folder can't be read.
    """
    known = checks()
    if name not in known:
        alike = get_close_matches(name, known, n=1, cutoff=0.3) or sorted(known)[:1]
        private = f" {OVERLAY} is {os.environ[OVERLAY]}." if os.environ.get(OVERLAY) else f" {OVERLAY} names no private folder."
        raise UsageError(f"There is no task {name!r}.", f"There are: {', '.join(sorted(known))}.{private}", f'check("{alike[0]}")')
    return known[name]


@cache
def _load(overlay: str) -> None:
    for topic in iter_modules(import_module(TOPICS).__path__):
        import_module(f"{TOPICS}.{topic.name}")
    if overlay and not Path(overlay).is_dir():
        raise UsageError(f"There is no folder {overlay}.", f"{OVERLAY} names it.", f"export {OVERLAY}=/your/folder, or unset {OVERLAY}")
    for path in sorted(Path(overlay).absolute().glob("checks/*.py")) if overlay else ():
        spec = spec_from_file_location(f"course_overlay_{path.stem}", path)
        assert spec
        assert spec.loader
        private = module_from_spec(spec)
        sys.modules[spec.name] = private
        try:
            spec.loader.exec_module(private)
        except Exception as error:
            at = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            raise CourseError(f"The check {path} can't be read.", f"{type(error).__name__}{at}: {error}.", "mend it") from error
