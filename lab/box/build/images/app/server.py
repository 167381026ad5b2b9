"""The course's app: a web server that says where it runs, short enough to read in a lesson.

It is the only process of its container, so it is process 1 there: it must handle SIGTERM itself, or stopping it takes until the engine
loses patience.  It speaks HTTP over plain sockets instead of importing ``http.server``, because that import
takes almost three times as long as the ones below, and an emulated box feels it.

What it answers:    /  who answered   /healthz  alive   /ready  may get requests   /slow?s=1.5  takes its time   /crash  exits with code 1
What it is told by: VERSION GREETING BOX PORT ACCESS_LOG, and READY, which is "never" or the seconds until it is ready
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import sys
import threading
import time

TYPE_CHECKING = False  # the real one costs an import of typing
if TYPE_CHECKING:
    from typing import BinaryIO

GRACE_S, IDLE_S, SLOWEST_S = 2.5, 75.0, 30.0
LONGEST_LINE, MOST_HEADERS, LONGEST_BODY = 8192, 100, 65536
ID_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
DATE = "%a, %d %b %Y %H:%M:%S GMT"
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 501: "Not Implemented", 503: "Service Unavailable"}


class App:
    """Everything that the threads share.  There is one thread per connection."""

    def __init__(self, env: dict[str, str], log_to: list[int]) -> None:
        self.version, self.greeting = env.get("VERSION", "dev"), env.get("GREETING", "Hello.")
        self.box, self.container = env.get("BOX") or env.get("NODE_NAME") or "unnamed", socket.gethostname()
        delay = env.get("READY", "0")
        self.ready_at = time.monotonic() + float("inf" if delay == "never" else delay)
        self.log_to, self.stopping, self.count = log_to, False, 0
        self.change, self.working = threading.Condition(), set[socket.socket]()

    def run(self, listener: socket.socket) -> None:
        """Accept connections until SIGTERM, then let the requests in flight finish."""
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())  # a signal writes a byte here, so it can't slip in just before the select
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self.log(f"app {self.version} listens on port {listener.getsockname()[1]}")
        while True:
            ready, _, _ = select.select([listener, wake], [], [])
            if listener in ready:  # before the signal: whoever is connected already gets an answer
                try:
                    connection, (client, _) = listener.accept()
                    self.mark(connection, working=True)
                    threading.Thread(target=self.converse, args=(connection, client), daemon=True).start()
                except (OSError, RuntimeError) as error:  # out of files or threads: the others are still served
                    self.log(f"a connection is lost: {error}")
            elif wake in ready:
                break
        listener.close()
        self.stopping = True
        with self.change:
            self.change.wait_for(lambda: not self.working, GRACE_S)
        self.log(f"app {self.version} has stopped, {len(self.working)} unfinished")

    def mark(self, connection: socket.socket, *, working: bool) -> None:
        """Note whether somebody waits for an answer on this connection."""
        with self.change:
            (self.working.add if working else self.working.discard)(connection)
            self.change.notify_all()

    def converse(self, connection: socket.socket, client: str) -> None:
        """Answer one request after another, until either side has had enough."""
        try:
            connection.settimeout(IDLE_S)
            with connection, connection.makefile("rb") as stream:
                while (line := stream.readline(LONGEST_LINE)) and self.exchange(connection, client, line, stream):
                    pass
        except OSError:
            pass  # the client went away, or said nothing for too long
        finally:
            self.mark(connection, working=False)

    def exchange(self, connection: socket.socket, client: str, line: bytes, stream: BinaryIO) -> bool:
        """Read the rest of a request and answer it; whether the connection stays open."""
        self.mark(connection, working=True)
        started, method, target, keep = time.monotonic(), "?", "?", False
        try:
            method, target, headers = read_request(line, stream)
            keep = headers.get("connection", "keep-alive").lower() == "keep-alive" and not self.stopping
            request_id = "".join(filter(ID_LETTERS.__contains__, headers.get("x-request-id", "")))[:64] or new_id()
            status, text = self.answer(method, target, request_id)
        except ValueError as error:
            request_id, status, text, keep = new_id(), 400, f"error: {error}\n", False
        self.log(f"{client} {method} {target} {status} {(time.monotonic() - started) * 1000:.1f}ms {request_id}")
        body = text.encode()
        head = (
            f"HTTP/1.1 {status} {REASONS[status]}\r\nServer: app/{self.version}\r\nDate: {time.strftime(DATE, time.gmtime())}\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\nX-Request-Id: {request_id}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        connection.sendall(head.encode() + (b"" if method == "HEAD" else body))
        if status == 200 and target.partition("?")[0] == "/crash":
            os._exit(1)  # at once, whatever the other threads do
        self.mark(connection, working=False)
        return keep

    def answer(self, method: str, target: str, request_id: str) -> tuple[int, str]:
        """Status and text of the answer to a request that could be read."""
        path, _, query = target.partition("?")
        if method not in ("GET", "HEAD"):
            return 501, f"error: this server knows GET and HEAD, not {method}\n"
        if path == "/healthz":
            return 200, "alive\n"
        if path == "/ready":
            ready = time.monotonic() >= self.ready_at and not self.stopping
            return (200, "ready\n") if ready else (503, "not ready\n")
        with self.change:
            self.count += 1
            count = self.count
        if path == "/slow":
            time.sleep(seconds(query))
        elif path not in ("/", "/crash"):
            return 404, f"error: there is no {path} here\n"
        return 200, (
            f"greeting: {self.greeting}\nversion: {self.version}\nbox: {self.box}\n"
            f"container: {self.container}\nrequest: {request_id}\ncount: {count}\n"
        )

    def log(self, line: str) -> None:
        """Write one line, whole, to everything that is logged to."""
        for file in self.log_to:
            os.write(file, f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}\n".encode())


def read_request(line: bytes, stream: BinaryIO) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers (names in lower case) of the request that starts with *line*; its body is skipped.

    Raises:
        ValueError: it is not HTTP, or more than this server reads.
    """
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not "".join(words).isprintable():
        raise ValueError("the first line must look like: GET / HTTP/1.1")
    headers = {} if words[2] == "HTTP/1.1" else {"connection": "close"}
    for _ in range(MOST_HEADERS):
        name, colon, value = stream.readline(LONGEST_LINE).decode("latin-1").rstrip("\r\n").partition(":")
        if not name:
            break
        if not colon:
            raise ValueError("a header must look like: Name: value")
        headers[name.lower()] = value.strip()
    else:
        raise ValueError(f"more than {MOST_HEADERS} headers")
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal() or int(length) > LONGEST_BODY:
        raise ValueError(f"a body must have a length, and at most {LONGEST_BODY} bytes")
    stream.read(int(length))
    return words[0], words[1], headers


def seconds(query: str) -> float:
    """How long ``/slow`` takes, 1 s unless asked otherwise and never more than 30 s."""
    asked = float(query.removeprefix("s=") or 1)
    if not asked >= 0:
        raise ValueError("ask for a number of seconds, like /slow?s=1.5")
    return min(asked, SLOWEST_S)


def new_id() -> str:
    """An id for a request that came without one."""
    return os.urandom(8).hex()


def main(env: dict[str, str]) -> None:
    """Serve until told to stop; what prevents it is said in one sentence, with exit code 1."""
    port, log_to = env.get("PORT", "8080"), [1]
    try:
        if path := env.get("ACCESS_LOG"):
            log_to.append(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))
        app = App(env, log_to)
        listener = socket.create_server(("", int(port)), backlog=128)  # sets SO_REUSEADDR
    except (ValueError, OverflowError):
        sys.exit("app: PORT must be a number up to 65535, READY a number of seconds or never.")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(f"app: Port {port} is in use: something else in this network namespace listens on it. Set PORT to another one.")
        sys.exit(f"app: {error.filename or f'Port {port}'} can't be used: {error.strerror}.")
    app.run(listener)


if __name__ == "__main__":
    main(dict(os.environ))
