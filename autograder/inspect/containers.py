"""What a machine's Docker Engine knows of containers and images, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.framework.fact import Fact
from autograder.framework.task import Task
from lab.box.machine import Machine


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


def addresses(found: Mapping[str, Any]) -> list[str]:
    """A container's own IP addresses, one for each network that it is in."""
    return [network["IPAddress"] for network in found["NetworkSettings"]["Networks"].values() if network["IPAddress"]]


def task_container_lost(task: Task, found: Mapping[str, Any] | None, name: str) -> Fact:
    """The fact, never right, that a container which the task itself has started does not run any more."""
    hint = f'The task\'s own container is gone. Begin again: task("{task.name}", again=True)'
    return Fact(f"the container {name}", ok=False, saw=state(found), hints=(hint,))
