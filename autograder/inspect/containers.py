"""What a machine's Docker Engine knows of containers and images, by their names."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from autograder.framework.fact import Fact
from autograder.framework.task import Task
from lab.box.machine import Machine

SETTLES_S, SETTLES_AGAIN_S = 2.5, 12.0
"""Seconds that a container must be up to be taken for one that goes on running; and if the engine has restarted it before."""


def container(machine: Machine, name: str) -> Mapping[str, Any] | None:
    """What ``docker inspect`` says of a container; None if there is none of that name."""
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    try:
        return dict(machine.docker.api.inspect_container(name))
    except docker.errors.NotFound:
        return None


def image(machine: Machine, name: str) -> Mapping[str, Any] | None:
    """What ``docker image inspect`` says of an image; None if there is none of that name."""
    import docker  # noqa: PLC0415

    try:
        return dict(machine.docker.api.inspect_image(name))
    except docker.errors.NotFound:
        return None


def state(found: Mapping[str, Any] | None) -> str:
    """A container's state in the engine's word, such as ``running`` or ``exited``; ``missing`` where there is no container."""
    return str(found["State"]["Status"]) if found else "missing"


def goes_on(machine: Machine, found: Mapping[str, Any] | None) -> bool:
    """Whether a container goes on running, and does not just run at the moment; waits until that can be told.

    Args:
        machine: that it is on.
        found: what ``docker inspect`` says of it; None if there is none.
    """
    if not found or state(found) != "running":
        return False
    needed = SETTLES_AGAIN_S if found["RestartCount"] else SETTLES_S
    now, began = (
        datetime.fromisoformat(f"{moment[:19]}+00:00") for moment in (machine.docker.api.info()["SystemTime"], found["State"]["StartedAt"])
    )
    if (left := needed - (now - began).total_seconds()) <= 0:
        return True
    time.sleep(left)
    again = container(machine, found["Id"])
    return again is not None and state(again) == "running" and again["State"]["StartedAt"] == found["State"]["StartedAt"]


def never_started(found: Mapping[str, Any]) -> bool:
    """Whether a container was made, and has never run."""
    return str(found["State"]["StartedAt"]).startswith("0001-")


def addresses(found: Mapping[str, Any]) -> list[str]:
    """A container's own IP addresses, one for each network that it is in."""
    return [network["IPAddress"] for network in found["NetworkSettings"]["Networks"].values() if network["IPAddress"]]


def task_container_lost(task: Task, found: Mapping[str, Any] | None, name: str) -> Fact:
    """The fact, never right, that a container which the task itself has started does not run any more."""
    hint = f'The task\'s own container is gone. Begin again: task("{task.name}", again=True)'
    return Fact(f"the container {name}", ok=False, saw=state(found), hints=(hint,))
