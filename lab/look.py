"""How a lesson looks at a box, and puts what it saw beside what a learner expected.

Everything here comes down to reading files under ``/proc`` and ``/sys/fs/cgroup`` on the box, which is where the kernel says what a
container is.  Predictions are ordinary variables; one that was left as ``...`` is reported as not made, so a notebook runs unattended.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from lab.box.build import images
from lab.box.errors import CourseError
from lab.box.wait import wait_for

if TYPE_CHECKING:
    from lab.box.machine import Machine

APP = Path(images.__file__).parent / "app/server.py"
"""The source of the app, for machines that have no image of it."""
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
WALLS = ("net", "ipc", "uts", "pid", "mnt")
"""The kinds of namespaces that make a pod, and that are drawn, in this order; the names are those under ``/proc/PID/ns``."""
LOOK_S = 15.0
BAR = 40
CPU_TIME = """
look() { echo $(date +%s%N) $(sed 's/.*) //' /proc/$pid/stat | cut -d' ' -f12,13); }
look; sleep $for_s; look; getconf CLK_TCK
"""
USED = r"""
for id in $(docker ps -q --no-trunc); do
  find /sys/fs/cgroup \( -path "*$id/memory.current" -o -path "*$id/memory.usage_in_bytes" \) -exec cat {} +
done | awk '{ sum += $1 } END { print sum + 0 }'
"""
CLEAN = """
docker ps -aqf "name=^$prefix" | xargs -r docker rm -fv
docker images --format '{{.Repository}}:{{.Tag}}' --filter "reference=$prefix*" | xargs -r docker rmi -f
docker image prune -f
docker network ls -qf "name=^$prefix" | xargs -r docker network rm
docker volume ls -qf "name=^$prefix" | xargs -r docker volume rm
rm -rf "/root/$prefix"*
if [ -d /var/lib/containers/storage ]; then
    podman pod ls --format '{{.Name}}' | grep "^$prefix" | xargs -r podman pod rm --force --time 0
fi
"""


@dataclass(frozen=True)
class Walls:
    """The namespaces of two processes, as the kernel numbers them."""

    box: Mapping[str, str]
    container: Mapping[str, str]

    @property
    def private(self) -> set[str]:
        """The kinds of which the container has one of its own."""
        return {kind for kind in self.box if self.box[kind] != self.container[kind]}

    def __repr__(self) -> str:
        rows = [(kind, self.box[kind], self.container[kind], "wall" if kind in self.private else "shared") for kind in self.box]
        return table(("kind", "the box", "the container", ""), *rows)


@dataclass(frozen=True)
class Between:
    """The namespaces of some processes, as the kernel numbers them, by the names of the processes."""

    numbers: Mapping[str, Mapping[str, str]]

    @property
    def down(self) -> set[str]:
        """The kinds of which all of them have the same one."""
        return {kind for kind in WALLS if len(self._different(kind)) == 1}

    @property
    def up(self) -> set[str]:
        """The kinds of which each has one of its own."""
        return {kind for kind in WALLS if len(self._different(kind)) == len(self.numbers)}

    def _different(self, kind: str) -> set[str]:
        return {own[kind] for own in self.numbers.values()}

    def __repr__(self) -> str:
        words = {kind: "gone" if kind in self.down else "wall" if kind in self.up else "gone between some" for kind in WALLS}
        rows = [(kind, *(own[kind] for own in self.numbers.values()), words[kind]) for kind in WALLS]
        return table(("kind", *self.numbers, ""), *rows)


def pid(box: Machine, container: str) -> int:
    """The process id, as the box counts, of a container's process 1.

    Raises:
        docker.errors.NotFound: there is no such container.
    """
    return int(box.docker.api.inspect_container(container)["State"]["Pid"])


def processes(box: Machine) -> dict[int, str]:
    """Name by process id of everything that runs on the box, without the kernel's own threads, the dead, and the look itself."""
    own, *lines = box.sh("ps -o sid= -p $$; ps -ww -eo pid=,sid=,vsz=,args=", check=True).stdout.splitlines()
    found = [line.split(maxsplit=3) for line in lines]
    return {int(number): args.split()[0].rpartition("/")[2] for number, sid, size, args in found if sid != own.strip() and size != "0"}


def walls(box: Machine, container: str) -> Walls:
    """The namespaces of the box's process 1, and of a container's."""
    process = pid(box, container)
    numbers = namespaces(box, process)
    return Walls(numbers[1], _those_of(container, process, numbers))


def between(box: Machine, processes: Mapping[str, int]) -> Between:
    """The walls between some processes.

    Args:
        box: that they run on.
        processes: their ids, as the box counts, by any names.

    Raises:
        CourseError: one of them has ended.
    """
    numbers = namespaces(box, *processes.values())
    those = {name: _those_of(name, process, numbers) for name, process in processes.items()}
    return Between({name: {kind: own[kind] for kind in WALLS} for name, own in those.items()})


def _those_of(name: str, process: int, numbers: Mapping[int, Mapping[str, str]]) -> Mapping[str, str]:
    if process not in numbers:
        raise CourseError(f"{name} does not run.", "The kernel numbers the namespaces of what runs, and only of that.", "start it again")
    return numbers[process]


def namespaces(box: Machine, *processes: int) -> dict[int, dict[str, str]]:
    """The kernel's numbers for the namespaces of some processes, and of the box's process 1.

    Returns:
        The number by the kind, by the process; without those that are gone, and without kinds that the box's kernel does not have.

    Raises:
        ConnectionError: no shell on the box.
    """
    wanted = " ".join(f"{process}/ns" for process in sorted({1, *processes}))
    seen = box.sh(rf"cd /proc && find {wanted} -type l -printf '%h %f %l\n' 2>/dev/null", timeout=LOOK_S)
    links = re.findall(r"^(\d+)/ns (\w+) \w+:\[(\d+)\]$", seen.stdout, re.MULTILINE)
    found: dict[int, dict[str, str]] = {}
    for process, kind, number in sorted(links, key=lambda link: link[1]):
        if kind in NAMESPACES:
            found.setdefault(int(process), {})[kind] = number
    if 1 not in found:
        raise ConnectionError(f"no shell on the machine: {seen.stderr.strip() or f'exit code {seen.code}'}")
    return found


def localhost(box: Machine, container: str, path: str = "/", *, port: int = 8080, patience_s: float = 30.0) -> str:
    """What a web server answers on localhost, for somebody behind a container's wall of the network; empty where nobody does in time."""
    ask = f"nsenter --target {pid(box, container)} --net curl -s --max-time 10 {shlex.quote(f'http://127.0.0.1:{port}{path}')}"
    until = f"end=$(( $(date +%s) + {patience_s:.0f} )); until {ask}; do [ $(date +%s) -lt $end ] || exit; sleep 0.2; done"
    return box.sh(until, timeout=patience_s + 60).stdout


def cpu_share(box: Machine, container: str, for_s: float = 2.0) -> float:
    """How much of one processor a container's process 1 gets, from 0 to 1, watched for some seconds."""
    seen = box.sh(f"pid={pid(box, container)} for_s={for_s:g}\n{CPU_TIME}", check=True).stdout.split()
    before, user_before, kernel_before, after, user_after, kernel_after, ticks_per_s = map(int, seen)
    used_s = (user_after + kernel_after - user_before - kernel_before) / ticks_per_s
    return used_s / ((after - before) / 1e9)


def used_mb(box: Machine) -> float:
    """Megabytes that all containers of a machine use together, as the kernel counts them for their control groups."""
    return float(box.sh(USED, check=True).stdout) / 1e6


def took(box: Machine, command: str) -> float:
    """The seconds that a command on the box takes, the way there and back included.

    Raises:
        CourseError: it failed.
    """
    began = time.monotonic()
    box.sh(command, check=True)
    return time.monotonic() - began


def page(box: Machine, port: int, path: str = "/", timeout_s: float = 60.0) -> str:
    """What a web server on a port of the box answers, once it does: a container is there before its program listens.

    Raises:
        WaitTimeout: nothing answered.
    """
    address, what = box.url(port) + path, f"an answer from port {port} of the box"
    return str(wait_for(what, lambda: requests.get(address, timeout=timeout_s).text, timeout_s=timeout_s, every_s=0.2))


def affordable(names: Sequence[str], least: int, otherwise: str) -> list[str]:
    """The names for which machines may be had now: all of them, or the first *least*; then it is printed why, and what comes of it."""
    from lab.box import machines  # noqa: PLC0415  (whose import an emulated kernel inside a box would wait for)

    try:
        machines.require_room(len(names))
    except CourseError as refused:
        print(f"{refused.what} {refused.why}\n{otherwise}")  # noqa: T201
        return list(names[:least])
    return list(names)


def clean(box: Machine, prefix: str) -> None:
    """Remove containers, images, networks, volumes, files in /root and Podman's pods whose names start so, and images without a name."""
    box.sh(f"prefix={shlex.quote(prefix)}\n{CLEAN}")


def table(*rows: Sequence[object]) -> str:
    """Rows of text in columns; the first is the heading."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def bars(measured: Mapping[str, float], unit: str = "s") -> None:
    """Print numbers as bars, the largest as wide as the line; what was counted is whole."""
    longest, most = max(map(len, measured)), max(*measured.values(), 1e-9)
    for name, value in measured.items():
        number = f"{value}" if isinstance(value, int) else f"{value:.2f}"
        print(f"{name:<{longest}}  {'█' * max(1, round(BAR * value / most))} {number} {unit}".rstrip())  # noqa: T201


def verdict(predicted: object, measured: object) -> str:
    """What was predicted beside what was measured, in words; text and numbers that say the same are the same."""
    if predicted is ... or predicted is None:
        return f"You made no prediction. Measured: {_words(measured)}."
    if isinstance(measured, set | frozenset):
        named: set[object] = set(re.findall(r"[\w-]+", predicted) if isinstance(predicted, str) else predicted)  # type: ignore[call-overload]
        predicted, same = named, set(map(str, named)) == set(map(str, measured))
    else:
        same = predicted == measured or str(predicted) == str(measured)
    end = "As you said." if same else "Not what you said: that is where to look closer."
    return f"You said: {_words(predicted)}. Measured: {_words(measured)}.\n{end}"


def mark(answers: Sequence[object], facts: Sequence[object]) -> None:
    """Print which answers are right; an open one's fact is kept back."""
    for number, (answer, fact) in enumerate(zip(answers, facts, strict=True), 1):
        verdict = "open" if answer is ... else "right" if answer == fact else f"no, the box says {_words(fact)}"
        print(f"{number}. {verdict}")  # noqa: T201


def _words(value: object) -> str:
    if isinstance(value, set | frozenset):
        return ", ".join(sorted(map(str, value))) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
