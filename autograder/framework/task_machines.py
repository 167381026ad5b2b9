"""The machines that a task needs beside the box: made when the task begins, found by their roles, deleted when it ends.

They belong to the computer that the box runs on, so they are made and deleted there alone.  Code inside the box reaches them over the
private network, with a key that only this box has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from lab.box.core.inside import inside_a_box
from lab.box.errors import CourseError, UsageError
from lab.box.machine import Machine
from lab.box.machine.peer import Peer


def create(machine: Machine, task: str, roles: Mapping[str, str], *, cold: bool = False) -> None:
    """Make a task's machines, and let code inside the box reach them.

    Machines that an earlier run of the task has left, because the box was reset and forgot the task, are deleted first.  Where anything
    fails, none is left.

    Args:
        machine: the box.
        task: ``topic.task``.
        roles: the names of the machines to make, by what they are for.
        cold: they boot a kernel of their own, where the driver can do that.

    Raises:
        CourseError: this is inside a box, where no machine can be made; or there is no room for them.
    """
    if inside_a_box():
        why = "Machines belong to the computer that the box runs on."
        raise CourseError(f"The task {task} needs machines, so it can't begin inside a box.", why, f'task("{task}"), outside')
    from lab.box import machines  # noqa: PLC0415  (whose import an emulated kernel inside a box would wait for)
    from lab.box.instances.ssh_authorization import authorize  # noqa: PLC0415

    short = task.rpartition(".")[2]
    of_an_earlier_run = re.compile(rf"{re.escape(short)}-[a-z0-9]{{4}}-({'|'.join(map(re.escape, roles))})")
    if left := [one.name for one in machines.all() if of_an_earlier_run.fullmatch(one.name)]:
        machines.delete(*left)
    try:
        made = []
        with suppress(UsageError):  # a container does not boot
            made = [machines.create(name, cold=True) for name in roles.values() if cold]
        authorize(machine, made or machines.fleet(*roles.values()))
    except BaseException:
        delete(roles)
        raise


def find(task: str, roles: Mapping[str, str]) -> dict[str, Machine]:
    """A task's machines by role, on the learner's computer and inside the box alike.

    Args:
        task: ``topic.task``.
        roles: the names of its machines, by what they are for.

    Raises:
        CourseError: one is gone.
    """
    if inside_a_box():
        return {role: Peer(name) for role, name in roles.items()}
    if not roles:
        return {}
    from lab.box import machines  # noqa: PLC0415  (as above)

    there = {machine.name: machine for machine in machines.all()}
    for role, name in roles.items():
        if name not in there:
            raise CourseError(f"The machine {role} of {task} is gone.", f"It was {name}.", f'task("{task}", again=True)')
    return {role: there[name] for role, name in roles.items()}


def delete(roles: Mapping[str, str]) -> None:
    """Delete a task's machines; does nothing inside a box, where that can't be done."""
    if roles and not inside_a_box():
        from lab.box import machines  # noqa: PLC0415  (as above)

        machines.delete(*roles.values())
