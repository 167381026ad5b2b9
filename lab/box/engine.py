"""The Docker engine that a learner may already have: found as the ``docker`` command finds it, remote ones included."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.box.state import State

if TYPE_CHECKING:
    import docker

OWNER_LABEL = "course.owner"
ANSWER_TIMEOUT_S = 5
VARIABLES = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "DOCKER_CONFIG")


@dataclass(frozen=True)
class Engine:
    """What was found.

    Args:
        environment: the variables that make ``docker`` and its SDK reach it.
        address: for people.
        answers: it does.
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


def find(state: State) -> Engine:
    """The engine that ``DOCKER_HOST``, ``DOCKER_CONTEXT`` or the current context names, and whether it answers.

    An address inside the course's own runtime directory is the box itself, seen from a shell that works on it: that is not one to run a
    box on.
    """
    environment = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    if str(state.runtime) in environment.get("DOCKER_HOST", ""):
        del environment["DOCKER_HOST"]
    address = _address(environment)
    if not shutil.which("docker"):
        return Engine(address, environment, why="The docker command is not installed.", try_next="course doctor")
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    try:
        engine = client(environment, ANSWER_TIMEOUT_S)
        version = str(engine.version()["Version"])
        engine.close()
    except (docker.errors.DockerException, OSError, ValueError) as error:
        return Engine(address, environment, why=_why(address, error), try_next=_remedy(address, error))
    return Engine(address, environment, answers=True, version=version)


def client(environment: dict[str, str], timeout_s: int = 180) -> docker.DockerClient:
    """A client of the engine that these variables name.

    Raises:
        docker.errors.DockerException: there is no such context, or nothing answers.
    """
    import docker  # noqa: PLC0415

    if "DOCKER_HOST" in environment:
        ssh = environment["DOCKER_HOST"].startswith("ssh://")
        return docker.from_env(environment=environment, timeout=timeout_s, use_ssh_client=ssh)
    context = _context(environment)
    if context is None or not context.Host:
        return docker.DockerClient(timeout=timeout_s)
    return docker.DockerClient(base_url=context.Host, tls=context.TLSConfig or False, timeout=timeout_s)


def _context(environment: dict[str, str]) -> Any:
    from docker.context import ContextAPI  # noqa: PLC0415

    name = environment.get("DOCKER_CONTEXT")
    return ContextAPI.get_context(name) if name else ContextAPI.get_current_context()


def _address(environment: dict[str, str]) -> str:
    if "DOCKER_HOST" in environment:
        return environment["DOCKER_HOST"]
    return f"context {environment['DOCKER_CONTEXT']}" if "DOCKER_CONTEXT" in environment else "the default Docker socket"


def _why(address: str, error: Exception) -> str:
    text = str(error)
    if "PermissionError" in text or "Permission denied" in text:
        return f"The Docker engine at {address} is there, but you may not use it: permission denied."
    if "FileNotFoundError" in text or "No such file" in text:
        return f"No Docker engine is at {address}: its socket does not exist."
    if "Connection refused" in text or "ConnectionRefused" in text:
        return f"No Docker engine answers at {address}: the connection was refused."
    if "timed out" in text.lower():
        return f"The Docker engine at {address} did not answer within {ANSWER_TIMEOUT_S} s."
    return f"The Docker engine at {address} can't be used: {text.splitlines()[0] if text else type(error).__name__}."


def _remedy(address: str, error: Exception) -> str:
    if "PermissionError" in str(error) or "Permission denied" in str(error):
        return "course up --backend microvm (needs no Docker), or sudo usermod -aG docker $USER and log in again"
    if "DOCKER_HOST" in os.environ:
        return "unset DOCKER_HOST, or start the engine that it names"
    return "start Docker, or course up --backend microvm"


def remove_ours(environment: dict[str, str], owner: str) -> None:
    """Remove every container, volume and network that carries this installation's label.

    Args:
        environment: names the engine.
        owner: the label's value.
    """
    import docker  # noqa: PLC0415

    label = {"filters": {"label": f"{OWNER_LABEL}={owner}"}}
    try:
        engine = client(environment, ANSWER_TIMEOUT_S * 6)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda found: found.remove(force=True, v=True), engine.containers.list(all=True, **label)))
        for leftover in [*engine.volumes.list(**label), *engine.networks.list(**label)]:
            leftover.remove()
        engine.close()
    except docker.errors.NotFound:
        return
