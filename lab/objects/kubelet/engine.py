"""The Docker Engine of the machine that this runs on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote

from lab.objects.kubelet.orders import ORDERS

SOCKET = "/run/docker.sock"
API_VERSION = "1.45"


class Engine:
    """The machine's Docker Engine, through its socket."""

    def ask(self, method: str, path: str, body: object = None, timeout_s: float | None = 60.0) -> Any:
        """The engine's answer, from JSON.

        Raises:
            OSError: there is none.
        """
        try:
            answer = self.open(method, path, body, timeout_s).read()
        except HTTPException as error:  # it has gone away in the middle
            raise OSError(str(error)) from None
        return json.loads(answer) if answer.strip() else None

    def open(self, method: str, path: str, body: object = None, timeout_s: float | None = 60.0) -> HTTPResponse:
        """The engine's answer, to be read while it comes.

        Raises:
            OSError: the engine does not answer, or refuses.
        """
        return self.connect(method, path, body, timeout_s)[0]

    def connect(self, method: str, path: str, body: object, timeout_s: float | None) -> tuple[HTTPResponse, socket.socket]:
        """The engine's answer, and the socket that it comes from.

        Raises:
            OSError: the engine does not answer, or refuses.
        """
        connection, link = HTTPConnection("engine"), socket.socket(socket.AF_UNIX)
        link.settimeout(timeout_s)
        link.connect(SOCKET)
        connection.sock = link
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/v{API_VERSION}{path}", text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
        except HTTPException as error:
            raise OSError(str(error)) from None
        if answer.status >= 400:
            raise OSError(f"{method} {path}: {answer.status} {answer.read()[:200]!r}")
        return answer, link

    def containers(self) -> list[dict[str, Any]]:
        """All containers with orders, those that have ended among them."""
        return list(self.ask("GET", f"/containers/json?all=1&filters={quote(json.dumps({'label': [ORDERS]}))}"))

    def inspect(self, container: str) -> dict[str, Any]:
        """The long answer about a container."""
        return dict(self.ask("GET", f"/containers/{container}/json"))

    def changes(self) -> Iterator[None]:
        """Something after each change of a container with orders, and once when events are listened for."""
        wanted = {"type": ["container"], "event": ["start", "die", "destroy"], "label": [ORDERS]}
        answer = self.open("GET", f"/events?filters={quote(json.dumps(wanted))}", timeout_s=None)
        yield
        while answer.readline():
            yield
