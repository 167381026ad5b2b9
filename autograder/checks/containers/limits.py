"""The limits of a control group, and what happens to a program that wants more memory than its limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, goes_on, number, said, state
from lab.box.machine import Machine

MB = 1 << 20
NO_LIMIT = 1 << 50
KILLED = 137
PAGE = 4096
"""Bytes of a page of memory; the kernel rounds a limit to whole pages."""
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


@check("containers.limits", kind="state", parts=4, answers=("bytes",), draw=draw)
def limits(machine: Machine, task: Task) -> Iterator[Fact]:
    """Limit a container's processor and memory, see the number that the kernel has, and exceed it."""
    steady = container(machine, task.steady)
    kernel = _allowed(machine, steady) if steady and state(steady) == "running" else {}
    cpus, memory = kernel.get("cpus"), kernel.get("memory")
    running = goes_on(machine, steady)
    absent = "" if running else f"A control group is there while its container runs; {task.steady} is {state(steady)}."
    if steady and state(steady) == "running" and not running:
        absent = f"{task.steady} is to keep within its limits and go on running; it ends again and again."
    saw = f"the kernel allows {cpus:g}" if cpus else "the kernel allows all there are" if running else state(steady)
    hint = absent or f"It is to have {task.cpus:g} of a processor."
    right = running and cpus is not None and abs(cpus - task.cpus) < 0.001
    yield Fact(f"processor of {task.steady}", right, saw, (hint, *LIMIT_CPU))

    saw = f"the kernel allows {memory:.0f} bytes" if memory else "the kernel allows all there is" if running else state(steady)
    right = running and memory == task.memory_mb * MB
    yield Fact(f"memory of {task.steady}", right, saw, (absent or _about(memory, task.memory_mb), *LIMIT_MEMORY))

    told = number(task.answers.get("bytes"))
    right = memory is not None and told == memory
    saw = said(task.answers.get("bytes"))
    yield Fact("the number in the memory file", right, saw, (_about_file(told, there=memory is not None), *READ_BYTES))

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


def _about_file(told: float | None, *, there: bool) -> str:
    if told is not None and told >= NO_LIMIT:
        return "That is no limit at all, but the box's own: a container may well see the box's files there. Look on the box, for its id."
    if not there:
        return "There is no such file of the steady container, or no limit in it: that comes first."
    if told is None:
        return "The kernel has a file with the limit in it, in the control group's directory on the box."
    return "The kernel counts in bytes, and an m is 2**20 of them."


def _exceeded(greedy: Mapping[str, Any] | None, task: Task) -> Fact:
    what = f"{task.greedy} wants more"
    if not greedy:
        hint = "It needs the same limit, and a program that fills more memory than that."
        return Fact(what, ok=False, saw="missing", hints=(hint, *EXCEED))
    asked, found = greedy["HostConfig"], greedy["State"]
    limit, cpus = int(asked["Memory"]), asked["NanoCpus"] / 1e9 or asked["CpuQuota"] / (asked["CpuPeriod"] or 100_000)
    if abs(cpus - task.cpus) > 0.001:
        saw = f"it may use {cpus:g} processors" if cpus > 0 else "it may use all processors"
        return Fact(what, ok=False, saw=saw, hints=("Both get the same limits: it lacks the one for the processor.", *LIMIT_CPU))
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
    code = f", exit code {found['ExitCode']}" if found["Status"] == "exited" else ""
    return Fact(what, ok=False, saw=f"{found['Status']}{code}", hints=(hint, *EXCEED))
