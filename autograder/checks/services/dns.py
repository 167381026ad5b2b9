"""One name for three replicas: what the name resolves to is what runs, also when a replica comes, and when one goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from autograder.checks.services.replicas import PORT, copy, is_own, members, pages, remove
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, look_until
from lab.box.machine import Machine

REPLICAS = 3
STARTS_S, FOLLOWS_S, EVERY_S = 12, 20, 0.5
RESOLVE = "nsenter --target $pid --net dig +short +time=2 +tries=2 @127.0.0.11 $name A"
"""Asks the engine's own name server, which every container of a user-defined network has."""
START = (
    "docker run --network puts a container into a network; GREETING is the app's variable for what it says.",
    "docker network inspect shows who is in a network.",
)
NAME = ("A container can have more names than its own, and several can have the same one.", "docker run --help, and look for alias")
FOLLOW = (
    "Whoever keeps the list must hear of each start and each end by itself: a file that you have written does not.",
    "The engine strikes an alias out when its container ends: docker run --network-alias",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A network, the name to be known there, and what the app is to say."""
    return {"network": f"{key}-net", "service": f"{key}-web", "greeting": f"hello-{dice.nonce()}"}


@check("services.dns", kind="program", parts=4, draw=draw, timeout_s=240)
def dns(machine: Machine, task: Task) -> Iterator[Fact]:
    """Give three replicas one name: what it resolves to is what runs, also when a replica comes or goes."""
    what = "the replicas"
    if not members(machine, task.network):
        hint = (
            f"No container runs in a network {task.network}. On the network that containers get by themselves, the engine knows no names."
        )
        yield Fact(what, ok=False, saw="none", hints=(hint, f"docker network create {task.network}", *START[:1]))
        return
    with asker(machine, task) as pid:
        seen = _look_until(machine, task, pid, lambda it: len(it.serving) == REPLICAS and it.agrees, STARTS_S)
        saw = f"{len(seen.serving)} of {REPLICAS} serve"
        yield Fact(what, len(seen.serving) == REPLICAS, saw, (_about_replicas(task, seen), *START))
        all_right = seen.agrees and len(seen.serving) > 1
        yield Fact(f"what {task.service} resolves to", all_right, seen.described, (_about_name(task, seen), *NAME))
        if not (known := seen.known):
            for fact in ("one more is started", "one is removed"):
                hint = f"First, {task.service} is to resolve to a replica that serves."
                yield Fact(fact, ok=False, saw="not tried", hints=(hint, *NAME))
            return
        one = seen.there[known[0]]
        yield _one_more(machine, task, pid, one)
        yield _one_less(machine, task, pid, one)


@dataclass(frozen=True)
class Seen:
    """A network at one moment, and what the name resolves to in it.

    Args:
        there: what ``docker inspect`` says of the containers in it, by address.
        pages: what is said at each address, in it or resolved to; empty where nobody answers.
        serving: the addresses of the replicas that serve: each of them answers itself, with the greeting.
        resolved: the addresses that the name resolves to.
    """

    there: Mapping[str, Mapping[str, Any]]
    pages: Mapping[str, Mapping[str, str]]
    serving: frozenset[str]
    resolved: frozenset[str]

    @property
    def agrees(self) -> bool:
        """Whether the name resolves to what serves, and to nothing else."""
        return bool(self.resolved) and self.resolved == self.serving

    @property
    def known(self) -> list[str]:
        """The addresses that serve, and that the name resolves to."""
        return sorted(self.resolved & self.serving)

    @property
    def described(self) -> str:
        """What the name resolves to, in words."""
        others = len(self.resolved - self.serving)
        known = f"{len(self.known)} of {len(self.serving)} that serve"
        return f"{known}, and {others} that {'does' if others == 1 else 'do'} not" if others else known if self.resolved else "nothing"


@contextmanager
def asker(machine: Machine, task: Task) -> Iterator[int]:
    """A process that is in the task's network, and is nothing but a place to ask from, for as long as the ``with`` block lasts."""
    name = f"{task.key}-asks-{token_hex(2)}"
    machine.sh(f"docker run -d --name {name} --network {task.network} pause", check=True)
    try:
        found = container(machine, name)
        yield int(found["State"]["Pid"]) if found else 0
    finally:
        machine.sh(f"docker rm -fv {name}")


def look(machine: Machine, task: Task, pid: int) -> Seen:
    """Look at the network, and at what the name resolves to for a process in it."""
    there = {address: one for address, one in members(machine, task.network).items() if one["State"]["Pid"] != pid}
    said = machine.sh(f"pid={pid} name={task.service}\n{RESOLVE}").stdout
    resolved = frozenset(re.findall(r"^[\d.]+$", said, re.MULTILINE))
    answered = pages(machine, pid, sorted(resolved | set(there)))
    serving = frozenset(it for it, one in there.items() if answered[it].get("greeting") == task.greeting and is_own(answered[it], one))
    return Seen(there, answered, serving, resolved)


def _look_until(machine: Machine, task: Task, pid: int, wanted: Callable[[Seen], bool], timeout_s: float) -> Seen:
    return look_until(f"the name {task.service}", wanted, lambda: look(machine, task, pid), timeout_s=timeout_s, every_s=EVERY_S)


def _one_more(machine: Machine, task: Task, pid: int, one: Mapping[str, Any]) -> Fact:
    """Start one more of a replica: the name is to resolve to it as well."""
    new = copy(machine, task, one)

    def follows(seen: Seen) -> bool:
        return bool(_addresses(seen, new)) and _addresses(seen, new) <= seen.resolved

    seen = _look_until(machine, task, pid, follows, FOLLOWS_S)
    ok = follows(seen)
    hint = f"The check has started one more replica, a copy of one of yours, and {FOLLOWS_S} s later {task.service} did not resolve to it."
    return Fact("one more is started", ok, f"{task.service} {'resolves to it, too' if ok else 'does not resolve to it'}", (hint, *FOLLOW))


def _one_less(machine: Machine, task: Task, pid: int, one: Mapping[str, Any]) -> Fact:
    """Remove a replica: the name is to resolve to the others only."""
    before = look(machine, task, pid)
    others = set(before.known) - _addresses(before, one["Id"])
    remove(machine, one)

    def follows(seen: Seen) -> bool:
        gone = not any(its["Id"] == one["Id"] for its in seen.there.values())
        return gone and bool(seen.resolved) and seen.resolved <= seen.serving and others & seen.serving <= seen.resolved

    seen = _look_until(machine, task, pid, follows, FOLLOWS_S)
    ok = follows(seen)
    hint = (
        f"The check has removed a replica, and {FOLLOWS_S} s later {task.service} still leads to where nobody is. Who is to strike it out?"
    )
    if not seen.resolved:
        hint = f"One replica is removed, and {task.service} resolves to nothing any more: was it that one's own name?"
    elif not seen.resolved - seen.serving and not ok:
        hint = f"One replica is removed, and {task.service} has lost others as well."
    return Fact(
        "one is removed", ok, f"{task.service} {'resolves to the others' if ok else f'resolves to {seen.described}'}", (hint, *FOLLOW)
    )


def _addresses(seen: Seen, key: str) -> set[str]:
    return {address for address in seen.serving if seen.there[address]["Id"] == key}


def _about_replicas(task: Task, seen: Seen) -> str:
    if len(seen.serving) > REPLICAS:
        return f"{len(seen.serving)} serve in {task.network}; three are asked for."
    silent = [address for address in seen.there if not seen.pages[address]]
    other = [address for address, page in seen.pages.items() if page and address in seen.there and page.get("greeting") != task.greeting]
    if other:
        return f"{_name(seen, other[0])} says something else than {task.greeting}."
    if silent:
        return f"{_name(seen, silent[0])} is in the network, and does not answer on port {PORT}."
    return f"In {task.network}, three containers of app:v1 are to say {task.greeting}."


def _about_name(task: Task, seen: Seen) -> str:
    handing_on = [it for it in seen.resolved & set(seen.there) if seen.pages[it] and not is_own(seen.pages[it], seen.there[it])]
    if not seen.resolved:
        return f"Nobody in {task.network} goes by the name {task.service}."
    if handing_on:
        return (
            f"{_name(seen, handing_on[0])} has the name, and hands requests on, as a proxy. The name is to lead to the replicas themselves."
        )
    if others := sorted(seen.resolved - seen.serving):
        whom = _name(seen, others[0]) if others[0] in seen.there else f"{others[0]}, where nobody is"
        return f"The name leads to {whom}, and no replica answers there."
    if len(seen.serving) == 1:
        return "One replica is no group: any name would do."
    return f"{_name(seen, min(seen.serving - seen.resolved, default=''))} serves, and does not have the name."


def _name(seen: Seen, address: str) -> str:
    return str(seen.there[address]["Name"]).removeprefix("/") if address in seen.there else address
