"""``load(url, 100)``: sends real requests, and tells who answered them.

Each request is a connection of its own, because a load balancer decides when a connection is made.  Each has its own id, which the app
logs. The live pictures that are open show each request and who answered it; nothing is shown there that was not really sent.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from http.client import RemoteDisconnected
from statistics import quantiles

import requests
from IPython.display import display

from lab.box.errors import UsageError
from lab.report import table
from lab.widgets.topology import TopologyView

TIMEOUT_S = 10.0
SHOWN_AFTER_S = 1.0
MOST = 10_000
PER_S, AT_ONCE, EVERY = 20, 16, 200
"""Where nobody knows how many there will be: requests in a second, how many at the same time, and twenty times as many as between two
lines that tell how many there have been."""
BROKEN = {
    RemoteDisconnected: "closed without an answer",
    ConnectionRefusedError: "refused: nobody listens there",
    ConnectionResetError: "reset: it was broken off",
    socket.gaierror: "there is no such name",
}


@dataclass(frozen=True)
class Request:
    """A request that was made.

    Args:
        id: its own; the app has it in its log.
        seconds: from the request to the answer.
        by: the container or machine that answered, as it calls itself; empty where nobody did.
        trouble: why it failed; empty where it did not.
    """

    id: str
    seconds: float
    by: str = ""
    trouble: str = ""


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


def load(url: str, n: int = 100, *, at_once: int = 4, during: Callable[[], object] | None = None) -> Load:
    """Send requests, and show them in the live pictures that are open.

    Args:
        url: where to, such as ``box.url(80)``.
        n: how many.
        at_once: how many at the same time.
        during: something to be done meanwhile, such as ``web.wait``: until it is over, ``PER_S`` requests in a second are sent, however
            many that are in the end.

    Raises:
        UsageError: that is no number of requests.
        Exception: what is done meanwhile fails.
    """
    if during:
        return _meanwhile(url, during)
    if not (0 < n <= MOST and 0 < at_once <= n + at_once):
        raise UsageError(f"{n} requests, {at_once} at a time, can't be sent.", f"It takes 1 to {MOST}.", "load(box.url(80), 100)")
    announce = _Announcer(n)
    with ThreadPoolExecutor(at_once) as pool:
        made = tuple(pool.map(lambda _: announce(_ask(url)), range(n)))
    announce.end()
    return Load(made)


def _meanwhile(url: str, during: Callable[[], object]) -> Load:
    """Send requests, at a steady pace, until something else is over."""
    announce, made = _Announcer(), list[Future[Request]]()
    with ThreadPoolExecutor(AT_ONCE) as pool, ThreadPoolExecutor(1) as beside:
        done = beside.submit(during)
        while not made or wait([done], 1 / PER_S).not_done:
            made.append(pool.submit(lambda: announce(_ask(url))))
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
    return Request(name, time.monotonic() - began, by, trouble)


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

    def __call__(self, request: Request) -> Request:
        self._done += 1
        for view in list(TopologyView.open_views):
            view.pulse(request.by, request.id, failed=bool(request.trouble))
        if time.monotonic() - self._began > SHOWN_AFTER_S and self._done % max(1, (self._total or EVERY) // 20) == 0:
            self._say(f"{self._done}{f' of {self._total}' if self._total else ''} requests …")
        return request

    def end(self) -> None:
        if self._line:
            self._say(f"{self._done} requests in {time.monotonic() - self._began:.1f} s")

    def _say(self, text: str) -> None:
        if self._line:
            self._line({"text/plain": text}, raw=True)
        else:
            self._line = display({"text/plain": text}, raw=True, display_id=True).update  # type: ignore[no-untyped-call]
