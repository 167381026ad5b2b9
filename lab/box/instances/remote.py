"""A machine that is reached from its owner's computer, through its relay."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from lab.box.channel.access import Access
from lab.box.errors import CourseError
from lab.box.instances.address import Address
from lab.box.machine import Machine

if TYPE_CHECKING:
    import docker


class RemoteMachine(Machine):
    """What the learner's box, and the machines beside it, have in common.

    Args:
        access: reaches it.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the machine's engine, over a private socket."""
        return self._access.docker

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``: a unix socket in a directory that only you can enter."""
        return self._access.docker_host

    @property
    def ssh(self) -> list[str]:
        """The ``ssh`` command that opens a root shell on the machine."""
        return self._access.ssh

    def ask_for_command(self) -> socket.socket:
        """A connection to the agent's ``command``, through the relay."""
        return self._access.dial("command")

    def url(self, port: int) -> Address:
        """A web address on your computer that reaches a port of the machine; in a notebook it is a link.

        The address holds a password, because any user of the computer can connect to a port; browsers, curl and requests all understand it.

        Args:
            port: 1 to 65535; a published port of a container, say.

        Raises:
            CourseError: there is no such port.
        """
        if not 0 < port < 1 << 16:
            raise CourseError(f"There is no port {port}.", "A TCP port is a number from 1 to 65535.", "box.url(8080)")
        return Address(self._access.ask(f"url {port}"), f"{self._access.directory.name}/{port}/")
