"""The container that a machine is: run on the outer engine with a volume for the store of the engine inside, and the relay into it.

*kind* does the same for the nodes of a Kubernetes cluster.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.box.channel.access import start_relay
from lab.box.core.installation import Installation
from lab.box.core.processes import Process
from lab.box.drivers.container import engine
from lab.box.drivers.container.privileges import run_privileged
from lab.box.errors import CourseError

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

AGENT = ["/usr/bin/python3", "-I", "-S", "/usr/lib/course/agent.py", "-"]


def run(
    outer: docker.DockerClient,
    environment: dict[str, str],
    installation: Installation,
    *,
    image: str,
    name: str,
    machine: str,
    **network: Any,
) -> Container:
    """Run the container of a machine.

    Args:
        outer: the engine.
        environment: the variables that name the engine.
        installation: that the machine belongs to.
        image: of the container.
        name: its host name.
        machine: the machine's name, for the label by which it is found again.
        network: how it is connected, as docker's ``containers.run`` takes it.

    Raises:
        CourseError: the engine refused; nothing is left of it.
    """
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    labels = {engine.OWNER_LABEL: installation.owner, engine.MACHINE_LABEL: machine}
    full_name = f"course-{installation.owner}-{name}-{secrets.token_hex(2)}"

    def start(**privileges: Any) -> Container:
        return outer.containers.run(
            image, detach=True, name=full_name, hostname=name, labels=labels, stop_signal="SIGKILL",
            volumes={volume.name: {"bind": "/var/lib/docker", "mode": "rw"}}, cgroupns="private", **network, **privileges,
        )  # fmt: skip

    try:
        volume = outer.volumes.create(full_name, labels=labels)
        return run_privileged(outer, installation, start, image=image, name=full_name, labels=labels)
    except docker.errors.APIError as error:
        engine.remove_owned(environment, installation.owner, machine)
        raise CourseError("Your Docker Engine did not start the box.", str(error.explanation), "course up --backend microvm") from None


def start_relay_into(container: str, environment: dict[str, str], sockets: Path, log: Path) -> Process:
    """Start a relay whose channel is a ``docker exec`` in the container.

    Args:
        container: its name.
        environment: the variables that name its engine.
        sockets: the directory for the relay's sockets.
        log: gets its complaints.
    """
    return start_relay(sockets, {"command": ["docker", "exec", "-i", container, *AGENT]}, log, engine.variables(environment))


def running(container: Container) -> bool:
    """Whether it runs at this moment."""
    container.reload()
    return bool(container.status == "running")


def engine_log(container: Container) -> str:
    """The last lines of the engine inside, or, where the container has ended, its own."""
    log = container.exec_run(["tail", "-5", "/run/course/log/dockerd"]).output if running(container) else container.logs(tail=5)
    return str(log.decode(errors="replace"))
