"""The two programs of a learner that make and remove a pod: running them, and watching what becomes of the pod and of other containers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex

from autograder.checks.pods.members import Members, look
from autograder.framework.task import Task
from autograder.inspect import look_until
from lab.box.machine import Machine

ROLES = ("pause", "app", "sidecar")
RUN_S, HOLD_S, EVERY_S = 40, 2, 0.3
TOO_LONG = 124
"""The exit code of ``timeout`` when the time was up."""
RUN = r"""
cd "$(dirname "$program")" && chmod u+x "$program" || exit 127
timeout --kill-after=2 $most bash -c "$program" </dev/null >"$said" 2>&1
code=$?
grep -v "^See 'docker" "$said" | tail -n 1 | tr -d '\033' | cut -c1-120
rm -f "$said"
exit $code
"""
"""The output goes to a file and not to the shell, because a program that stays in the background may keep its output open."""


@dataclass(frozen=True)
class Ran:
    """What came of running a program.

    Args:
        code: its exit code.
        said: the last line of its output.
    """

    code: int
    said: str

    @property
    def hung(self) -> bool:
        """Whether it was ended because it took too long."""
        return self.code == TOO_LONG


def run(machine: Machine, task: Task, program: str) -> Ran:
    """Run one of the two programs, ``create`` or ``delete``, with the names of the pod and its containers in variables."""
    variables = " ".join(f"{name}={task.values[name]}" for name in ("pod", *ROLES))
    settings = f"export {variables}; program={task.values[program]} said=/tmp/{task.key}-{token_hex(2)} most={RUN_S}\n"
    done = machine.sh(settings + RUN, timeout=RUN_S + 20)
    return Ran(done.code, done.stdout.strip())


def watch(machine: Machine, task: Task, wanted: Callable[[Members], bool], seconds: float) -> Members:
    """The pod as soon as it is as wanted, or as it is when the time is up."""
    return look_until("the pod", wanted, lambda: look(machine, task, *ROLES), timeout_s=seconds, every_s=EVERY_S)


def settled(wanted: Callable[[Members], bool], hold_s: float = HOLD_S) -> Callable[[Members], bool]:
    """A condition for ``watch``: the pod is as wanted, and its processes have been the same for so many seconds."""
    last: tuple[int, ...] = ()
    since = time.monotonic()

    def holds(pod: Members) -> bool:
        nonlocal last, since
        if (now := tuple(member.pid for member in pod.each)) != last:
            last, since = now, time.monotonic()
        return wanted(pod) and time.monotonic() - since >= hold_s

    return holds


@contextmanager
def bystander(machine: Machine) -> Iterator[Callable[[], bool]]:
    """Two containers that do not belong to the pod, for as long as the ``with`` block lasts: one of the app runs, the other does not.

    Gives a function that says whether both are as they were.
    """
    name = f"bystander-{token_hex(4)}"
    machine.sh(f"docker run -d --name {name} app:v1 && docker create --name {name}-idle base", check=True)
    try:
        yield lambda: machine.sh(f"docker ps -a --format '{{{{.State}}}}' --filter name={name}").stdout.split() == ["created", "running"]
    finally:
        machine.sh(f"docker rm -fv {name} {name}-idle")
