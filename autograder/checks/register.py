"""All checks there are, by name: those of this package, and those of a private folder of an instructor (``COURSE_OVERLAY``)."""

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

from autograder.checks.dice import Dice
from autograder.checks.fact import Fact
from autograder.checks.task import Task, Value
from lab.box.errors import CourseError, UsageError
from lab.box.machine import Machine

Kind = Literal["state", "answer", "program"]
Look = Callable[[Machine, Task], Iterator[Fact]]
OVERLAY = "COURSE_OVERLAY"
NO_CHECKS = {"dice", "fact", "register", "run", "task", "tools"}
"""The modules of this package that are not a topic."""


@dataclass(frozen=True)
class Check:
    """A task, as the one who grades sees it.

    Args:
        name: ``topic.task``.
        kind: *state*: what is on the machine when the check looks; *answer*: what the learner reports; *program*: what the learner leaves
            under a fixed name, to be started and driven by the check.
        parts: how many facts there are when all is seen.
        look: yields them.
        draw: the task's parameters, drawn afresh for every run; ``key`` is there already, and names what belongs to it.
        prepare: puts on the machine what the learner starts from.
        timeout_s: after which it is given up.
        answers: the names that an answer may have; any where there are none.
        graded: it stands in an assignment, and is worth points.
        machines: the roles of the machines that it needs beside the box: made when it begins, found in ``task.machines``, gone with it.
        cold: they boot from the kernel on, where that can be had, for a task in which it counts how long a machine takes.
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
        """What is to be achieved, in a sentence."""
        return (self.look.__doc__ or "").strip().splitlines()[0]


_known: dict[str, Check] = {}


def nothing_to_draw(dice: Dice, key: str) -> Mapping[str, Value]:  # noqa: ARG001
    """For a task whose key is its only parameter."""
    return {}


def nothing_to_prepare(machine: Machine, task: Task) -> None:
    """For a task that starts from a pristine machine."""


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
    """Make a generator of facts known as a check; see ``Check`` for the arguments."""

    def note(look: Look) -> Look:
        _known[name] = Check(name, kind, parts, look, draw, prepare, timeout_s, answers, graded, machines, cold)
        return look

    return note


def checks() -> Mapping[str, Check]:
    """All of them, by name."""
    _load(os.environ.get(OVERLAY, ""))
    return _known


def find(name: str) -> Check:
    """The check with this name.

    Raises:
        UsageError: there is none; names one that is alike.
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
    import autograder.checks as package  # noqa: PLC0415

    for module in iter_modules(package.__path__):
        if module.name not in NO_CHECKS:
            import_module(f"{package.__name__}.{module.name}")
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
