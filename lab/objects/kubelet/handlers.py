"""One question to a container, or one thing to do in it: a command, a web page, a connection, or a sleep."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from lab.objects.kubelet.engine import Engine

REDIRECTS = 10
MOST_SAID = 65536
"""Bytes of what a command prints that are kept."""
FRAME = struct.Struct(">B3xL")


class Target(Protocol):
    """What is asked: one run of a container."""

    engine: Engine
    id: str
    address: str
    ended: threading.Event


def ask(target: Target, handler: dict[str, Any], timeout_s: float) -> tuple[bool, str]:
    """Do to a container what a handler says.

    Returns:
        Whether it went well, and what is to say about it.
    """
    try:
        return HANDLERS[handler["kind"]](target, handler, timeout_s)
    except TimeoutError:
        return False, f"no answer within {timeout_s:g} s"
    except (OSError, HTTPException) as error:
        return False, str(getattr(error, "strerror", "") or error)


def _exec(target: Target, handler: dict[str, Any], timeout_s: float) -> tuple[bool, str]:
    until = time.monotonic() + timeout_s
    options = {"Cmd": handler["command"], "AttachStdout": True, "AttachStderr": True}
    it = target.engine.ask("POST", f"/containers/{target.id}/exec", options)["Id"]
    said = b""
    try:
        answer, link = target.engine.connect("POST", f"/exec/{it}/start", {"Detach": False}, timeout_s)
        while True:
            link.settimeout(max(0.001, until - time.monotonic()))
            if not (piece := answer.read1(MOST_SAID)):
                break
            said = (said + piece)[:MOST_SAID]
        while (state := target.engine.ask("GET", f"/exec/{it}/json"))["Running"]:
            time.sleep(0.01)
    except TimeoutError:
        if process := target.engine.ask("GET", f"/exec/{it}/json")["Pid"]:  # 0 where it has ended, which would be the kubelet's own group
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        raise
    words = " ".join(without_frames(said).decode(errors="replace").split())[-200:]
    return state["ExitCode"] == 0, f"exit code {state['ExitCode']}" + (f", {words}" if words else "")


def without_frames(said: bytes) -> bytes:
    """What a container printed, without the eight bytes that the engine puts before each piece."""
    words = b""
    while len(said) > FRAME.size and said[0] in (1, 2):
        _, length = FRAME.unpack(said[: FRAME.size])
        words, said = words + said[FRAME.size : FRAME.size + length], said[FRAME.size + length :]
    return words + said


def _http_get(target: Target, handler: dict[str, Any], timeout_s: float) -> tuple[bool, str]:
    until = time.monotonic() + timeout_s
    host = handler["host"] or target.address
    address = f"{handler['scheme'].lower()}://{host}:{handler['port']}{handler['path']}"
    headers = {"User-Agent": "kube-probe/course", "Accept": "*/*", **dict(handler["headers"])}
    for _ in range(REDIRECTS):
        parts = urlsplit(address)
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if parts.scheme == "https":
            unverified = ssl._create_unverified_context()  # noqa: S323, SLF001  (a kubelet does not look at the certificate either)
            connection: HTTPConnection = HTTPSConnection(str(parts.hostname), parts.port, timeout=left, context=unverified)
        else:
            connection = HTTPConnection(str(parts.hostname), parts.port, timeout=left)
        try:
            connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=headers)
            answer = connection.getresponse()
        finally:
            connection.close()
        where = answer.getheader("Location")
        if not 300 <= answer.status < 400 or not where or urlsplit(urljoin(address, where)).hostname != parts.hostname:
            return 200 <= answer.status < 400, f"HTTP {answer.status}"
        address = urljoin(address, where)
    return False, f"more than {REDIRECTS} redirects"


def _tcp_socket(target: Target, handler: dict[str, Any], timeout_s: float) -> tuple[bool, str]:
    socket.create_connection((handler["host"] or target.address, handler["port"]), timeout_s).close()
    return True, "connected"


def _sleep(target: Target, handler: dict[str, Any], timeout_s: float) -> tuple[bool, str]:
    target.ended.wait(min(timeout_s, handler["seconds"]))
    return True, "slept"


HANDLERS = {"exec": _exec, "httpGet": _http_get, "tcpSocket": _tcp_socket, "sleep": _sleep}
