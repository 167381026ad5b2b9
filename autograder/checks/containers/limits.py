"""What a control group allows, and what becomes of who wants more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autograder.checks.dice import Dice
from autograder.checks.fact import Fact
from autograder.checks.register import check
from autograder.checks.task import Task, Value
from autograder.checks.tools import container, number, said, state
from lab.box.machine import Machine

MB = 1 << 20
NO_LIMIT = 1 << 50
KILLED = 137
PAGE = 4096
"""Bytes; the kernel rounds to it."""
LIMIT_CPU = ("docker run has an option for that, and docker update has it, too.", "--cpus")
LIMIT_MEMORY = ("Read the number that the kernel has, in the control group's directory.", "--memory, with m for 2**20 bytes")
READ_BYTES = (
    "The file is memory.max, or memory.limit_in_bytes where control groups are of the first version.",
    "find /sys/fs/cgroup -path '*ID*' -name 'memory.*', with the container's full id",
)
EXCEED = ("Asking for memory is not using it: the program must write to it.", "base has Python; bytearray(…) fills what it asks for.")
CGROUP = r"""
find /sys/fs/cgroup -path "*$id" -type d | while read -r group; do
  for file in cpu.max cpu.cfs_quota_us cpu.cfs_period_us memory.max memory.limit_in_bytes; do
    [ -f "$group/$file" ] && echo "$file $(cat "$group/$file")"
  done
done
"""


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Two containers with the same limits: one keeps within them, one does not."""
    return {"steady": f"{key}-steady", "greedy": f"{key}-greedy", "cpus": dice.integer(3, 7) / 10, "memory_mb": dice.integer(24, 48)}


@check("containers.limits", kind="state", parts=4, draw=draw)
def limits(machine: Machine, task: Task) -> Iterator[Fact]:
    """Limit a container's processor and memory, see the number that the kernel has, and exceed it."""
    steady = container(machine, task.steady)
    kernel = _allowed(machine, steady) if steady and state(steady) == "running" else {}
    cpus, memory = kernel.get("cpus"), kernel.get("memory")
    absent = "" if state(steady) == "running" else f"A control group is there while its container runs; {task.steady} is {state(steady)}."

    saw = f"the kernel allows {cpus:g}" if cpus else state(steady)
    hint = absent or "The kernel has another number of processors for it, or none."
    yield Fact(f"processor of {task.steady}", cpus is not None and abs(cpus - task.cpus) < 0.001, saw, (hint, *LIMIT_CPU))

    saw = f"the kernel allows {memory:.0f} bytes" if memory else state(steady)
    yield Fact(f"memory of {task.steady}", memory == task.memory_mb * MB, saw, (absent or _about(memory, task.memory_mb), *LIMIT_MEMORY))

    told = number(task.answers.get("bytes"))
    hint = "The kernel counts in bytes, and an m is 2**20 of them." if told else "The kernel has a file with the limit in it."
    yield Fact("the number in the memory file", told == task.memory_mb * MB, said(task.answers.get("bytes")), (hint, *READ_BYTES))

    yield _exceeded(container(machine, task.greedy), task)


def _allowed(machine: Machine, found: Mapping[str, Any]) -> dict[str, float]:
    """What the kernel's own files allow a container: ``cpus`` and ``memory`` (bytes), where there is a limit."""
    lines = [line.split() for line in machine.sh(f"id={found['Id']}\n{CGROUP}").stdout.splitlines()]
    files = {name: values for name, *values in lines}
    quota, period = files.get("cpu.max") or (*files.get("cpu.cfs_quota_us", ["max"]), *files.get("cpu.cfs_period_us", ["100000"]))
    (memory,) = files.get("memory.max") or files.get("memory.limit_in_bytes", ["max"])
    allowed = {}
    if quota not in ("max", "-1"):
        allowed["cpus"] = int(quota) / int(period)
    if memory != "max" and int(memory) < NO_LIMIT:
        allowed["memory"] = float(memory)
    return allowed


def _about(memory: float | None, wanted_mb: int) -> str:
    if memory is None:
        return "The kernel has no limit for its memory."
    if any(abs(memory - wanted_mb * unit) < PAGE for unit in (1000, 1024, 1000**2)):
        return "That is the right figure in another unit: wanted are MiB, which the engine writes as m."
    return "The kernel has another limit."


def _exceeded(greedy: Mapping[str, Any] | None, task: Task) -> Fact:
    what = f"{task.greedy} wants more"
    if not greedy:
        hint = "It needs the same limit, and a program that fills more memory than that."
        return Fact(what, ok=False, saw="missing", hints=(hint, *EXCEED))
    limit, found = int(greedy["HostConfig"]["Memory"]), greedy["State"]
    if limit != task.memory_mb * MB:
        return Fact(what, ok=False, saw=f"its limit is {limit} bytes", hints=("Its limit is not the one that was asked for.", *EXCEED))
    if found["OOMKilled"]:
        return Fact(what, ok=True, saw="killed for it")
    if found["ExitCode"] == KILLED:
        hint = "137 is any kill, such as by docker kill or a stop; this one was not for its memory."
    elif found["Status"] == "exited":
        hint = "It ended by itself. If it got all that it wanted, was there swap to go to? --memory-swap is the limit of both together."
    else:
        hint = "It has not used more than it may."
    return Fact(what, ok=False, saw=f"{found['Status']}, exit code {found['ExitCode']}", hints=(hint, *EXCEED))
