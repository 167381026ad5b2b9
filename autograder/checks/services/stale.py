"""An entry that looked names up when it started: a replica is replaced, gets another address, and the entry does not know."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.checks.services.asking import Answer, Entry, Load, by_host, load, now
from autograder.checks.services.replicas import PORT
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, page, state, task_container_lost
from lab.box.machine import Machine

WITHIN_S = 20
AFTER_S = 4
"""Seconds for which the requests are watched after they have been answered again."""
SHARE = 3
"""So many of the requests of a calm must have gone to the new replica: it gets about every second one."""
CONFIG = """\
global
    log stdout format raw daemon

defaults
    mode http
    log global
    option httplog
    retries 1
    timeout connect 1s
    timeout client 30s
    timeout server 30s

frontend entry
    bind :8080
    default_backend group

backend group
    balance roundrobin
    server one {0}:8080
    server two {1}:8080
"""
BEGIN = """
docker network create $network
cat > $config
for name in $one $two; do
  docker run -d --name $name --network $network --network-alias $service -e GREETING=$greeting app:v1
done
docker run -d --name $entry --network $network -p $port:8080 -v $config:/etc/haproxy/haproxy.cfg:ro proxy
"""
REPLACE = """
address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $1; }
old=$(address $name)
docker rename $name $name-old
docker run -d --name $name --network $network --network-alias $service -e GREETING=$greeting app:v1
docker rm -fv $name-old
for number in $(seq 9); do
  docker run -d --name $taker-$name-$number --network $network pause
  [ "$(address $taker-$name-$number)" = "$old" ] && break
done
"""
"""The old one goes last, so that the new one can't have its address; then somebody else takes that, or the next replica would get it."""
LEAVE = "docker ps -aqf name=^$taker- | xargs -r docker rm -fv"
LOOK_UP = (
    "HAProxy looks the names of its servers up once, when it starts, unless their lines say otherwise: look for resolvers.",
    "A section resolvers with nameserver docker 127.0.0.11:53; on each server line: check resolvers NAME init-addr none. Restart it.",
)
NEW_ONE = ("A health check says who does not answer. It can't say where somebody is who has moved.", *LOOK_UP[1:])


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A network with an entry and two replicas, the entry's port and settings, and what the app says."""
    return {
        "network": f"{key}-net", "entry": f"{key}-entry", "port": dice.ports(1)[0], "config": f"/root/{key}-haproxy.cfg",
        "service": f"{key}-web", "replicas": [f"{key}-web-1", f"{key}-web-2"], "greeting": f"hello-{dice.nonce()}", "seconds": WITHIN_S,
    }  # fmt: skip


def prepare(machine: Machine, task: Task) -> None:
    """Start two replicas, and a proxy that looks their names up once."""
    one, two = task.replicas
    settings = f"{_settings(task)} config={task.config} entry={task.entry} port={task.port} one={one} two={two}\n"
    machine.sh(settings + BEGIN, stdin=CONFIG.format(one, two).encode(), timeout=150, check=True)
    page(machine, 1, task.port, patience_s=30)


@check("services.stale", kind="program", parts=3, draw=draw, prepare=prepare, timeout_s=280)
def stale(machine: Machine, task: Task) -> Iterator[Fact]:
    """Repair an entry that looks names up once: when a replica is replaced, the entry finds the new one within seconds."""
    for name in task.replicas:
        if state(found := container(machine, name)) != "running":
            yield task_container_lost(task, found, name)
            return
    try:
        yield from _while_replaced(machine, task)
    finally:
        machine.sh(f"taker={task.key}-taker\n{LEAVE}")


def _while_replaced(machine: Machine, task: Task) -> Iterator[Fact]:
    first, second = task.replicas
    with load(machine, task, Entry("127.0.0.1", task.port, task.greeting)) as made:
        if made.calm(0, timeout_s=WITHIN_S) is None:
            yield Fact("the entry", ok=False, saw=_described(made.answers()), hints=(_about_entry(task, made.answers()), *LOOK_UP))
            return
        one = _replaced(machine, task, made, first)
        yield Fact(f"{first} is replaced", one.calm, one.described, (_about(one), *LOOK_UP))
        saw = f"{one.to_it} of {len(one.after)} requests"
        yield Fact("the new one gets requests", one.calm and one.to_it >= SHARE, saw, (_about_new(one), *NEW_ONE))
        if not one.calm:
            hint = f"First, requests are to be answered when {first} is replaced."
            yield Fact(f"{second} is replaced, too", ok=False, saw="not tried", hints=(hint, *LOOK_UP))
            return
        other = _replaced(machine, task, made, second)
        all_right = other.calm and other.to_it >= SHARE
        hint = _about(other) if not other.calm else _about_new(other)
        if not all_right and one.to_it < SHARE:
            hint = "Now both have moved, and the entry knows neither of the new addresses."
        yield Fact(f"{second} is replaced, too", all_right, other.described, (hint, *LOOK_UP))


@dataclass(frozen=True)
class Replaced:
    """What became of the requests when a replica was replaced.

    Args:
        name: of the replica.
        calm: the requests were answered again in time, and so were all that followed.
        after: the requests since then; where it never came, those at the end of the time.
        failed: how many of these were not answered rightly.
        meanwhile: how many were not, before.
        to_it: how many of them the new replica answered.
    """

    name: str
    calm: bool
    after: Sequence[Answer]
    failed: int
    meanwhile: int
    to_it: int

    @property
    def described(self) -> str:
        """What became of them, in words."""
        if self.failed:
            return f"{self.failed} of {len(self.after)} requests fail"
        return f"no request fails any more; {self.meanwhile} did before"


def _replaced(machine: Machine, task: Task, made: Load, name: str) -> Replaced:
    """Replace a replica by a new one that has its name, and another address, and watch what becomes of the requests."""
    begun = now(machine)
    machine.sh(f"{_settings(task)} name={name} taker={task.key}-taker\n{REPLACE}", timeout=100, check=True)
    host = _host_when_it_answers(machine, name)
    there = now(machine)

    def reached(calm: Sequence[Answer]) -> bool:
        return by_host(calm)[host] >= SHARE

    moment = made.calm(there, reached, timeout_s=WITHIN_S)
    late = there + WITHIN_S
    if moment is None:  # perhaps nobody hands requests to the new one, and yet none fails
        moment = late if not made.failed(late - AFTER_S) else None
    since = late - AFTER_S if moment is None else moment
    time.sleep(AFTER_S)
    after = made.answers(since)
    failed = len([it for it in after if not it.host])
    meanwhile = len([it for it in made.failed(begun) if it.at < since])
    return Replaced(name, moment is not None and not failed, after, failed, meanwhile, by_host(after)[host])


def _host_when_it_answers(machine: Machine, name: str) -> str:
    """A container's host name, as soon as the app in it answers."""
    found = container(machine, name)
    if not found:
        return ""
    page(machine, int(found["State"]["Pid"]), PORT, patience_s=30)
    return str(found["Config"]["Hostname"])


def _settings(task: Task) -> str:
    return f"network={task.network} service={task.service} greeting={task.greeting}"


def _described(made: Sequence[Answer]) -> str:
    answered = [it for it in made if it.status]
    return f"{len(answered)} of {len(made)} requests answered" if made else "no request was made"


def _about_entry(task: Task, made: Sequence[Answer]) -> str:
    statuses = {it.status for it in made}
    if not any(statuses):
        return f"Nobody answers on port {task.port} of the box. Does the proxy run? docker logs {task.entry}"
    if 200 not in statuses:
        return f"The entry answers with {max(statuses)}, before anything is replaced: it reaches no replica. docker logs {task.entry}"
    return "Before anything is replaced, some requests fail: the entry hands them to somebody who does not serve them."


def _about(it: Replaced) -> str:
    if it.failed == len(it.after):
        return f"{it.name} was replaced, and then nobody was answered any more."
    if it.to_it:
        return "Requests reach the new one, and fail again and again all the same. Is something restarted over and over?"
    return f"{it.name} was replaced, has another address now, and requests still go to the old one. When does the entry look names up?"


def _about_new(it: Replaced) -> str:
    if not it.calm:
        return "First, no request is to fail any more."
    return f"No request fails, and none goes to the new {it.name}: the entry has taken the old one out, and does not know the new address."
