"""A Docker engine's events, read as they come.

An engine sends its events over one HTTP answer that never ends, one JSON object a line.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from lab.box.machine.base import API_VERSION
from lab.box.machine.unix_http import open_connection

ANSWER_S = 5.0
"""Seconds that an engine has to answer; one that takes longer counts as one that does not answer."""


class EventStream:
    """The connection over which an engine's events are read.

    Args:
        address: of the engine: ``unix://`` and a path.
        closed: set when no more events are wanted, before ``cut`` is called for the last time.
    """

    def __init__(self, address: str, closed: threading.Event) -> None:
        self._address, self._closed = address, closed
        self._socket: socket.socket | None = None

    def read(self, opened: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """The events, each when it comes, until the stream ends or is cut.

        Args:
            opened: called when the engine has answered, before the first event is read.

        Raises:
            OSError, http.client.HTTPException: the engine can't be reached, or went away.
            ValueError: the stream was cut in the middle of an event.
        """
        connection = open_connection(self._address, ANSWER_S)
        sock = self._socket = connection.sock
        try:
            if self._closed.is_set():  # the last cut came before there was anything to cut
                return
            connection.request("GET", f"/v{API_VERSION}/events")
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise ConnectionError(f"{answer.status} {answer.reason}")
            sock.settimeout(None)
            opened()
            while line := answer.readline():
                yield json.loads(line)
        finally:
            self._socket = None
            connection.close()

    def cut(self) -> None:
        """End the stream from another thread, wherever its reader is."""
        if stream := self._socket:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
