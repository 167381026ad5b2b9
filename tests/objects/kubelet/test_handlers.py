"""One question to a container is answered as a kubelet takes the answer."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from lab.objects.kubelet.handlers import ask, without_frames

ELSEWHERE = "http://elsewhere.invalid/"


class Pages(BaseHTTPRequestHandler):
    """Answers with the status in the path, and goes where the path says."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            threading.Event().wait(1)
        where = {"/301": "/200", "/302": ELSEWHERE, "/303": "/500", "/307": "/307"}.get(self.path)
        self.send_response(int(self.path.strip("/")) if self.path != "/who" else 200 if self.headers["X-Who"] == "me" else 403)
        if where:
            self.send_header("Location", where)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def target(**engine: Any) -> Any:
    return SimpleNamespace(engine=SimpleNamespace(**engine), id="it", address="127.0.0.1", ended=threading.Event())


def page(path: str, port: int, timeout_s: float = 3.0, **more: Any) -> tuple[bool, str]:
    handler = {"kind": "httpGet", "host": "", "port": port, "path": path, "scheme": "HTTP", "headers": [], **more}
    return ask(target(), handler, timeout_s)


@pytest.mark.parametrize(
    ("path", "good", "said"),
    [
        ("/200", True, "HTTP 200"),
        ("/204", True, "HTTP 204"),
        ("/404", False, "HTTP 404"),
        ("/500", False, "HTTP 500"),
        ("/301", True, "HTTP 200"),
        ("/302", True, "HTTP 302"),
        ("/303", False, "HTTP 500"),
        ("/307", False, "more than 10 redirects"),
    ],
)
def test_a_page_is_good_from_200_to_399_and_followed_on_its_own_host(port: int, path: str, good: bool, said: str) -> None:
    assert page(path, port) == (good, said)


def test_headers_are_sent_and_time_is_kept(port: int) -> None:
    assert page("/who", port) == (False, "HTTP 403")
    assert page("/who", port, headers=[["X-Who", "me"]]) == (True, "HTTP 200")
    assert page("/slow", port, timeout_s=0.2) == (False, "no answer within 0.2 s")


def test_a_connection_is_enough_for_a_port(port: int) -> None:
    assert ask(target(), {"kind": "tcpSocket", "host": "", "port": port}, 1.0) == (True, "connected")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    assert ask(target(), {"kind": "tcpSocket", "host": "", "port": free}, 1.0) == (False, "Connection refused")


@pytest.mark.parametrize("process", [0, 4711])
def test_a_command_that_takes_too_long_is_killed_and_nobody_else(monkeypatch: pytest.MonkeyPatch, process: int) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))

    def connect(*_: Any) -> Any:
        raise TimeoutError

    slow = target(ask=lambda method, *_: {"Id": "e"} if method == "POST" else {"Pid": process}, connect=connect)
    assert ask(slow, {"kind": "exec", "command": ["sleep", "9"]}, 0.1) == (False, "no answer within 0.1 s")
    assert killed == ([process] if process else [])


def test_what_a_command_prints_comes_in_frames() -> None:
    def frame(words: bytes, stream: int = 1) -> bytes:
        return struct.pack(">B3xL", stream, len(words)) + words

    assert without_frames(frame(b"one ") + frame(b"two", 2)) == b"one two"
    assert without_frames(b"from a terminal") == b"from a terminal"
    assert without_frames(b"") == b""
