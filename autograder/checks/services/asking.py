"""How a check asks an entry: so many times, or all the time while something else happens, and by clients that have addresses of their own.

Each request has a connection of its own, because an entry chooses for a connection.  A program on the machine makes them: it stands in the
network of a container where that is wanted, and says of each request when it began, who asked, and who answered.  Where several workers
make them, one that hangs does not hold the others up.  Moments are the machine's own, in seconds since it was started: its clock may jump.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
LONGEST_S = 100
FOUND_S = 10
WORKERS, EVERY_S = 8, 0.8
"""Those who ask all the time, and the seconds from one request of such a worker to its next one."""
FOR_EVER, LOAD_S = 10**6, 280
CALM = 20
"""So many requests in a row that are answered make a calm."""
PROGRAM = r"""
import json, random, re, socket, sys, threading, time
wish, lock, failed = json.loads(sys.argv[1]), threading.Lock(), []

def up():
    with open("/proc/uptime") as file:
        return float(file.read().split()[0])

def turns():
    for _ in range(wish["rounds"]):
        yield from random.sample(wish["clients"], len(wish["clients"]))

def ask(client):
    begun, said = up(), b""
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
    with lock:
        print(json.dumps([begun, client, int(status[1]) if status else 0, page.get("container", "") if right else "", cookie]), flush=True)
        failed.extend([] if right else [client])

def work(first_s):
    time.sleep(first_s)
    while True:
        with lock:
            client = next(order, None)
        if client is None or len(failed) >= wish["gives_up"] or up() > ends:
            return
        then = time.monotonic() + wish["every_s"]
        ask(client)
        time.sleep(max(0.0, then - time.monotonic()))

order, ends = turns(), up() + wish["longest_s"]
threads = [threading.Thread(target=work, args=(wish["every_s"] * number / wish["workers"],)) for number in range(wish["workers"])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
"""Clients take turns in an order that is drawn for each round: in a fixed one, an entry that gives each request to the next backend could
look as if it knew them."""


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    Args:
        at: when it began, in seconds since the machine was started.
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
        limits = {"workers": 1, "every_s": 0, "gives_up": GIVES_UP, "patience_s": PATIENCE_S, "longest_s": LONGEST_S, **limits}
        wish = {"address": self.address, "port": self.port, "greeting": self.greeting, "rounds": rounds, "clients": who, **limits}
        return f"nsenter --target {self.pid} --net python3 -I -S -c {shlex.quote(PROGRAM)} {shlex.quote(json.dumps(wish))}"

    def ask(self, machine: Machine, rounds: int, clients: Sequence[str] = (), **limits: float) -> list[Answer]:
        """Have each client ask once a round, one after the other if nothing else is said; it ends early where too many requests fail."""
        return parse(machine.sh(self.order(rounds, clients, **limits), timeout=LONGEST_S + 20).stdout)

    def burst(self, machine: Machine, count: int) -> list[Answer]:
        """Ask so many times, as fast as the answers come, whatever fails."""
        return self.ask(machine, count, workers=WORKERS, gives_up=FOR_EVER)


def parse(printed: str) -> list[Answer]:
    """The answers that the program has printed, in the order of the requests; a line that is not whole yet is left out."""
    whole = printed[: printed.rfind("\n") + 1]
    return sorted((Answer(*json.loads(line)) for line in whole.splitlines()), key=lambda it: it.at)


def entry_of(machine: Machine, task: Task) -> Entry | None:
    """The entry at a port of the machine, at whichever of the machine's own addresses it answers; None where it never does."""

    def look() -> Entry | None:
        addresses = ["127.0.0.1", *machine.sh("hostname -I").stdout.split()]
        entries = [Entry(address, task.port, task.greeting) for address in addresses if "." in address]
        return next((it for it in entries if any(answer.host for answer in it.ask(machine, 1))), None)

    return look_until("an answer from the entry", bool, look, timeout_s=FOUND_S, every_s=0.5)


@dataclass(frozen=True)
class Load:
    """Requests to an entry that are being made while something else happens.

    Args:
        machine: on which they are made.
        file: into which the answers are written.
    """

    machine: Machine
    file: str

    def answers(self, since: float = 0.0) -> list[Answer]:
        """What became of the requests that began since a moment; those that still wait for an answer are not among them."""
        return [answer for answer in parse(self.machine.sh(f"cat {self.file}", check=True).stdout) if answer.at >= since]

    def failed(self, since: float) -> list[Answer]:
        """Those of the requests since a moment that did not get the right answer."""
        return [answer for answer in self.answers(since) if not answer.host]

    def calm(self, since: float, also: Callable[[Sequence[Answer]], bool] = bool, *, timeout_s: float) -> float | None:
        """The moment of the last of many requests in a row that were all answered rightly; None where that has not come in time.

        Args:
            since: a moment; what was before it does not count.
            also: what must be true of the requests of the calm as well.
            timeout_s: seconds, from now on, until it is given up.
        """

        def look() -> Sequence[Answer]:
            made = self.answers(since)
            bad = [number for number, it in enumerate(made) if not it.host]
            return made[bad[-1] + 1 :] if bad else made

        def enough(calm: Sequence[Answer]) -> bool:
            return len(calm) >= CALM and also(calm)

        calm = look_until("a calm", enough, look, timeout_s=timeout_s, every_s=0.5)
        return calm[-1].at if enough(calm) else None


@contextmanager
def load(machine: Machine, task: Task, entry: Entry) -> Iterator[Load]:
    """Make some requests a second to an entry for as long as the ``with`` block lasts."""
    file = f"/root/{task.key}-load"
    order = entry.order(FOR_EVER, workers=WORKERS, every_s=EVERY_S, gives_up=FOR_EVER, longest_s=LOAD_S)
    process = machine.sh(f"setsid {order} > {file} 2>/dev/null < /dev/null & echo $!", check=True).stdout.strip()
    try:
        yield Load(machine, file)
    finally:
        machine.sh(f"kill {process}; rm -f {file}")


def now(machine: Machine) -> float:
    """The seconds since a machine was started."""
    return float(machine.sh("cut -d' ' -f1 /proc/uptime", check=True).stdout)


def by_host(answers: Sequence[Answer]) -> Counter[str]:
    """How many right answers came from each host."""
    return Counter(answer.host for answer in answers if answer.host)


def by_container(answers: Sequence[Answer], group: Sequence[Replica]) -> dict[str, int]:
    """How many of the answers came from each replica, by its container's name."""
    answered = by_host(answers)
    return {it.container: answered[it.host] for it in group}
