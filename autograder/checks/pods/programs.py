"""The two programs of a learner that make and remove a pod: running them, and watching what becomes of the pod and of other containers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex

from autograder import inspect
from autograder.checks.pods.members import Members, look
from autograder.framework.task import Task
from autograder.inspect import Ran, look_until
from lab.box.machine import Machine

ROLES = ("pause", "app", "sidecar")
RUN_S, HOLD_S, EVERY_S = 40, 2, 0.3


def run(machine: Machine, task: Task, program: str) -> Ran:
    """Run one of the two programs, ``create`` or ``delete``, with the names of the pod and its containers in variables."""
    names = {name: str(task.values[name]) for name in ("pod", *ROLES)}
    return inspect.run(machine, str(task.values[program]), names, RUN_S)


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
