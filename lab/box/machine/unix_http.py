"""HTTP over a unix socket, for plain requests to an engine: without docker's client, whose import takes longer than the answer."""

from __future__ import annotations

import socket
from http.client import HTTPConnection


def open_connection(address: str, timeout_s: float) -> HTTPConnection:
    """Open an HTTP connection over a unix socket; the caller closes it.

    Args:
        address: the socket, with or without ``unix://``.
        timeout_s: for connecting, and for each answer.

    Raises:
        OSError: nobody is there.
    """
    connection = HTTPConnection("engine", timeout=timeout_s)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(timeout_s)
    try:
        connection.sock.connect(address.removeprefix("unix://"))
    except OSError:
        connection.close()
        raise
    return connection
