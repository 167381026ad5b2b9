"""How a pod is driven that two programs of the learner make and remove: run them, watch what becomes of it, and who else is hurt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex

from autograder.checks.pods.parts import Parts, look
from autograder.checks.task import Task
from autograder.checks.tools import comes_true
from lab.box.machine import Machine

ROLES = ("pause", "app", "sidecar")
RUN_S, HOLD_S, EVERY_S = 40, 2, 0.3
TOO_LONG = 124
"""What ``timeout`` ends with."""
RUN = r"""
cd "$(dirname "$program")" && chmod u+x "$program" || exit 127
timeout --kill-after=2 $most bash -c "$program" </dev/null >"$said" 2>&1
code=$?
grep -v "^See 'docker" "$said" | tail -n 1 | tr -d '\033' | cut -c1-120
rm -f "$said"
exit $code
"""
"""What it says goes to a file: who stays behind in the background may keep that open."""


@dataclass(frozen=True)
class Ran:
    """A program that has run.

    Args:
        code: that it ended with.
        said: its last line.
    """

    code: int
    said: str

    @property
    def hung(self) -> bool:
        """It did not end by itself."""
        return self.code == TOO_LONG


def run(machine: Machine, task: Task, program: str) -> Ran:
    """Run one of the two programs, with the pod's names in variables."""
    variables = " ".join(f"{name}={task.values[name]}" for name in ("pod", *ROLES))
    settings = f"export {variables}; program={task.values[program]} said=/tmp/{task.key}-{token_hex(2)} most={RUN_S}\n"
    done = machine.sh(settings + RUN, timeout=RUN_S + 20)
    return Ran(done.code, done.stdout.strip())


def watch(machine: Machine, task: Task, wanted: Callable[[Parts], bool], seconds: float) -> Parts:
    """The pod once it is as wanted, or as it is when the time is up."""
    seen = [look(machine, task, *ROLES)]

    def again() -> bool:
        if wanted(seen[0]):
            return True
        seen[0] = look(machine, task, *ROLES)
        return False

    comes_true(again, within_s=seconds, every_s=EVERY_S)
    return seen[0]


def settled(wanted: Callable[[Parts], bool], hold_s: float = HOLD_S) -> Callable[[Parts], bool]:
    """Whether a pod is as wanted, and its processes have been the same for so many seconds."""
    last: tuple[int, ...] = ()
    since = time.monotonic()

    def holds(pod: Parts) -> bool:
        nonlocal last, since
        if (now := tuple(part.pid for part in pod.each)) != last:
            last, since = now, time.monotonic()
        return wanted(pod) and time.monotonic() - since >= hold_s

    return holds


@contextmanager
def neighbour(machine: Machine) -> Iterator[Callable[[], bool]]:
    """Somebody else's container, which has nothing to do with the pod; gives whether it lives."""
    name = f"neighbour-{token_hex(4)}"
    machine.sh(f"docker run -d --rm --name {name} base sleep 600", check=True)
    try:
        yield lambda: bool(machine.sh(f"docker ps -q --filter name={name}").stdout.strip())
    finally:
        machine.sh(f"docker rm -f {name}")
