"""A program that a learner has left on the machine: starting it, asking how it fares, and ending it with all that it has started.

It is an executable file, or a script for the shell.  It runs in its own folder, and finds in variables what is wanted.  All that it starts
inherits one more variable, by which it is found again and ended.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex

from autograder.checks.deployments.program import bring_the_course
from autograder.framework.fact import Fact
from autograder.framework.task import Task
from autograder.inspect import look_until
from lab.box.machine import Machine
from lab.objects.store import HOME

EVERY_S = 0.2
START = r"""
left_running() { grep -lsxzF -f <(printf '%s\n' "$program") /proc/[0-9]*/cmdline | grep -o '[0-9]*'; }
for look in $(seq 50); do still=$(left_running) && kill -9 $still 2>/dev/null || break; sleep 0.1; done
cd "$(dirname "$program")" || exit
rm -f "$COURSE_SAID.code"
if [ "$(head -c 2 "$program")" = '#!' ]; then chmod u+x "$program"; set -- "$program" "$@"; else set -- bash "$program" "$@"; fi
setsid bash -c '"$@" </dev/null >"$COURSE_SAID" 2>&1; echo $? >"$COURSE_SAID.code"' run "$@" </dev/null >/dev/null 2>&1 &
"""
"""Ends what the learner may have left running of it, and starts it."""
END = r"""
for look in $(seq 50); do
  still=$(grep -lsxzF -- "COURSE_SAID=$said" /proc/[0-9]*/environ | grep -o '[0-9]*') || break
  kill -9 $still 2>/dev/null
  sleep 0.1
done
"""
STATUS = r"""
cat "$said.code" 2>/dev/null || echo
grep -v -e '^ *$' -e "^See 'docker" -e "^Run 'docker" "$said" 2>/dev/null | tail -n 1 | tr -dc '[:print:]' | cut -c1-90
"""
REMOVE = r"""
rm -f "$wishes"/*/"$key".json
docker ps -aq --filter "label=$label" | xargs -r docker rm -fv >/dev/null
docker ps -aq --filter "name=^$key" | xargs -r docker rm -fv >/dev/null
"""
WRITE = (
    "A cell that begins with %%box can write it: cat > $program <<'END', and the program until a line END. In quotes, END keeps each $.",
    "Its first line names who reads it: #!/bin/bash, or #!/usr/bin/python3.",
)


@dataclass(frozen=True)
class Status:
    """How a program fares.

    Args:
        code: its exit code; nothing while it runs.
        said: the last line that it has printed.
    """

    code: int | None
    said: str

    @property
    def words(self) -> str:
        """What became of it, for a hint."""
        if self.code is None:
            return f"it runs, and said last: {self.said or 'nothing'}"
        return f"it ended with {self.code}, and said last: {self.said or 'nothing'}"


class Program:
    """The learner's program of one task.

    Args:
        machine: that it is on.
        task: has the program's path as ``program``, and what it finds in variables as ``label`` and ``key``.
    """

    def __init__(self, machine: Machine, task: Task) -> None:
        self._machine, self._task = machine, task
        self._said = f"/tmp/{task.key}-{token_hex(3)}"  # noqa: S108  (of the box)

    def start(self, *arguments: str, **variables: object) -> None:
        """Start it.

        Args:
            arguments: for it.
            variables: that it finds, beside ``label`` and ``name``.
        """
        known = {"label": self._task.label, "name": self._task.key, "COURSE_SAID": self._said, **variables}
        exports = "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in known.items())
        given = f"program={shlex.quote(self._task.program)}\nset -- {shlex.join(arguments)}\n"
        self._machine.sh(f"{exports}{given}{START}", check=True)

    @property
    def status(self) -> Status:
        """How it fares, now."""
        code, said, *_ = [*self._machine.sh(f"said={self._said}\n{STATUS}").stdout.splitlines(), "", ""]
        return Status(int(code) if code else None, said)

    @property
    def output(self) -> list[str]:
        """The last lines that it has printed."""
        return self._machine.sh(f"tail -n 100 {self._said} | cut -c1-200").stdout.splitlines()

    def wait(self, timeout_s: float) -> Status:
        """How it has ended, or how it fares when the time is up."""
        return look_until("its end", lambda it: it.code is not None, lambda: self.status, timeout_s=timeout_s, every_s=EVERY_S)

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        self._machine.sh(f"said={self._said}\n{END}")

    def tidy(self) -> None:
        """Remove what it has made, the wish for a Deployment of the task's name, and what was noted of it."""
        known = f"label={self._task.label} key={self._task.key} wishes={HOME}\n"
        self._machine.sh(f"{known}{REMOVE}rm -f {self._said}*", timeout=120)


@contextmanager
def left_by_the_learner(machine: Machine, task: Task) -> Iterator[Program]:
    """The program, which begins with no copy there; with the ``with`` block it ends, and all containers of the task are removed."""
    program = Program(machine, task)
    program.tidy()
    try:
        yield program
    finally:
        program.kill()
        program.tidy()


def missing(machine: Machine, task: Task, what: str) -> Fact | None:
    """The fact, never right, that there is no program; nothing where there is one.

    Args:
        machine: that it should be on.
        task: has its path.
        what: it is to do, in a sentence.
    """
    text = machine.sh(f"head -c 4096 {task.program} 2>/dev/null").stdout
    if "\r\n" in text:
        hint = "Its lines end as on Windows, and the shell takes the carriage return for a part of each command: sed -i 's/\\r$//' FILE"
        return Fact("your program", ok=False, saw="it can't be read", hints=(hint, *WRITE))
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        hint = f"{what} It goes onto your box, into the file {task.program}."
        return Fact("your program", ok=False, saw="there is none", hints=(hint, *WRITE))
    return None


def prepare(machine: Machine, task: Task) -> None:
    """Make the program's folder, and bring the course's own code, so that a program can import it."""
    machine.sh(f"mkdir -p $(dirname {task.program})", check=True)
    bring_the_course(machine)
