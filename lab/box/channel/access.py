"""The owner's ways into a box, all through its relay's sockets: the Docker API, SSH, web pages, and a control request.

See ``relay.py`` for the process that serves the sockets and ``guest/agent.py`` for the other end.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.box.core import processes
from lab.box.errors import BoxNotRunning, CourseError
from lab.box.machine.base import API_TIMEOUT_S
from lab.box.machine.unix_http import open_connection

if TYPE_CHECKING:
    import docker

ANSWER_TIMEOUT_S, PING_TIMEOUT_S = 15, 5


@dataclass(frozen=True)
class Access:
    """Reaches one machine through its relay's sockets.

    Args:
        directory: where the relay's sockets are; private and short.
    """

    directory: Path

    @property
    def docker_host(self) -> str:
        """The address of the machine's Docker Engine, as the variable ``DOCKER_HOST`` takes it."""
        return f"unix://{self.directory}/docker.sock"

    @cached_property
    def docker(self) -> docker.DockerClient:
        """A client of the box's engine."""
        from lab.box.machine.docker_client import client  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

        return client(self.docker_host, API_TIMEOUT_S)

    def engine_version(self) -> str:
        """The version of the box's engine: asked for, so this also tells whether it works.

        Raises:
            CourseError: it doesn't answer.
        """
        try:
            return str(json.loads(self.ask_engine("/version", ANSWER_TIMEOUT_S))["Version"])
        except (OSError, ValueError, KeyError) as error:
            raise CourseError("The box's Docker Engine does not answer.", f"{error}.", "course reset") from None

    def ping(self) -> None:
        """Return if the engine answers.

        Raises:
            OSError: it does not, or not yet.
        """
        self.ask_engine("/_ping", PING_TIMEOUT_S)

    def ask_engine(self, path: str, timeout_s: float) -> bytes:
        """What the engine answers to one plain request: without docker's client, whose import takes longer than the answer.

        Raises:
            OSError: it doesn't answer, or refuses.
        """
        connection = open_connection(self.docker_host, timeout_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise ConnectionError(f"{answer.status} {answer.reason}")
            return answer.read()
        except HTTPException as error:
            raise ConnectionError(f"it broke off: {error}") from None
        finally:
            connection.close()

    @property
    def ssh(self) -> list[str]:
        """The ``ssh`` command, up to and with the host name.  Append a command to run it; without one it opens a root shell."""
        return ["ssh", "-F", str(self.directory / "ssh_config"), "box"]

    @property
    def host_key(self) -> str:
        """The machine's public key, as ``known_hosts`` has it, without a name."""
        return (self.directory / "known_hosts").read_text().partition(" ")[2].strip()

    def dial(self, target: str) -> socket.socket:
        """Connect to ``unix:PATH``, ``tcp:PORT``, ``sshd``, ``command`` or ``control`` on the machine; the caller closes the socket.

        Raises:
            BoxNotRunning: the relay doesn't answer.
        """
        connection = self._relay()
        connection.sendall(f"dial {target}\n".encode())
        return connection

    def ask(self, request: str) -> str:
        """Send ``listen PATH TARGET``, ``url PORT`` or ``pid`` to the relay; returns its answer of one line (path, web address or id).

        Raises:
            BoxNotRunning: the relay doesn't answer.
        """
        with self._relay() as connection:
            connection.sendall(f"{request}\n".encode())
            return connection.makefile().readline().strip()

    def _relay(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self.directory / "dial.sock"))
        except OSError as error:
            connection.close()
            raise BoxNotRunning("The box can't be reached.", f"Its relay doesn't answer: {error.strerror}.", "course up") from None
        return connection

    def control(self, request: dict[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
        """Send one request to the machine's agent, and return its reply.

        Args:
            request: what ``apply_identity``, ``set_clock`` or ``set_peers`` in ``guest/identity.py`` takes.
            timeout_s: seconds to wait for each part of the reply.

        Returns:
            What that function returns.

        Raises:
            BoxNotRunning: the relay doesn't answer.
            CourseError: the agent reported an error, or did not reply in time.
        """
        with self.dial("control") as connection:
            connection.settimeout(timeout_s)
            connection.sendall(json.dumps(request).encode())
            connection.shutdown(socket.SHUT_WR)
            try:
                answer = json.loads(connection.makefile().read() or '{"error": "no answer"}')
            except (OSError, ValueError) as error:
                answer = {"error": str(error)}
        if "error" in answer:
            raise CourseError("The box did not do what its agent was asked for.", str(answer["error"]), "course reset")
        return dict(answer)


def start_relay(
    directory: Path, transport: dict[str, str | list[str]], log: Path, env: Mapping[str, str | None] | None = None
) -> processes.Process:
    """Start a relay; it opens its sockets when the channel is there, so it may be started together with the box.

    Args:
        directory: where its sockets go.
        transport: see ``relay.serve``.
        log: gets its complaints.
        env: set in its environment, such as DOCKER_HOST; what is None is taken out of it.
    """
    return processes.spawn_module("lab.box.channel.relay", str(directory), json.dumps(transport), log=log, env=env)
