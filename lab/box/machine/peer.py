"""A machine beside the box, as code *inside* the box reaches it: over the segment, by SSH, with a key that only this box has.

Whoever creates the machines authorizes that key; see ``instances/ssh_authorization.py``.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lab.box.errors import BoxNotRunning
from lab.box.guest.command import SOCKET
from lab.box.machine.base import API_TIMEOUT_S, Machine
from lab.box.machine.command import connected

if TYPE_CHECKING:
    import docker


HOME = Path("/run/course/peers")
CONNECT_S = 60
CONFIG = f"""\
Host *
    User root
    IdentityFile {HOME}/key
    IdentitiesOnly yes
    UserKnownHostsFile {HOME}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    KexAlgorithms curve25519-sha256
    ConnectTimeout {CONNECT_S}
    ControlMaster auto
    ControlPath {HOME}/%n.ctl
    ControlPersist yes
    StreamLocalBindUnlink yes
    LogLevel ERROR
"""


class Peer(Machine):
    """A machine on the segment, reached from inside the box over SSH.

    Args:
        name: as the segment knows it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the machine's engine."""
        from lab.box.machine.docker_client import client  # noqa: PLC0415

        return client(self.docker_host, API_TIMEOUT_S)

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``: a socket on this box that leads there.

        Raises:
            BoxNotRunning: the machine can't be reached.
        """
        return f"unix://{self._forwarded('docker', '/run/docker.sock')}"

    def ask_for_command(self) -> socket.socket:
        """A connection to the agent's ``command`` of the neighbour, through SSH."""
        try:
            return connected(self._forwarded("command", SOCKET))
        except BoxNotRunning:  # the connection that it led through has ended
            (HOME / f"{self.name}.command.sock").unlink(missing_ok=True)
            return connected(self._forwarded("command", SOCKET))

    def _forwarded(self, name: str, target: str) -> str:
        """A socket on this box that leads to one on the machine.

        Raises:
            BoxNotRunning: the machine can't be reached.
        """
        path = HOME / f"{self.name}.{name}.sock"
        ssh = ["ssh", "-F", f"{HOME}/ssh_config"]
        if not path.exists():
            for command in ([*ssh, self.name, "true"], [*ssh, "-O", "forward", "-L", f"{path}:{target}", self.name]):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise BoxNotRunning(f"The machine {self.name} can't be reached.", done.stderr.strip(), f"ping {self.name}, on the box")
        return str(path)

    def url(self, port: int) -> str:
        """A web address that reaches a port of the machine from this box."""
        return f"http://{self.name}:{port}"

    def __repr__(self) -> str:
        return f"<machine {self.name}, from inside the box>"
