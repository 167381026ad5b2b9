"""Docker's own client, with one fault of it mended.

``exec_run`` and ``attach`` read a command's output from the bare socket.  What came together with the answer's headers is by then in a
buffer above that socket, and was lost: up to one output in ten through a box's channel, which likes to send small things together.
"""

from __future__ import annotations

import os
from typing import Any

import docker
from docker.utils.socket import consume_socket_output, demux_adaptor, frames_iter

from lab.box.machine.base import API_VERSION


class _Buffered:
    """A buffered stream that looks like a socket to ``docker.utils.socket``, which polls first: it waits when it is read."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._ready = os.open(os.devnull, os.O_RDONLY)

    def fileno(self) -> int:
        return self._ready

    def recv(self, most: int) -> bytes:
        return bytes(self._stream.read1(most))

    def __del__(self) -> None:
        os.close(self._ready)


class Client(docker.APIClient):  # type: ignore[misc]
    """The low-level client."""

    def _read_from_socket(self, response: Any, stream: bool, tty: bool = True, demux: bool = False) -> Any:
        self._raise_for_status(response)
        frames = frames_iter(_Buffered(response.raw._fp.fp), tty)  # noqa: SLF001  (where http.client keeps what it has read ahead)
        output = (demux_adaptor(*frame) for frame in frames) if demux else (data for _, data in frames)
        if stream:
            return output
        try:
            return consume_socket_output(output, demux=demux)
        finally:
            response.close()


def client(address: str, timeout_s: float) -> docker.DockerClient:
    """A client of a box's engine.

    Args:
        address: ``unix://`` and a path.
        timeout_s: for each answer.
    """
    made = docker.DockerClient.__new__(docker.DockerClient)
    made.api = Client(base_url=address, timeout=timeout_s, version=API_VERSION)
    return made
