"""Runs on the machine while a learner's program is judged: notes who is there, who is ready, and which requests fail.

It looks again and again at the containers with one label, and asks each of them whether it is ready.  If it is told to, it also sends
requests all the time, as an entry would that knows who is ready: each goes to one of those; where nobody takes the connection it tries
another one; and where a connection breaks off before the answer, the request has failed.  Every finding is a line of JSON.

It needs nothing but Python's standard library, and asks from inside a container's network, so it does not matter which network that is.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ENGINE, PORT = "/run/docker.sock", 8080
EVERY_S, AT_MOST = 0.2, 0.5
"""Seconds between two looks; and the share of the time that they may take, because an emulated machine has other work, too."""
PROBE_S, ANSWER_S, LOOK_S = 5.0, 20.0, 20.0
"""Seconds for an answer to whether it is ready; to a request; and of the engine."""
SLOW_S, EARLY_S = 1.0, 0.25
"""Seconds that the app takes for a request; and in which a connection may break off without harm: nobody had taken it."""
NO_ANSWER, TOO_LATE = 0, -1
"""In the place of a status."""
READY, NOT_READY, UNKNOWN = "ready", "not ready", "unknown"


class Engine(http.client.HTTPConnection):
    """A connection to the engine of this machine."""

    def connect(self) -> None:
        """Connect to its socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LOOK_S)
        self.sock.connect(ENGINE)


def engine(path: str) -> Any:
    """What the engine answers to a question; an OSError or HTTPException where it does not."""
    connection = Engine("engine")
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        if answer.status >= http.client.INTERNAL_SERVER_ERROR:
            raise http.client.HTTPException(found)
        return found if answer.status == http.client.OK else None
    finally:
        connection.close()


def ask(pid: int, path: str, timeout_s: float) -> tuple[int, float]:
    """Ask the app in the network of a process.

    Returns:
        The status of its answer, and the seconds from when it took the connection, below 0 where nobody took it.
    """
    try:
        with Path(f"/proc/{pid}/ns/net").open("rb") as network:
            os.setns(network.fileno(), os.CLONE_NEWNET)  # type: ignore[attr-defined]  # of this thread alone; Python 3.12 has it
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout_s)
        connection.connect()
    except OSError:
        return NO_ANSWER, -1.0
    taken = time.monotonic()
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        status = TOO_LATE
    except (OSError, http.client.HTTPException):
        status = NO_ANSWER
    finally:
        connection.close()
    return status, time.monotonic() - taken


@dataclass(frozen=True)
class Running:
    """A container that runs.

    Args:
        id: the engine's id of it.
        pid: of its process 1.
        image: the id of its image.
    """

    id: str
    pid: int
    image: str


class Observer:
    """Looks at the containers with a label, and asks them.

    Args:
        label: ``name=value``.
        images: the ids of the images whose containers are asked.
        path: gets the findings.
    """

    def __init__(self, label: str, images: list[str], path: str) -> None:
        self._query = urllib.parse.quote(json.dumps({"label": [label]}))
        self._images, self._path = images, Path(path)
        self._pids: dict[str, int] = {}
        self._was: dict[tuple[str, int], str] = {}
        self._lock, self._looked, self._ended = threading.Lock(), threading.Condition(), False
        self._looks, self._ready = 0, list[int]()

    def end(self, *_: object) -> None:
        """Finish, when what was begun is done."""
        self._ended = True  # and no lock, which whoever is interrupted by the signal might hold

    def note(self, **found: object) -> None:
        """Write down a finding."""
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps({"at": round(time.time(), 3)} | found) + "\n")

    def run(self, clients: int) -> None:
        """Look, and send requests by so many clients, until it is to end."""
        threads = [threading.Thread(target=self.send_requests) for _ in range(clients)]
        with ThreadPoolExecutor(16) as pool:
            self.look(pool)
            for thread in threads:
                thread.start()
            while not self._ended:
                began = time.monotonic()
                self.look(pool)
                time.sleep(max(EVERY_S, (time.monotonic() - began) * (1 / AT_MOST - 1)))
            for thread in threads:
                thread.join()

    def look(self, pool: ThreadPoolExecutor) -> None:
        """Look once at who is there, and ask everybody."""
        at = round(time.time(), 3)
        try:
            listed = engine(f"/containers/json?filters={self._query}") or []
            running = [Running(it["Id"], self.pid(it["Id"]), it["ImageID"]) for it in listed if it["State"] == "running"]
        except (OSError, http.client.HTTPException, ValueError):
            self._pids.clear()
            self.note(at=at, engine=False)
            return
        there = [it for it in running if it.pid]
        answers = list(pool.map(self.readiness, there))
        self._was = {(it.id, it.pid): answer for it, answer in zip(there, answers, strict=True)}
        self.note(at=at, copies=[[it.id[:12], it.pid, it.image, answer == READY] for it, answer in zip(there, answers, strict=True)])
        with self._looked:
            self._ready = [it.pid for it, answer in zip(there, answers, strict=True) if answer == READY]
            self._looks += 1
            self._looked.notify_all()

    def has_looked(self, times: int) -> bool:
        """Whether it has looked so many times."""
        return self._looks >= times

    def pid(self, container: str) -> int:
        """The id of a container's process 1; 0 where it has just ended."""
        pid = self._pids.get(container, 0)
        if not pid or not Path(f"/proc/{pid}").exists():
            found = engine(f"/containers/{container}/json")
            pid = self._pids[container] = int(found["State"]["Pid"]) if found else 0
        return pid

    def readiness(self, it: Running) -> str:
        """Whether a container says that it is ready; who does not answer in time is taken for what it was."""
        if it.image not in self._images:
            return UNKNOWN
        status, _ = ask(it.pid, "/ready", PROBE_S)
        if status == TOO_LATE:
            return self._was.get((it.id, it.pid), UNKNOWN)
        return READY if status == http.client.OK else NOT_READY

    def send_requests(self) -> None:
        """Send one request after another."""
        while not self._ended:
            self.note(request=self.request())

    def request(self) -> str:
        """Send one request; how it ended, in a word."""
        for _ in range(2):  # what is known of who is ready may be older than a copy's end
            with self._looked:
                looks, ready = self._looks, random.sample(self._ready, len(self._ready))
            for pid in ready:
                status, took_s = ask(pid, f"/slow?s={SLOW_S}", ANSWER_S)
                if status == http.client.OK:
                    return "answered"
                if took_s >= EARLY_S:
                    return "too late" if status == TOO_LATE else "broken off"
            with self._looked:
                self._looked.wait_for(partial(self.has_looked, looks + 2), LOOK_S)
            if self._ended:
                return "not sent"
        return "nobody"


def main(label: str, images: list[str], path: str, clients: int) -> None:
    """Observe until SIGTERM."""
    observer = Observer(label, images, path)
    signal.signal(signal.SIGTERM, observer.end)
    observer.run(clients)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
