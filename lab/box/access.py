"""The owner's ways into a box, all through its relay's sockets: the Docker API, SSH, web pages, and a control request.

See ``relay.py`` for the process that serves the sockets and ``guest/agent.py`` for the other end.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.box import processes
from lab.box.errors import BoxNotRunning, CourseError
from lab.box.machine import API_TIMEOUT_S
from lab.box.over_unix import connected
from lab.box.state import State, lock
from lab.box.wait import wait_for

if TYPE_CHECKING:
    import docker

DIALLER = Path(__file__).with_name("dial.py")
ANSWER_TIMEOUT_S = 15
SSH_TIMEOUT_S = 90
SSH_CONFIG = """\
Host box
    User root
    IdentityFile "{key}"
    IdentitiesOnly yes
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile /dev/null
    HostKeyAlias box
    StrictHostKeyChecking yes
    KexAlgorithms curve25519-sha256
    ProxyCommand {proxy}
    ProxyUseFdpass yes
    ControlMaster auto
    ControlPath {directory}/ssh-master
    ControlPersist no
    LogLevel ERROR
"""


@dataclass(frozen=True)
class Access:
    """The ways in.

    Args:
        directory: where the relay's sockets are; private and short.
    """

    directory: Path

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``."""
        return f"unix://{self.directory}/docker.sock"

    @cached_property
    def docker(self) -> docker.DockerClient:
        """A client of the box's engine."""
        from lab.box.client import client  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

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

    def ask_engine(self, path: str, timeout_s: float) -> bytes:
        """What the engine answers to one plain request: without docker's client, whose import takes longer than the answer.

        Raises:
            OSError: it doesn't answer, or refuses.
        """
        connection = connected(self.docker_host, timeout_s)
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
        """The ``ssh`` command up to the host; what follows is run on the box."""
        return ["ssh", "-F", str(self.directory / "ssh_config"), "box"]

    @property
    def host_key(self) -> str:
        """The machine's public key, as ``known_hosts`` has it, without a name."""
        return (self.directory / "known_hosts").read_text().partition(" ")[2].strip()

    def dial(self, target: str) -> socket.socket:
        """A connection to something in the box.

        Raises:
            BoxNotRunning: the relay doesn't answer.
        """
        connection = self._relay()
        connection.sendall(f"dial {target}\n".encode())
        return connection

    def ask(self, request: str) -> str:
        """One of the relay's own verbs: ``listen PATH TARGET``, ``url PORT``, ``pid``.

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
        """Have the box's agent take on an identity.

        Raises:
            CourseError: the agent refused, or did not answer.
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
            raise CourseError("The box did not take on its identity.", str(answer["error"]), "course reset")
        return dict(answer)

    def start_ssh(self) -> processes.Process:
        """Open the SSH connection that all shells share, in the background, so that the first command doesn't wait for a handshake.

        Raises:
            CourseError: there is no ``ssh`` here.
        """
        program = shutil.which("ssh")
        if not program:
            raise CourseError("No shell can be opened on the box.", "The ssh command is not installed.", "course doctor")
        master = processes.spawn([program, *self.ssh[1:-1], "-N", "box"], self.directory / "ssh.log")
        (self.directory / "ssh.pid").write_text(json.dumps(asdict(master)))
        return master

    def await_ssh(self) -> None:
        """Return when the shared connection is open; open it where it is not.

        Raises:
            WaitTimeout: it can't be opened.
        """
        socket_path = self.directory / "ssh-master"
        if socket_path.exists():
            return
        try:
            master = processes.Process(**json.loads((self.directory / "ssh.pid").read_text()))
        except (OSError, ValueError, TypeError):
            master = self.start_ssh()
        if not master.alive and not socket_path.exists():
            master = self.start_ssh()
        log = self.directory / "ssh.log"
        wait_for(
            "a shell on the box", socket_path.stat, timeout_s=SSH_TIMEOUT_S, log=log, alive=lambda: master.alive or socket_path.exists()
        )


def start_relay(directory: Path, transport: dict[str, str | list[str]], log: Path, env: dict[str, str] | None = None) -> processes.Process:
    """Start a relay; it opens its sockets when the channel is there, so it may be started together with the box.

    Args:
        directory: where its sockets go.
        transport: see ``relay.serve``.
        log: gets its complaints.
        env: set in its environment, such as DOCKER_HOST.
    """
    return processes.spawn_module("lab.box.relay", str(directory), json.dumps(transport), log=log, env=env)


def new_identity(state: State, directory: Path, hostname: str, *, own_kernel: bool) -> dict[str, Any]:
    """Make up who a box is, and write the SSH settings that go with it.

    Args:
        state: has the installation's own key.
        directory: gets ``ssh_config`` and ``known_hosts``.
        hostname: the box's name for itself.
        own_kernel: it has a clock and a random generator of its own to set.

    Returns:
        what ``guest/personal.py`` takes.
    """
    key = _installation_key(state)
    host_key, public = _new_key(directory / "host_key")
    (directory / "known_hosts").write_text(f"box {public}\n")
    proxy = shlex.join([sys.executable, "-I", "-S", str(DIALLER), str(directory / "ssh.sock")]).replace("%", "%%")
    (directory / "ssh_config").write_text(SSH_CONFIG.format(key=str(key).replace("%", "%%"), directory=directory, proxy=proxy))
    who = {
        "hostname": hostname,
        "machine_id": secrets.token_hex(16),
        "host_key": host_key,
        "authorized_key": key.with_suffix(".pub").read_text().strip(),
    }
    return {**who, "time": time.time(), "entropy": secrets.token_hex(64)} if own_kernel else who


def _installation_key(state: State) -> Path:
    key = state.root / "ssh" / "id_ed25519"
    with lock(key.parent, "key"):
        if not key.exists():
            _generate(key)
    return key


def _new_key(path: Path) -> tuple[str, str]:
    """A fresh key pair: the private key's text, and the public key.  Neither stays on disk."""
    for old in (path, path.with_suffix(".pub")):
        old.unlink(missing_ok=True)
    _generate(path)
    private, public = path.read_text(), path.with_suffix(".pub").read_text().strip()
    path.unlink()
    path.with_suffix(".pub").unlink()
    return private, public


def _generate(path: Path) -> None:
    try:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "course", "-f", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CourseError("No SSH key could be made.", str(error), "course doctor") from None
