"""A client of all copies that have a label, run on the box by itself: only the standard library is there.  At its end it says what it saw.

It does what a Service does for its clients.  Each request goes to one of the copies, chosen at random, as the rules choose that kube-proxy
writes for iptables.  A copy that accepts no connection, because it has only just begun or is about to end, is passed over for another one.

So a request is lost where a copy breaks off what it has accepted, or where nobody accepts it.  To see the first for sure, there is always
a long request under way at each copy.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import sys
import threading
import time
from collections import Counter, defaultdict
from typing import Any

PORT, ENGINE = 8080, "/run/docker.sock"
CONNECT_S, ANSWER_S, LOOK_S, PACE_S, MOST_S = 3.0, 30.0, 0.3, 0.02, 1000.0
KNOWN_S = 15.0
"""Seconds in which a copy has answered for the first time, or is taken for one that never will."""
LONG_S = 1
"""Seconds that a long request takes; the app, told to end, waits longer for its answers."""
TRIES, TRY_S = 8, 2.0
"""How often, and for how many seconds at least, another copy is tried before a request is lost."""


class Engine(http.client.HTTPConnection):
    """A connection to the box's Docker Engine."""

    def connect(self) -> None:
        """Take its unix socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(ENGINE)


class BrokeOffError(Exception):
    """A copy has accepted a request, and not answered it."""


class Client:
    """Sends requests, and counts.

    Args:
        label: that the copies have.
    """

    def __init__(self, label: str) -> None:
        self.name, _, self.value = label.partition("=")
        self.over, self.group, self.versions = threading.Event(), list[str](), dict[str, str]()
        self.by, self.copies, self.lost = Counter[str](), defaultdict[str, set[str]](set), Counter[str]()
        self.staying: dict[str, threading.Thread] = {}

    def result(self) -> dict[str, Any]:
        """What was counted: answers and copies by version, and what became of requests that were lost, by the version of the copy."""
        return {"by": self.by, "copies": {version: len(them) for version, them in self.copies.items()}, "lost": self.lost}

    def look(self) -> None:
        """See who is in the group: whoever runs, and has the label or shares a network with one that has it."""
        engine = Engine("engine")
        engine.request("GET", "/containers/json")
        listed = [it for it in json.load(engine.getresponse()) if it["State"] == "running"]
        engine.close()
        ids = {key: it["Id"] for it in listed for key in (it["Id"], *(one[1:] for one in it["Names"]))}

        def owner(it: dict[str, Any]) -> str:
            mode, _, whose = it["HostConfig"]["NetworkMode"].partition(":")
            return str(ids.get(whose, "")) if mode == "container" else str(it["Id"])

        ours = {owner(it) for it in listed if (it["Labels"] or {}).get(self.name) == self.value}
        networks = [it["NetworkSettings"]["Networks"].values() for it in listed if it["Id"] in ours]
        self.group = [next(filter(None, (one["IPAddress"] for one in its)), "") for its in networks]

    def follow(self) -> None:
        """See who is in the group, again and again."""
        while not self.over.is_set():
            began = time.monotonic()
            try:
                self.look()
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                self.group = []
            self.over.wait(max(LOOK_S, 2 * (time.monotonic() - began)))

    def ask(self, address: str, path: str) -> str:
        """The version of the copy at an address, which it tells in its answer; empty if it accepts no connection.

        Raises:
            BrokeOffError: it has accepted, and not answered.
        """
        try:
            there = socket.create_connection((address, PORT), CONNECT_S)
        except OSError:
            return ""
        with there:
            there.settimeout(ANSWER_S)
            said = b""
            try:
                there.sendall(f"GET {path} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".encode())
                while part := there.recv(65536):
                    said += part
            except OSError:
                said = b""
        head, _, body = said.decode(errors="replace").partition("\r\n\r\n")
        if " 200 " not in head.partition("\r\n")[0]:
            raise BrokeOffError
        version = dict(line.partition(": ")[::2] for line in body.splitlines()).get("version", "?")
        self.versions[address] = version
        return version

    def request(self) -> None:
        """Send one request through the group."""
        until, tried = time.monotonic() + TRY_S, 0
        while tried < TRIES or time.monotonic() < until:
            tried += 1
            if self.group and (address := random.choice(self.group)):  # noqa: S311
                known = self.versions.get(address, "")
                try:
                    if version := self.ask(address, "/"):
                        self.by[version] += 1
                        self.copies[version].add(address)
                        return
                except BrokeOffError:
                    self.lost[known] += 1
                    return
            time.sleep(PACE_S)
        self.lost["nobody"] += 1

    def stay(self, address: str) -> None:
        """Have a long request under way at one copy, as long as that is in the group."""
        while not self.over.is_set() and address in self.group:
            known = self.versions.get(address, "")
            try:
                if not self.ask(address, f"/slow?s={LONG_S if known else 0}"):
                    self.over.wait(LOOK_S)
            except BrokeOffError:
                self.lost[known] += 1
                self.over.wait(LOOK_S)

    def attend(self) -> None:
        """Begin to stay at each copy where nobody does."""
        for address in filter(None, self.group):
            if address not in self.staying or not self.staying[address].is_alive():
                self.staying[address] = threading.Thread(target=self.stay, args=(address,), daemon=True)
                self.staying[address].start()

    def watch(self, until: str) -> None:
        """Say that it has begun as soon as each copy is known that answers at all, and send requests until a file exists."""
        end, known = time.monotonic() + MOST_S, time.monotonic() + KNOWN_S
        while not self.versions.keys() >= set(filter(None, self.group)) and time.monotonic() < known:
            self.attend()
            time.sleep(PACE_S)
        print("begun", flush=True)  # noqa: T201  (how a program on the box is heard)
        while not os.path.exists(until) and time.monotonic() < end:  # noqa: PTH110  (a lighter import)
            self.attend()
            began = time.monotonic()
            self.request()
            time.sleep(max(PACE_S, time.monotonic() - began))
        self.over.set()
        for thread in self.staying.values():
            thread.join(ANSWER_S)


def main(label: str, requests: str, until: str) -> None:
    """Send so many requests, or, where that is 0, requests until a file exists; then say what was counted."""
    client = Client(label)
    client.look()
    threading.Thread(target=client.follow, daemon=True).start()
    if int(requests):
        for _ in range(int(requests)):
            client.request()
    else:
        client.watch(until)
    client.over.set()
    print(json.dumps(client.result()))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
