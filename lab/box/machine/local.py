"""The machine that this code runs on, when it runs *inside* a box: the same methods as from outside, without any way in between."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from lab.box.guest.command import SOCKET
from lab.box.machine.base import API_TIMEOUT_S, Machine
from lab.box.machine.command import connected

if TYPE_CHECKING:
    import docker


class LocalMachine(Machine):
    """The box, from inside."""

    @property
    def docker(self) -> docker.DockerClient:
        """A client of this machine's engine."""
        from lab.box.machine.docker_client import client  # noqa: PLC0415

        return client(self.docker_host, API_TIMEOUT_S)

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``."""
        return "unix:///run/docker.sock"

    def ask_for_command(self) -> socket.socket:
        """A connection to the agent's ``command`` on this very machine."""
        return connected(SOCKET)

    def url(self, port: int) -> str:
        """A web address that reaches a port of this machine."""
        return f"http://127.0.0.1:{port}"

    def __repr__(self) -> str:
        return f"<box {os.uname().nodename}, from inside>"
