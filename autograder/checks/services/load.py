"""Requests to one port of a machine that go on while a check acts: what a client would have noticed, over the whole time.

They are made on the machine itself, by a program that a check starts and ends: each in a connection of its own, by several workers, so that
one that hangs does not hold the others up.  Moments are the machine's own, in seconds since it was started, because its clock may jump.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from autograder.framework.task import Task
from autograder.inspect import look_until
from lab.box.machine import Machine

WORKERS, PER_SECOND = 8, 8
LONGEST_S = 280
"""Seconds after which the program ends by itself, should nobody be left to end it."""
CALM = 20
"""So many requests in a row that are answered make a calm."""
PROGRAM = r"""
import re, socket, sys, threading, time

port, workers, every_s, count, lasts_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
numbers, lock = iter(range(1, count + 1)), threading.Lock()


def up():
    with open("/proc/uptime") as file:
        return float(file.read().split()[0])


def ask(number):
    begun, said = up(), b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET /?{number} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            while part := connection.recv(65536):
                said += part
    except OSError:
        pass
    text = said.decode(errors="replace")
    found = [re.search(rf"^{what}(\S+)", text, re.MULTILINE) for what in (r"HTTP/1\.[01] ", "container: ", "greeting: ")]
    with lock:
        print(begun, *(one[1] if one else "-" for one in found), flush=True)


def work(first_s):
    time.sleep(first_s)
    while up() < ends:
        with lock:
            number = next(numbers, 0)
        if not number:
            return
        next_s = time.monotonic() + every_s
        ask(number)
        time.sleep(max(0.0, next_s - time.monotonic()))


ends = up() + lasts_s
threads = [threading.Thread(target=work, args=(every_s * number / workers,)) for number in range(workers)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
START = r"""
setsid python3 -IS "$file.py" $port $workers $every_s 1000000 $lasts_s > "$file.said" 2>/dev/null < /dev/null &
echo $!
"""


@dataclass(frozen=True)
class Request:
    """A request, and its answer.

    Args:
        begun_s: when it was made, in seconds since the machine was started.
        status: of the answer; ``-`` where there was none.
        host: that answered, by the name that the page says.
        greeting: that the page says.
    """

    begun_s: float
    status: str
    host: str
    greeting: str


@dataclass(frozen=True)
class Load:
    """Requests that are being made.

    Args:
        machine: that makes them.
        file: on the machine, where the answers are written down.
        greeting: what the right answer says.
    """

    machine: Machine
    file: str
    greeting: str

    def requests(self, since_s: float = 0.0) -> list[Request]:
        """The requests made since a moment, in the order in which they were made; those that wait for an answer are not among them."""
        return [it for it in read(self.machine.sh(f"cat {self.file}.said", check=True).stdout) if it.begun_s >= since_s]

    def failed(self, since_s: float) -> list[Request]:
        """The requests made since a moment that did not get the right answer."""
        return [it for it in self.requests(since_s) if not self.right(it)]

    def right(self, request: Request) -> bool:
        """Whether a request got the right answer."""
        return request.status == "200" and request.greeting == self.greeting

    def calm(self, since_s: float, also: Callable[[Sequence[Request]], bool] = bool, *, timeout_s: float) -> float | None:
        """The moment of the last of many requests in a row that were all answered rightly; None where that has not come in time.

        Args:
            since_s: a moment; what was before it does not count.
            also: what must be true of the requests of the calm as well.
            timeout_s: seconds, from now on, until it is given up.
        """

        def look() -> Sequence[Request]:
            made = self.requests(since_s)
            bad = [number for number, it in enumerate(made) if not self.right(it)]
            return made[bad[-1] + 1 :] if bad else made

        def enough(calm: Sequence[Request]) -> bool:
            return len(calm) >= CALM and also(calm)

        calm = look_until("a calm", enough, look, timeout_s=timeout_s, every_s=0.5)
        return calm[-1].begun_s if enough(calm) else None


@contextmanager
def load(machine: Machine, task: Task, port: int, greeting: str) -> Iterator[Load]:
    """Make some requests a second to a port of a machine for as long as the ``with`` block lasts."""
    file = f"/tmp/{task.key}-load"  # noqa: S108  (on the machine)
    machine.sh(f"cat > {file}.py", stdin=PROGRAM.encode(), check=True)
    settings = f"file={file} port={port} workers={WORKERS} every_s={WORKERS / PER_SECOND} lasts_s={LONGEST_S}\n"
    pid = int(machine.sh(settings + START, check=True).stdout)
    try:
        yield Load(machine, file, greeting)
    finally:
        machine.sh(f"kill {pid}; rm -f {file}.py {file}.said")


def burst(machine: Machine, task: Task, port: int, count: int) -> list[Request]:
    """Make so many requests, as fast as they are answered."""
    file = f"/tmp/{task.key}-burst.py"  # noqa: S108  (on the machine)
    machine.sh(f"cat > {file}", stdin=PROGRAM.encode(), check=True)
    return read(machine.sh(f"python3 -IS {file} {port} {WORKERS} 0 {count} 100; rm -f {file}", timeout=150).stdout)


def read(printed: str) -> list[Request]:
    """The requests that the program has printed, in the order in which they were made."""
    lines = (line.split() for line in printed.splitlines() if line.count(" ") == 3)
    made = (Request(float(begun), status, host, greeting) for begun, status, host, greeting in lines)
    return sorted(made, key=lambda it: it.begun_s)


def by_host(made: Sequence[Request], greeting: str) -> Counter[str]:
    """How many right answers came from each host."""
    return Counter(it.host for it in made if it.status == "200" and it.greeting == greeting)


def uptime_s(machine: Machine) -> float:
    """The seconds since a machine was started."""
    return float(machine.sh("cut -d' ' -f1 /proc/uptime", check=True).stdout)
