"""The Docker engine that a learner may already have: found as the ``docker`` command finds it, remote ones included."""

from __future__ import annotations

import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.box.core.installation import is_a_box
from lab.box.core.record import ENGINE_VARIABLES
from lab.box.errors import CourseError

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

OWNER_LABEL = "course.owner"
MACHINE_LABEL = "course.machine"
ANSWER_TIMEOUT_S = 5
INSTALL = "sudo apt-get install -y --no-install-recommends docker.io, or course up --backend microvm, which needs no Docker"
DOWN_HINT = "course down, once that is mended, or course down --forget, if that engine is gone for good"
THAW_SCRIPT = "for state in $(find /sys/fs/cgroup -name freezer.state); do echo THAWED >$state; done"
DEFAULT = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Engine:
    """The Docker engine that was found.

    Args:
        environment: the variables that make ``docker`` and its SDK reach it.
        address: for people.
        answers: whether it does.
        why: if not, why not.
        try_next: and what to do about it.
        version: of the engine, if it answers.
    """

    address: str
    environment: dict[str, str] = field(default_factory=dict)
    answers: bool = False
    why: str = ""
    try_next: str = "course doctor"
    version: str = ""


def find() -> Engine:
    """The engine that ``DOCKER_HOST``, ``DOCKER_CONTEXT`` or the current context names, and whether it answers.

    A box is not one to run a box on: where ``DOCKER_HOST`` is a box, as in a shell or notebook that works on it, it does not count, and a
    context that leads to one is refused.  The environment that is returned names the engine even where nothing did, because whoever uses it
    later may have another.
    """
    asked_for = {name: os.environ[name] for name in ENGINE_VARIABLES if os.environ.get(name)}
    if is_a_box(asked_for.get("DOCKER_HOST", "")):
        del asked_for["DOCKER_HOST"]
    if not shutil.which("docker"):
        return Engine(_address(asked_for), asked_for, why="The docker command is not installed.", try_next=INSTALL)
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    environment = asked_for
    try:
        environment = _named(asked_for)
        if is_a_box(_endpoint(environment)[0]):
            why = f"{_address(environment).capitalize()} leads to a box of the course, which can't run one."
            return Engine(_address(environment), environment, why=why, try_next="docker context use default")
        engine = client(environment, ANSWER_TIMEOUT_S)
        version = str(engine.version()["Version"])
        engine.close()
    except (docker.errors.DockerException, OSError, ValueError) as error:
        address = _address(environment)
        return Engine(address, environment, why=_why(address, error), try_next=_remedy(error, asked_for))
    return Engine(_address(environment), environment, answers=True, version=version)


def variables(environment: dict[str, str]) -> dict[str, str | None]:
    """What to set, and what (None) to take out, so that a program reaches this engine, whichever one its parent works on."""
    return {name: environment.get(name) for name in ENGINE_VARIABLES}


def is_local(environment: dict[str, str]) -> bool:
    """Whether the engine is on this computer: it is spoken to through a socket here."""
    return _endpoint(environment)[0].startswith("unix://")


def client(environment: dict[str, str], timeout_s: int = 180) -> docker.DockerClient:
    """A client of the engine that these variables name.

    Raises:
        OSError: its socket is not there, refuses, or may not be used.
        docker.errors.DockerException: there is no such context, or nothing answers.
    """
    import docker  # noqa: PLC0415

    address, tls = _endpoint(environment)
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as look:  # docker's client would leak its socket where nobody listens
            look.connect(address.removeprefix("unix://"))
    if "DOCKER_HOST" in environment:
        return docker.from_env(environment=environment, timeout=timeout_s, use_ssh_client=address.startswith("ssh://"))
    return docker.DockerClient(base_url=address, tls=tls, timeout=timeout_s)


def _named(environment: dict[str, str]) -> dict[str, str]:
    """The same environment with the current context, or the default socket, named where it names no engine."""
    from docker.context.api import get_current_context_name  # noqa: PLC0415

    if "DOCKER_HOST" in environment or "DOCKER_CONTEXT" in environment:
        return environment
    name = get_current_context_name()
    return environment | ({"DOCKER_HOST": _endpoint({})[0]} if name == "default" else {"DOCKER_CONTEXT": name})


def _endpoint(environment: dict[str, str]) -> tuple[str, Any]:
    """The engine's address, and how to encrypt the way to it."""
    if "DOCKER_HOST" in environment:
        return environment["DOCKER_HOST"], False
    import docker  # noqa: PLC0415
    from docker.context import ContextAPI  # noqa: PLC0415

    name = environment.get("DOCKER_CONTEXT")
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:  # noqa: BLE001  (it raises just that where a context's file is damaged)
        raise docker.errors.DockerException(str(error)) from None
    if name and context is None:
        raise docker.errors.ContextNotFound(name)
    if context is None or not context.Host:
        return DEFAULT, False
    return context.Host.replace("http+unix://", "unix://"), context.TLSConfig or False


def _address(environment: dict[str, str]) -> str:
    if "DOCKER_HOST" in environment:
        return environment["DOCKER_HOST"]
    return f"context {environment['DOCKER_CONTEXT']}" if "DOCKER_CONTEXT" in environment else "the current context, or the default socket"


def _why(address: str, error: Exception) -> str:
    text = str(error)
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return f"The Docker engine at {address} is there, but you may not use it: permission denied."
    if isinstance(error, FileNotFoundError):
        return f"No Docker engine is at {address}: its socket does not exist."
    if isinstance(error, ConnectionRefusedError) or "Connection refused" in text:
        return f"No Docker engine answers at {address}: the connection was refused."
    if "timed out" in text.lower():
        return f"The Docker engine at {address} did not answer within {ANSWER_TIMEOUT_S} s."
    return f"The Docker engine at {address} can't be used: {text.splitlines()[0] if text else type(error).__name__}."


def _remedy(error: Exception, environment: dict[str, str]) -> str:
    if isinstance(error, PermissionError):
        return "course up --backend microvm (needs no Docker), or sudo usermod -aG docker $USER and log in again"
    if "DOCKER_HOST" in environment:
        return "unset DOCKER_HOST, or start the engine that it names"
    return "start Docker, or course up --backend microvm"


def _remove(container: Container) -> None:
    """Remove a container, also one with paused containers inside: control groups v1 let nobody kill what is frozen."""
    import docker  # noqa: PLC0415

    with suppress(docker.errors.APIError):  # it does not run
        container.exec_run(["sh", "-c", THAW_SCRIPT])
    container.remove(force=True, v=True)


def remove_owned(environment: dict[str, str], owner: str, machine: str = "") -> None:
    """Remove every container, volume and network that carries this installation's label.

    Args:
        environment: names the engine.
        owner: the label's value.
        machine: only what belongs to this one machine of the installation.

    Raises:
        CourseError: the engine can't be reached, or refuses.
    """
    import docker  # noqa: PLC0415

    labels = [f"{OWNER_LABEL}={owner}", *([f"{MACHINE_LABEL}={machine}"] if machine else [])]
    label = {"filters": {"label": labels}}
    try:
        engine = client(environment, ANSWER_TIMEOUT_S * 6)
        with ThreadPoolExecutor() as pool:
            list(pool.map(_remove, engine.containers.list(all=True, **label)))
        for leftover in [*engine.volumes.list(**label), *engine.networks.list(**label)]:
            leftover.remove()
        engine.close()
    except docker.errors.NotFound:
        return
    except (docker.errors.DockerException, OSError) as error:
        why = _why(_address(environment), error)
        raise CourseError("The box could not be removed from your Docker Engine.", why, DOWN_HINT) from None
