"""A Docker engine's events: reading them as they come, and what each means for a picture.

An engine sends its events over one HTTP answer that never ends, one JSON object a line.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from lab.box.machine.base import API_VERSION
from lab.box.machine.unix_http import open_connection

ANSWER_S = 5.0
"""Seconds that an engine has to answer; one that takes longer counts as one that does not answer."""
NOT_DRAWN = ("exec_", "top", "resize", "attach", "copy", "export", "archive", "commit", "kill", "stop", "prune")
"""How actions begin that change nothing that is drawn.  A kill or a stop is followed by another event, "die"."""
SAME_DETAILS = ("pause", "unpause", "rename", "health_status")
"""How actions begin that change only what the engine's list says, not its long answer about a container."""


@dataclass(frozen=True)
class Change:
    """What an event means for a picture.

    Args:
        container: the id of the container that it is about; empty where it is about none.
        details: whether the engine's long answer about that container may have changed.
        started: whether that container has started.
    """

    container: str
    details: bool
    started: bool


def change(event: Mapping[str, Any]) -> Change | None:
    """What an event means for a picture; nothing where nothing that is drawn has changed.

    Raises:
        AttributeError: it is no event of an engine.
    """
    kind, action, actor = event.get("Type"), str(event.get("Action", "")), event.get("Actor", {})
    if kind not in ("container", "network") or action.startswith(NOT_DRAWN):
        return None
    container = str((actor.get("Attributes", {}).get("container") if kind == "network" else actor.get("ID")) or "")
    return Change(container, bool(container) and not action.startswith(SAME_DETAILS), action == "start")


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
