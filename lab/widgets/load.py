"""``load(url, 100)``: sends real requests, and tells who answered them.

Each request is a connection of its own, because a load balancer decides when a connection is made.  Each has its own id, which the app
logs. The live pictures that are open show each request and who answered it; nothing is shown there that was not really sent.

Requests come from your computer, or from a container of the box: some addresses lead somewhere only from there.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import requests
from IPython.display import display

from lab.box.errors import CourseError, UsageError
from lab.box.machine import Machine, command
from lab.observe import ask_from, pid
from lab.observe.ask_from import BROKEN
from lab.report import table
from lab.widgets.topology import TopologyView

TIMEOUT_S = 10.0
SHOWN_AFTER_S = 1.0
MOST = 10_000
INSIDE = """
exec nsenter --target {pid} --net unshare --mount sh -e -c '
    names=$(mktemp); cat /proc/{pid}/root/etc/resolv.conf > $names; mount --bind $names /etc/resolv.conf; rm $names
    exec python3 -I -S /dev/fd/9' 9<<'END_OF_PROGRAM'
{program}
END_OF_PROGRAM"""
"""Runs a program of Python in the network of a process, with that process's name server."""
PER_S, AT_ONCE, EVERY = 10, 16, 200
"""Where nobody knows how many there will be: requests in a second, how many at the same time, and twenty times as many as between two
lines that tell how many there have been."""


@dataclass(frozen=True)
class Request:
    """A request that was made.

    Args:
        id: its own; the app has it in its log.
        seconds: from the request to the answer.
        by: the container or machine that answered, as it calls itself; empty where nobody did.
        trouble: why it failed; empty where it did not.
        url: where it was sent.
    """

    id: str
    seconds: float
    by: str = ""
    trouble: str = ""
    url: str = ""


@dataclass(frozen=True)
class Load:
    """The results of all requests."""

    requests: tuple[Request, ...]

    @property
    def answered(self) -> dict[str, int]:
        """How many requests each one has answered, most first, by its name."""
        return dict(Counter(request.by for request in self.requests if not request.trouble).most_common())

    @property
    def failed(self) -> dict[str, int]:
        """How many requests have failed, most first, by the reason."""
        return dict(Counter(request.trouble for request in self.requests if request.trouble).most_common())

    def __repr__(self) -> str:
        total = len(self.requests)
        rows = [(by or "somebody", number, f"{number / total:.0%}") for by, number in self.answered.items()]
        rows += [(f"failed: {why}", number, f"{number / total:.0%}") for why, number in self.failed.items()]
        times = sorted(request.seconds * 1000 for request in self.requests)
        cuts = quantiles(times, n=20) if len(times) > 1 else times * 19
        return f"{table(('who answered', 'requests', 'share'), *rows)}\nhalf of them within {cuts[9]:.0f} ms, 95 % within {cuts[18]:.0f} ms"


def load(
    url: str | Sequence[str],
    n: int = 100,
    *,
    at_once: int = 4,
    by: tuple[Machine, str] | None = None,
    during: Callable[[], object] | None = None,
) -> Load:
    """Send requests, and show them in the live pictures that are open.

    Args:
        url: where to, such as ``box.url(80)``; of several, each request goes to one that is taken by chance.
        n: how many.
        at_once: how many at the same time.
        by: who sends them, a machine and the name of a container on it; your computer where nobody is named.
        during: something to be done meanwhile, such as ``web.wait``: until it is over, your computer sends ``PER_S`` requests in a second,
            however many that are in the end.

    Raises:
        UsageError: that is no number of requests, or no address.
        CourseError: the container does not run.
        Exception: what is done meanwhile fails.
    """
    urls = [url] if isinstance(url, str) else list(url)
    if not (urls and 0 < n <= MOST and 0 < at_once <= n + at_once):
        what = f"{n} requests, {at_once} at a time, can't be sent to {len(urls)} addresses."
        raise UsageError(what, f"It takes 1 to {MOST} requests, and an address.", "load(box.url(80), 100)")
    if during:
        return _meanwhile(urls, during)
    announce = _Announcer(n)
    if by:
        made = _inside(*by, {"urls": urls, "n": n, "at_once": at_once, "timeout_s": TIMEOUT_S}, announce)
    else:
        with ThreadPoolExecutor(at_once) as pool:
            made = tuple(pool.map(lambda _: announce(_ask(random.choice(urls))), range(n)))  # noqa: S311
    announce.end()
    return Load(made)


def _inside(machine: Machine, container: str, asked: dict[str, object], announce: Callable[[Request], Request]) -> tuple[Request, ...]:
    """Send the requests from the network of a container."""
    process = pid(machine, container)
    if not process:
        raise CourseError(f"{container} does not run.", "Requests are sent by what runs.", f"docker start {container}")
    script = INSIDE.format(pid=process, program=Path(ask_from.__file__).read_text())
    made: list[Request] = []
    lines = said = b""

    def show(stream: str, text: bytes) -> None:
        nonlocal lines, said
        if stream == "stdout":
            *whole, lines = (lines + text).split(b"\n")
            made.extend(announce(Request(*json.loads(line))) for line in whole)
        else:
            said += text

    request = command.Request(script, TIMEOUT_S * MOST, stdin=json.dumps(asked).encode())
    if code := machine.stream(request, show):
        raise CourseError(f"{container} could not send requests: exit code {code}.", said.decode(errors="replace")[-500:])
    return tuple(made)


def _meanwhile(urls: Sequence[str], during: Callable[[], object]) -> Load:
    """Send requests, at a steady pace, until something else is over."""
    announce, made = _Announcer(), list[Future[Request]]()
    with ThreadPoolExecutor(AT_ONCE) as pool, ThreadPoolExecutor(1) as beside:
        done = beside.submit(during)
        while not made or wait([done], 1 / PER_S).not_done:
            made.append(pool.submit(lambda: announce(_ask(random.choice(urls)))))  # noqa: S311
    announce.end()
    done.result()
    return Load(tuple(one.result() for one in made))


def _ask(url: str) -> Request:
    name = secrets.token_hex(8)
    began = time.monotonic()
    by = trouble = ""
    try:
        answer = requests.get(url, headers={"X-Request-Id": name, "Connection": "close", "Accept": "text/html, */*"}, timeout=TIMEOUT_S)
        by = dict(line.partition(": ")[::2] for line in answer.text.splitlines()).get("container", "")
        trouble = "" if answer.ok else f"{answer.status_code} {answer.reason}"
        if "X-Refused" in answer.headers:  # by the way into the box, which itself listens
            trouble = BROKEN[ConnectionRefusedError]
    except requests.Timeout:
        trouble = f"no answer within {TIMEOUT_S:g} s"
    except requests.RequestException as error:
        trouble = _broken(error)
    return Request(name, time.monotonic() - began, by, trouble, url)


def _broken(error: BaseException) -> str:
    """Why a request failed that had no answer, in the words of a network."""
    reasons = [error]
    while reasons:
        one = reasons.pop()
        for kind, words in BROKEN.items():
            if isinstance(one, kind):
                return words
        reasons += [it for it in (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args) if isinstance(it, BaseException)]
    return type(error).__name__


class _Announcer:
    """Shows each request in the open pictures and, if it takes long, prints how many there have been."""

    def __init__(self, total: int = 0) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()
        self._line: Callable[..., None] | None = None
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Request:
        with self._lock:
            self._announce(request)
        return request

    def _announce(self, request: Request) -> None:
        self._done += 1
        for view in list(TopologyView.open_views):
            view.pulse(request.by, request.id, failed=bool(request.trouble), url=request.url)
        if time.monotonic() - self._began > SHOWN_AFTER_S and self._done % max(1, (self._total or EVERY) // 20) == 0:
            self._say(f"{self._done}{f' of {self._total}' if self._total else ''} requests …")

    def end(self) -> None:
        if self._line:
            self._say(f"{self._done} requests in {time.monotonic() - self._began:.1f} s")

    def _say(self, text: str) -> None:
        if self._line:
            self._line({"text/plain": text}, raw=True)
        elif shown := display({"text/plain": text}, raw=True, display_id=True):  # type: ignore[no-untyped-call]  # nothing where no IPython is
            self._line = shown.update
