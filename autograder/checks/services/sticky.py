"""The same client meets the same backend, as long as that is there; different clients meet different ones.

Clients are told by their addresses, so the check has a dozen of these.  First they come from outside; where nobody answers them there, from
the network of the replicas: which of the two an entry is for depends on how it was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from autograder.checks.services.asking import Answer, Entry
from autograder.checks.services.clients import beside, outside
from autograder.checks.services.group import Replica, about_group, replicas
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import look_until
from lab.box.machine import Machine

COUNT, CLIENTS, ROUNDS, AGAIN = 3, 12, 5, 3
"""Where each of twelve clients chooses one of three by chance and stays with it, all of them choose the same once in 177,000 times."""
FIRST_PORT, LAST_PORT = 30000, 32767
FOUND_S, WITHIN_S = 10, 15
ENTRY = (
    "An entry of your own: one port of the box, and three replicas behind.",
    "haproxy is on the box. A Service has type: NodePort, and a nodePort.",
)
SAME = (
    "The entry is to remember whom a client has met, or to compute it from the client's address.",
    "haproxy: balance source, or stick-table and stick on src. iptables: -m recent. A manifest: sessionAffinity: ClientIP.",
)
GOES = (
    "Whoever chooses is to know who is there: a check, or rules that are written anew.",
    "haproxy: check inter 1s on each server, and option redispatch.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The entry's port, which is one of those for Services, and what the replicas are to say."""
    return {"service": key, "greeting": f"hello-{dice.nonce()}", "port": dice.integer(FIRST_PORT, LAST_PORT)}


@check("services.sticky", kind="program", parts=4, draw=draw, timeout_s=280)
def sticky(machine: Machine, task: Task) -> Iterator[Fact]:
    """Each client meets one backend, always the same; when that is gone, another one, and stays with it."""
    group = replicas(machine, task)
    if wrong := about_group(task, group, COUNT):
        yield Fact("the entry", ok=False, saw=f"{len(group)} replicas", hints=(wrong, *ENTRY))
        return
    with _entry(machine, task, group) as entry:
        if not entry:
            hint = f"Nobody answers with the greeting on port {task.port} of the box."
            yield Fact("the entry", ok=False, saw="nobody answers", hints=(hint, *ENTRY))
            return
        answers = entry.ask(machine, ROUNDS)
        failed = [it for it in answers if not it.host]
        saw = f"{len(answers) - len(failed)} of {len(answers)} requests answered"
        hint = f"Some requests came to nothing ({failed[0].words}) while all three replicas ran." if failed else ""
        yield Fact("the entry", not failed, saw, (hint, *ENTRY))
        fact = _same(answers)
        yield fact
        if not fact.ok:
            hint = "It counts when each client meets one backend, and not all of them the same."
            yield Fact("its backend goes", ok=False, saw="not tried", hints=(hint, *GOES))
            return
        yield from _one_goes(machine, entry, group, answers)


@contextmanager
def _entry(machine: Machine, task: Task, group: Sequence[Replica]) -> Iterator[Entry | None]:
    """The entry as clients reach it, from outside or from the network of the replicas; None where nobody does."""
    for place in (outside(machine, task, CLIENTS), beside(machine, task, group[0].network, CLIENTS)):
        with place as (pid, clients):
            if found := _reached(machine, task, pid, clients):
                yield found
                return
    yield None


def _reached(machine: Machine, task: Task, pid: int, clients: tuple[str, ...]) -> Entry | None:
    def look() -> Entry | None:
        addresses = [it for it in machine.sh("hostname -I").stdout.split() if "." in it]
        entries = [Entry(address, task.port, task.greeting, pid, clients) for address in addresses]
        return next((it for it in entries if any(answer.host for answer in it.ask(machine, 1, clients[:1]))), None)

    return look_until("an answer from the entry", bool, look, timeout_s=FOUND_S, every_s=0.5)


def met(answers: Sequence[Answer]) -> dict[str, set[str]]:
    """The backends that each client has met."""
    found: dict[str, set[str]] = {}
    for answer in answers:
        found.setdefault(answer.client, set()).update({answer.host} - {""})
    return found


def _same(answers: Sequence[Answer]) -> Fact:
    """The fact that each client has met one backend, and not all of them the same."""
    what, by_client = "the same client", met(answers)
    loyal = [client for client, hosts in by_client.items() if len(hosts) == 1]
    shares = Counter(next(iter(by_client[client])) for client in loyal)
    saw = f"{len(loyal)} of {len(by_client)} met one backend each"
    if len(loyal) < len(by_client):
        hint = "Clients met now this backend, now that one: for each connection the entry chooses anew."
        if any(it.cookie for it in answers):
            hint = "The entry tells clients to keep a cookie. These keep none: tell them by their addresses."
        return Fact(what, ok=False, saw=saw, hints=(hint, *SAME))
    if len(shares) < 2:
        hint = f"All {len(by_client)} met the same backend, though each has an address of its own. Does the entry see it, and look at it?"
        return Fact(what, ok=False, saw="all met the same backend", hints=(hint, *SAME))
    return Fact(what, ok=True, saw=f"{saw}: {', '.join(str(number) for _, number in shares.most_common())}")


def _one_goes(machine: Machine, entry: Entry, group: Sequence[Replica], answers: Sequence[Answer]) -> Iterator[Fact]:
    """Stop the backend of a client: it is served by another one, and stays with that.  It is started again in the end."""
    by_client = {client: next(iter(hosts)) for client, hosts in met(answers).items()}
    victim = next(it for it in group if it.host == by_client[answers[0].client])
    orphans = [client for client, host in by_client.items() if host == victim.host]

    def all_served() -> bool:
        again = entry.ask(machine, 1, orphans, gives_up=1)
        return len(again) == len(orphans) and all(it.host for it in again)

    machine.sh(f"docker stop {victim.container}", check=True)
    try:
        served = look_until("another backend", bool, all_served, timeout_s=WITHIN_S, every_s=0.5)
        hint = f"{victim.container} was stopped, and {WITHIN_S} s later its clients are still sent there, although two others run."
        saw = f"{len(orphans)} clients are served by another one" if served else f"after {WITHIN_S} s its clients are not served"
        yield Fact("its backend goes", served, saw, (hint, *GOES))
        yield _stay(entry.ask(machine, AGAIN) if served else [])
    finally:
        machine.sh(f"docker start {victim.container}")


def _stay(answers: Sequence[Answer]) -> Fact:
    what, by_client = "and from then on", met(answers)
    if not answers:
        hint = "It counts when they are served again."
        return Fact(what, ok=False, saw="not tried", hints=(hint, *SAME))
    loyal = [client for client, hosts in by_client.items() if len(hosts) == 1]
    lost = sum(not it.host for it in answers)
    hint = "Clients whose backend went are now sent to this one, now to that one. They are to stay with the new one."
    if lost:
        hint = f"{lost} of {len(answers)} requests came to nothing: the entry still sends some to whom is gone."
    return Fact(what, len(loyal) == CLIENTS and not lost, f"{len(loyal)} of {CLIENTS} meet one backend each", (hint, *SAME))
