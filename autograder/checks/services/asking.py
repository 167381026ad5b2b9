"""How a check asks an entry: so many times, or without a break, and by clients that have addresses of their own.

Each request has a connection of its own, because an entry chooses for a connection.  A program on the machine makes them: it stands in the
network of a container where that is wanted, and says of each request when it began, who asked, and who answered.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from autograder.checks.services.group import Replica
from autograder.framework.task import Task
from autograder.inspect import OF_THE_MACHINE, look_until
from lab.box.machine import Machine

PATIENCE_S = 4
"""Seconds after which a request counts as failed."""
GIVES_UP = 5
"""After so many failed requests no more are made: they take long, and what is wrong is known."""
LONGEST_S, EVERY_S = 100, 0.05
FOUND_S = 10
FOR_EVER, LOAD_S = 10**6, 240
PROGRAM = r"""
import json, random, re, socket, sys, time
wish = json.loads(sys.argv[1])
started, failed = time.time(), 0

def ask(client):
    begun, said = time.time(), b""
    try:
        where, own = (wish["address"], wish["port"]), (client, 0) if client else None
        with socket.create_connection(where, wish["patience_s"], own) as link:
            link.sendall(f"GET / HTTP/1.1\r\nHost: {wish['address']}\r\nConnection: close\r\n\r\n".encode())
            while len(said) < 65536 and (data := link.recv(65536)):
                said += data
    except OSError:
        pass
    head, _, body = said.decode("latin-1").partition("\r\n\r\n")
    status = re.match(r"HTTP/1\.\d (\d+)", head)
    page = dict(re.findall(r"^(\w+): (.*)$", body, re.MULTILINE))
    right = bool(status) and status[1] == "200" and page.get("greeting") == wish["greeting"]
    cookie = "\r\nset-cookie:" in head.lower()
    print(json.dumps([begun, client, int(status[1]) if status else 0, page.get("container", "") if right else "", cookie]), flush=True)
    return right

for _ in range(wish["rounds"]):
    for client in random.sample(wish["clients"], len(wish["clients"])):
        failed += not ask(client)
        if failed >= wish["gives_up"] or time.time() - started > wish["longest_s"]:
            sys.exit()
        time.sleep(wish["every_s"])
"""
"""Clients take turns in an order that is drawn for each round: in a fixed one, an entry that gives each request to the next backend could
look as if it knew them."""


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    Args:
        at: when it began, in seconds by the machine's clock.
        client: the address that it was sent from; empty where that was left to the kernel.
        status: of HTTP; 0 where nothing came.
        host: who answered with the right greeting; empty where nobody did.
        cookie: whether the entry wanted a cookie to be kept.
    """

    at: float
    client: str
    status: int
    host: str
    cookie: bool

    @property
    def words(self) -> str:
        """What came, in words for a verdict: a status, or nothing."""
        return f"status {self.status}" if self.status else "nothing"


@dataclass(frozen=True)
class Entry:
    """Where an entry is asked.

    Args:
        address: of it.
        port: of it.
        greeting: that the right answer has.
        pid: a process, as the machine counts, in whose network the clients are.
        clients: the addresses that they have there.
    """

    address: str
    port: int
    greeting: str
    pid: int = OF_THE_MACHINE
    clients: tuple[str, ...] = ("",)

    def order(self, rounds: int, clients: Sequence[str] = (), **limits: float) -> str:
        """The command that asks, for a shell: each client once a round."""
        who = list(clients or self.clients)
        limits = {"every_s": 0, "gives_up": GIVES_UP, "patience_s": PATIENCE_S, "longest_s": LONGEST_S, **limits}
        wish = {"address": self.address, "port": self.port, "greeting": self.greeting, "rounds": rounds, "clients": who, **limits}
        return f"nsenter --target {self.pid} --net python3 -I -S -c {shlex.quote(PROGRAM)} {shlex.quote(json.dumps(wish))}"

    def ask(self, machine: Machine, rounds: int, clients: Sequence[str] = (), gives_up: int = GIVES_UP) -> list[Answer]:
        """Have each client ask once a round, one after the other; it ends early where that many requests fail."""
        return parse(machine.sh(self.order(rounds, clients, gives_up=gives_up), timeout=LONGEST_S + 20).stdout)


def parse(printed: str) -> list[Answer]:
    """The answers that the program has printed, one a line; a line that is not whole yet is left out."""
    whole = printed[: printed.rfind("\n") + 1]
    return [Answer(*json.loads(line)) for line in whole.splitlines()]


def entry_of(machine: Machine, task: Task) -> Entry | None:
    """The entry at a port of the machine, at whichever of the machine's own addresses it answers; None where it never does."""

    def look() -> Entry | None:
        addresses = ["127.0.0.1", *machine.sh("hostname -I").stdout.split()]
        entries = [Entry(address, task.port, task.greeting) for address in addresses if "." in address]
        return next((it for it in entries if any(answer.host for answer in it.ask(machine, 1))), None)

    return look_until("an answer from the entry", bool, look, timeout_s=FOUND_S, every_s=0.5)


@dataclass(frozen=True)
class Load:
    """Requests to an entry, one after the other without a break, while something else happens.

    Args:
        machine: on which they are made.
        file: into which the answers are written.
    """

    machine: Machine
    file: str

    def answers(self, since: float = 0.0) -> list[Answer]:
        """The answers so far to requests that began since a moment."""
        return [answer for answer in parse(self.machine.sh(f"cat {self.file}").stdout) if answer.at >= since]


@contextmanager
def load(machine: Machine, task: Task, entry: Entry) -> Iterator[Load]:
    """Ask an entry without a break for as long as the ``with`` block lasts."""
    file = f"/root/{task.key}-load"
    order = entry.order(FOR_EVER, every_s=EVERY_S, gives_up=FOR_EVER, longest_s=LOAD_S)
    process = machine.sh(f"setsid {order} > {file} 2>/dev/null < /dev/null & echo $!", check=True).stdout.strip()
    try:
        yield Load(machine, file)
    finally:
        machine.sh(f"kill {process}; rm -f {file}")


def now(machine: Machine) -> float:
    """The machine's clock, in seconds."""
    return float(machine.sh("date +%s.%N", check=True).stdout)


def by_container(answers: Sequence[Answer], group: Sequence[Replica]) -> dict[str, int]:
    """How many of the answers came from each replica, by its container's name."""
    return {it.container: sum(answer.host == it.host for answer in answers) for it in group}
