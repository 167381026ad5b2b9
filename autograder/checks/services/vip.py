"""A virtual address: asked from the machine or from a container, it leads to one of three replicas, although nobody has it.

How the kernel was told does not matter.  What is seen from outside is that each replica gets an even share, that the address is on no
interface, and that no program listens at it or stands between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autograder.checks.services.asking import Answer, Entry, by_container
from autograder.checks.services.clients import client
from autograder.checks.services.group import Replica, about_group, replicas
from autograder.checks.services.networks import between, owner
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import OF_THE_MACHINE, listeners
from lab.box.machine import Machine

COUNT = 3
REQUESTS, EVEN = 900, 0.267
"""The least share of each.  A choice by chance, one in three, gives less to one of them once in some 30,000 times.  Where each rule takes a
third of what is left, one of them gets 0.22, and that much once in 2,000 times."""
NEARLY_ALL = 0.9
RULES = (
    "The table nat changes where a packet goes, with DNAT, before it is decided which way it takes.",
    "iptables -t nat -A … -d ADDRESS -p tcp --dport PORT -m statistic --mode random --probability … -j DNAT --to-destination …",
)
BOTH = (
    "What the box itself sends passes OUTPUT; what comes from a container passes PREROUTING.",
    "Put the rules into a chain of your own (iptables -t nat -N …), and have both chains lead there.",
)
NOBODYS = ("ip addr shows what interfaces have; so does nsenter --net in a container.", "ip addr del ADDRESS dev …")
NO_PROGRAM = ("ss -Hltnp shows who listens, ss -tnp who is connected to whom.", "DNAT leads to a container's own address and port.")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """An address that is nobody's, a port, and what the replicas are to say."""
    address = f"10.96.{dice.integer(1, 254)}.{dice.integer(1, 254)}"
    return {"service": key, "greeting": f"hello-{dice.nonce()}", "address": address, "port": dice.ports(1)[0]}


@check("services.vip", kind="program", parts=4, draw=draw, timeout_s=300)
def vip(machine: Machine, task: Task) -> Iterator[Fact]:
    """Lead an address that nobody has to three replicas, evenly, by rules of the kernel alone."""
    group = replicas(machine, task)
    if wrong := about_group(task, group, COUNT):
        yield Fact("from the box", ok=False, saw=f"{len(group)} replicas", hints=(wrong, *RULES))
        return
    with client(machine, task, group[0].network) as pid:
        sent = {"the box": _ask(machine, task, OF_THE_MACHINE), "a container": _ask(machine, task, pid)}
        reached = {who: any(answer.host for answer in answers) for who, answers in sent.items()}
        for who, answers in sent.items():
            yield _share(task, who, answers, group, elsewhere=any(reached.values()))
        if not any(reached.values()):
            return
        asker = pid if reached["a container"] else OF_THE_MACHINE
        program = between(machine, task.address, task.port, asker, {end for it in group for end in it.ends})
    yield _on_no_interface(machine, task)
    yield _no_program(machine, task, program)


def _ask(machine: Machine, task: Task, pid: int) -> list[Answer]:
    return Entry(task.address, task.port, task.greeting, pid).ask(machine, REQUESTS)


def _share(task: Task, who: str, answers: Sequence[Answer], group: Sequence[Replica], *, elsewhere: bool) -> Fact:
    """The fact that all requests of somebody are answered, and that each replica gets an even share of them."""
    shares = by_container(answers, group)
    answered = sum(shares.values())
    even = answered == len(answers) and min(shares.values()) >= EVEN * len(answers)
    saw = ", ".join(f"{name} {number}" for name, number in shares.items()) if answered else "nobody answers"
    if lost := len(answers) - answered:
        saw += f", lost {lost}" if answered else ""
    return Fact(f"from {who}", even, saw, _about_share(task, who, answers, shares, elsewhere=elsewhere))


def _about_share(task: Task, who: str, answers: Sequence[Answer], shares: Mapping[str, int], *, elsewhere: bool) -> tuple[str, ...]:
    answered, asked = sum(shares.values()), f"{task.address}:{task.port}"
    idle = [name for name, number in shares.items() if not number]
    if not answered and elsewhere:
        return (f"It works elsewhere, and not from {who}: its packets take another way through the kernel.", *BOTH)
    hint = "Not even: a rule sees only what those before it have left. Which part of that is its own, if there are three? If two are left?"
    if not answered and any(answer.status for answer in answers):
        hint = f"Somebody answers at {asked}, and it is none of your three replicas."
    elif not answered:
        hint = f"A request to {asked} leads nowhere."
    elif answered < len(answers):
        hint = "Some requests were lost: the last rule is to take all that the others have left, and each leads where somebody listens."
    elif max(shares.values()) > NEARLY_ALL * answered:
        hint = "One gets all: the first rule that matches ends the matter, and those after it are never asked."
    elif idle:
        hint = f"{idle[0]} runs, and gets nothing."
    return (hint, *RULES)


def _on_no_interface(machine: Machine, task: Task) -> Fact:
    where = owner(machine, task.address)
    hint = f"{task.address} is on {where}. So it is an ordinary address of somebody; a virtual one is nobody's."
    return Fact("who has the address", not where, where or "no interface", (hint, *NOBODYS))


def _no_program(machine: Machine, task: Task, program: str) -> Fact:
    listening = next((it.program for it in listeners(machine) if it.port == task.port), "")
    what, hint = "who stands between", f"{listening} listens on port {task.port}. At a virtual address nobody does."
    if program:
        hint = f"{program} has a connection of its own to the replica: it takes requests, and hands them on. That is a proxy."
    if program == "docker-proxy":
        hint = "The rule leads to a port that Docker has published, and there docker-proxy takes over. Lead to the container itself."
    saw = f"{program}, a proxy" if program else f"{listening} listens" if listening else "nobody"
    return Fact(what, not (program or listening), saw, (hint, *NO_PROGRAM))
