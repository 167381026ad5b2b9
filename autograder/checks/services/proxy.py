"""One published entry for a group of replicas: each gets a fair share, nobody is reached past it, and one may die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from autograder.checks.services.asking import Answer, Entry, Load, by_host, load, now
from autograder.checks.services.replicas import with_host
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import listeners, look_until
from lab.box.machine import Machine

REPLICAS = 3
REQUESTS, FAIR = 300, 60
"""An entry that draws lots for each connection stays below 60 of 300 once in three million times, for any of three replicas."""
NEARLY_ALL = 0.85
STARTS_S, WITHIN_S, BACK_S = 20, 15, 20
WARM = 24
PAST = r"""
says() { curl -s --noproxy '*' --max-time 3 -H 'Connection: close' "http://127.0.0.1:$1/" | tr -d '\r' | grep -qx "greeting: $greeting"; }
for each in $ports; do says $each && echo $each & done
wait
"""
"""Prints those of the ports at which the greeting is said."""
ENTRY = (
    "The image proxy is HAProxy; cat /etc/haproxy/haproxy.cfg in it says what it does. haproxy is on the box, too.",
    "docker run -p PORT:8080 -e UPSTREAM=NAME:8080 proxy, in the network where the replicas have that name.",
)
SHARE = ("It counts on many new connections: whoever balances must know all three.", "balance roundrobin, and a server line for each.")
PAST_IT = (
    "What is published leads past the entry: no share, no health check, and it is one more port to guard.",
    "In a network of their own, the entry reaches them without -p.",
)
SURVIVES = ("What asks a replica whether it is there is called a health check.", "option httpchk, check inter 1s, option redispatch")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The entry's port, a network, names to use in it, and what the app says."""
    names = {"network": f"{key}-net", "service": f"{key}-web", "entry": f"{key}-entry"}
    return {**names, "port": dice.ports(1)[0], "greeting": f"hello-{dice.nonce()}"}


@check("services.proxy", kind="program", parts=4, draw=draw, timeout_s=280)
def proxy(machine: Machine, task: Task) -> Iterator[Fact]:
    """Put one entry in front of three replicas: a share for each, no way past it, and when one dies nobody notices for long."""
    entry = Entry("127.0.0.1", task.port, task.greeting)
    _warm(machine, entry)
    sent = entry.burst(machine, REQUESTS)
    shares = by_host(sent)
    right = shares.total()
    yield Fact("the entry", right == REQUESTS, f"{right} of {REQUESTS} requests answered", (_about_entry(task, sent, shares), *ENTRY))
    if not right:
        return
    fair = len(shares) == REPLICAS and min(shares.values()) >= FAIR
    saw = f"{', '.join(str(number) for number in sorted(shares.values(), reverse=True))} by {len(shares)} replicas"
    yield Fact("a share for each", fair, saw, (_about_share(shares), *SHARE))

    past = _past_the_entry(machine, task)
    saw = f"port {', '.join(map(str, past))}, too" if past else "the entry alone" if len(shares) > 1 else "a replica"
    hint = (
        f"Port {past[0]} of the box leads to the app past the entry."
        if past
        else "It counts when two replicas at least are behind the entry."
    )
    yield Fact("what is published", not past and len(shares) > 1, saw, (hint, *PAST_IT))
    if len(shares) < 2 or right < NEARLY_ALL * REQUESTS:
        hint = "First, at least two replicas are to answer at the entry, and hardly any request is to fail."
        yield Fact("one dies", ok=False, saw="not tried", hints=(hint, *SURVIVES))
        return
    yield _one_dies(machine, task, entry, sorted(shares))


def _warm(machine: Machine, entry: Entry) -> None:
    """Wait until three replicas answer, because an entry that has just been started may not know all of them yet."""

    def look() -> list[Answer]:
        return entry.burst(machine, WARM)

    def enough(sent: list[Answer]) -> bool:
        nobody = not any(it.status for it in sent) and not any(it.port == entry.port for it in listeners(machine))
        return nobody or len(by_host(sent)) >= REPLICAS

    look_until("the replicas", enough, look, timeout_s=STARTS_S, every_s=1)


def _past_the_entry(machine: Machine, task: Task) -> list[int]:
    """The ports of the box, but for the entry's, at which the greeting is said."""
    ports = {it.port for it in listeners(machine)}
    for one in machine.docker.api.containers():
        ports |= {port["PublicPort"] for port in one["Ports"] if "PublicPort" in port and port["Type"] == "tcp"}
    others = " ".join(map(str, sorted(ports - {task.port, 22})))
    said = machine.sh(f"ports='{others}' greeting={task.greeting}\n{PAST}", timeout=100).stdout
    return sorted(map(int, said.split()))


def _one_dies(machine: Machine, task: Task, entry: Entry, hosts: Sequence[str]) -> Fact:
    """Kill each of the replicas in turn: whichever it is, nobody is to notice for long."""
    before = 0
    with load(machine, task, entry) as made:
        for host in hosts:
            if not (victims := with_host(machine, host)):
                hint = f"{host} answers at the entry, and no container of the box runs under that host name."
                return Fact("one dies", ok=False, saw=f"{host} can't be found", hints=(hint, *SURVIVES))
            moment = now(machine)
            machine.sh(f"docker kill {' '.join(victims)}", check=True)
            dead = now(machine)
            try:
                calm = made.calm(dead, timeout_s=WITHIN_S)
            finally:
                for victim in victims:
                    machine.sh(f"docker start {victim}")
            failed = made.failed(moment)
            before += len(failed)
            if calm is None:
                return Fact(
                    "one dies", ok=False, saw=f"{WITHIN_S} s later requests still fail", hints=(_about_death(made, host, dead), *SURVIVES)
                )
            _wait_for(made, host, now(machine))
    return Fact("one dies", ok=True, saw=f"{before} requests failed, and then none", hints=SURVIVES)


def _wait_for(made: Load, host: str, since: float) -> None:
    """Wait until a replica that was started again gets requests, or has had time enough."""
    made.calm(since, lambda calm: by_host(calm)[host] > 0, timeout_s=BACK_S)


def _about_entry(task: Task, sent: Sequence[Answer], shares: Mapping[str, int]) -> str:
    statuses = Counter(it.status for it in sent)
    worst = max((status for status in statuses if status not in (200, 0)), default=0)
    if not any(statuses):
        return f"Nobody answers on port {task.port} of the box."
    if not shares and worst:
        return f"The entry answers with {worst}: it reaches no replica. Are they in one network, under the name that the entry asks for?"
    if not shares:
        return f"Somebody answers on port {task.port}, and does not say {task.greeting}."
    return (
        f"{len(sent) - sum(shares.values())} of {len(sent)} came to nothing: the entry hands requests to somebody who does not serve them."
    )


def _about_share(shares: Counter[str]) -> str:
    if len(shares) == 1:
        return (
            "One host name answered all. Is a replica published itself? Does the entry choose by the client, who is the same one here? "
            "Do all have the same host name?"
        )
    if max(shares.values()) > NEARLY_ALL * shares.total():
        return "Nearly all went to one of them. By what does the entry choose?"
    if len(shares) != REPLICAS:
        return f"{len(shares)} replicas answered; there are to be {REPLICAS} that get requests."
    return f"Of {REQUESTS} requests each is to get {FAIR} at least: one gets much less. Do all have the same weight?"


def _about_death(made: Load, host: str, dead: float) -> str:
    after = made.answers(dead)
    if after and not by_host(after):
        return f"{host} was killed, and nobody was answered any more: the entry must not die with a replica."
    return f"{host} was killed, and requests went to it all the same. Does the entry ever ask whether somebody is there?"
