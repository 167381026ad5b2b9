"""What a machine costs and what a container costs that run the same app: the learner measures, and so does the check.

Figures differ between computers and from moment to moment.  So a learner's figure is compared with what the check measures of the same
machine and container, within wide bounds: a busy computer stays within them, another unit or another thing does not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autograder.checks.vms.ports import look_at, prepare
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, number, page, said, state
from lab.box.machine import Machine
from lab.observe.process import processes

AROUND, TIMES = 2.0, 20.0
"""How many times more or less than what the check measures a figure may be: one of memory, and one of seconds."""
EARLY = 0.95
TOO_FEW, TOO_MANY = 4, 8
"""Processes by which a count may be wrong: programs start and end, and the look itself comes over several, from sshd to ps."""
MB = 1e6
ANSWERS = ("vm_s", "vm_mb", "vm_processes", "container_s", "container_mb", "container_processes")
SECONDS = ("The clock starts when it is asked for, and stops when the app answers.", "ready_s, and what the app took after that.")
OF_HOST = ("What it costs its host is seen from the host.", "memory_mb, of the machine.")
OF_GROUP = ("The kernel counts for each control group; the engine asks it.", "docker stats --no-stream")
COUNT = ("ps lists them: every line but its head and itself.", "ps --ppid 2 -p 2 --deselect -o pid,args leaves out the kernel's own.")
TOP = ("The engine lists a container's processes.", "docker top NAME, without the head of its table.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A port for the app on the machine, a name for the container, and what both are to say."""
    return {"port": dice.ports(1)[0], "container": f"{key}-web", "greeting": f"hello-{dice.nonce()}"}


@dataclass(frozen=True)
class Told:
    """What a learner reports of the machine, or of the container.

    Args:
        task: whose answers they are.
        prefix: which of the two: ``vm`` or ``container``.
        runs: the app runs there, so that there was something to measure.
    """

    task: Task
    prefix: str
    runs: bool

    def __call__(self, name: str) -> float | None:
        """A figure as a number; None where none was reported."""
        return number(self.task.answers.get(f"{self.prefix}_{name}"))

    def said(self, name: str) -> str:
        """A figure as it was reported, in words for a verdict."""
        return said(self.task.answers.get(f"{self.prefix}_{name}"))

    def about(self, name: str, hint: str) -> str:
        """What is wrong with a figure, in a sentence; empty where nothing is."""
        if self(name) is None:
            return f"Report {self.prefix}_{name} as a number."
        return hint if self.runs else "The app does not run there as the task has it, so it is not the app that was measured."


@check("vms.cost", kind="answer", parts=6, answers=ANSWERS, draw=draw, prepare=prepare, machines=("vm",), cold=True)
def cost(machine: Machine, task: Task) -> Iterator[Fact]:
    """Report seconds to start, memory and processes of a machine and of a container that run the same app."""
    vm = task.machines["vm"]
    serves = look_at(vm, task.port)[task.port].page("greeting") == task.greeting
    found = container(machine, task.container)
    pid = int(found["State"]["Pid"]) if found and state(found) == "running" else 0
    greets = bool(pid) and task.greeting in page(machine, pid, _port(found))
    whole, small = Told(task, "vm", serves), Told(task, "container", greets)

    seconds = whole.about("s", _about_seconds(whole("s"), getattr(vm, "ready_s", None)))
    yield Fact("seconds of the machine", not seconds, whole.said("s"), (seconds, *SECONDS))
    memory = whole.about("mb", _about_memory(whole("mb"), vm))
    yield Fact("megabytes of the machine", not memory, whole.said("mb"), (memory, *OF_HOST))
    count = whole.about("processes", _about_processes(whole("processes"), vm))
    yield Fact("processes of the machine", not count, whole.said("processes"), (count, *COUNT))

    hint = _less(small("s"), whole("s"), seconds) or _about_start(small("s"), _start_s(machine, task) if greets else None)
    hint = small.about("s", hint)
    yield Fact("seconds of the container", not hint, small.said("s"), (hint, *SECONDS))
    used = machine.docker.api.stats(task.container, stream=False, one_shot=True)["memory_stats"].get("usage", 0) / MB if pid else 0
    resident = int(machine.sh(f"awk '/^VmRSS/ {{print $2}}' /proc/{pid}/status").stdout or 0) * 1024 / MB if pid else 0
    hint = small.about("mb", _less(small("mb"), whole("mb"), memory) or _about_group(small("mb"), used, resident or used))
    yield Fact("megabytes of the container", not hint, small.said("mb"), (hint, *OF_GROUP))
    inside = len(machine.docker.api.top(task.container)["Processes"]) if pid else 0
    hint = "" if small("processes") == inside else "Each line of a list of processes is one, but for its head."
    hint = small.about("processes", hint)
    yield Fact("processes of the container", not hint, small.said("processes"), (hint, *TOP))


def _port(found: Mapping[str, Any] | None) -> int:
    """The port on which the app in a container listens: its own, or the one that its environment names."""
    named = [one.removeprefix("PORT=") for one in (found or {}).get("Config", {}).get("Env") or () if re.fullmatch(r"PORT=\d+", one)]
    return int(named[0]) if named else 8080


def _about_seconds(told: float | None, ready_s: float | None) -> str:
    if told is None or ready_s is None or EARLY * ready_s <= told <= TIMES * ready_s:
        return ""
    if told < ready_s:
        return f"The machine alone took {ready_s:.1f} s until it had a shell, and only then the app could start."
    return f"The machine had a shell after {ready_s:.1f} s. Is yours in seconds?"


def _about_memory(told: float | None, vm: Machine) -> str:
    cost_mb = getattr(vm, "memory_mb", None)
    if told is None or cost_mb is None or cost_mb / AROUND <= told <= cost_mb * AROUND:
        return ""
    if told > cost_mb:
        return "That is more than it costs its host. What a machine believes to have is not what it uses. In megabytes?"
    return "That is less than it costs its host, which pays for the whole machine, and not only for the app."


def _about_processes(told: float | None, vm: Machine) -> str:
    real = len(processes(vm))
    if told is None or real - TOO_FEW <= told <= real + TOO_MANY:
        return ""
    if told > real:
        return "More than there are programs. Those in square brackets are the kernel's own threads: leave them out."
    return "There are more. A machine runs what keeps it a machine, beside the app."


def _start_s(machine: Machine, task: Task) -> float:
    """The seconds that it takes now to start a container like the learner's."""
    began = time.monotonic()
    machine.sh(f"docker run -d --name {task.key}-beside app:v1", check=True)
    took = time.monotonic() - began
    machine.sh(f"docker rm -f {task.key}-beside", check=True)
    return took


def _about_start(told: float | None, real_s: float | None) -> str:
    if told is None or real_s is None or real_s / TIMES <= told <= real_s * TIMES:
        return ""
    return f"The check started one like it in {real_s:.1f} s, which is of another order. Is yours in seconds?"


def _about_group(told: float | None, used: float, resident: float) -> str:
    """A hint about a container's memory: as its control group counts it, or what its process has resident: programs share pages."""
    if told is None or min(used, resident) / AROUND <= told <= max(used, resident) * AROUND:
        return ""
    if told > used:
        return "That is more than its processes use. What it may use is the whole box's memory, where nobody has set a limit. In megabytes?"
    return "That is less than its process uses. In megabytes?"


def _less(told: float | None, whole: float | None, doubt: str) -> str:
    """A hint where the container's figure is not less than the machine's; empty where it is, or where the machine's is in doubt itself."""
    if told is None or whole is None or doubt or told < whole:
        return ""
    return "That is as much as the machine takes, or more. Which of the two did you measure?"
