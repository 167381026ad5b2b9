"""Three machines behind one entry: each gets its share of the requests, and requests do not fail when one machine dies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from autograder.checks.vms.ports import Port, Ports, look_when_started, prepare, why_nobody
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine

REQUESTS, FAIR = 300, 60
AFTER, WITHIN_S = 30, 15
NEARLY_ALL = 0.85
NAMES = ("web-1", "web-2", "web-3")
SEND = r"""
send() {
  timeout "$2" curl -s --noproxy '*' $3 --connect-timeout 3 --max-time 5 -H 'Connection: close' -w '\nstatus: %{http_code}\n' \
    "http://127.0.0.1:$port/?[1-$1]"
}
"""
"""A function for a shell script: ``send REQUESTS SECONDS OPTION`` makes requests one after the other, each in a connection of its own."""
WARM = r"""
for look in $(seq 10); do
  send 12 20 > /tmp/$key-warm
  there=$(grep '^container: ' /tmp/$key-warm | sort -u | wc -l)
  [ $there -ge $wanted ] || [ $there$look = 04 ] && break
  sleep 1
done
rm -f /tmp/$key-warm
"""
"""Waits until all machines answer, because an entry that has just been started may not know all of them yet."""
SURVIVE = r"""
until=$(($(date +%s) + within_s))
while :; do
  send $requests 60 "--fail --fail-early" > /tmp/$key-after
  [ "$(grep -cx "greeting: $greeting" /tmp/$key-after)" = $requests ] && break
  [ "$(date +%s)" -lt $until ] || { send 6 40 > /tmp/$key-after; break; }
  sleep 0.5
done
cat /tmp/$key-after; rm -f /tmp/$key-after
"""
"""Makes requests until all of them are answered.  Where that takes too long, a few more tell whether anybody is answered at all."""
WALL = "iptables -t mangle {} PREROUTING ! -i lo -p tcp ! --dport 22 -j DROP"
"""Drops what comes in, as if the machine had lost its power.  Port 22 stays open, because the check itself comes in by it."""
MACHINES = ("Each machine runs the same: what you did for one, in a loop over three.", "What init keeps is still there tomorrow.")
ENTRY = ("haproxy is on the box: one port that it binds, three servers behind.", "They know each other's names: /etc/hosts.")
SHARE = ("balance roundrobin", "haproxy has a line server for each.")
SURVIVES = ("What asks a machine whether it is there is called a health check.", "server NAME ADDRESS check inter 1s; timeout connect 1s")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The entry's port, the app's, and what it is to say."""
    port, app = dice.ports(2)
    return {"port": port, "app_port": app, "greeting": f"hello-{dice.nonce()}", "names": [f"{key}-{name}" for name in NAMES]}


@check("vms.fleet", kind="program", parts=4, draw=draw, prepare=prepare, machines=NAMES, timeout_s=300)
def fleet(machine: Machine, task: Task) -> Iterator[Fact]:
    """Put three machines behind one entry: each gets its share, and when one dies nobody notices for long."""
    port = task.app_port
    found = {name: _found(task, one) for name, one in task.machines.items()}
    apps = {name: seen[port] for name, seen in found.items()}
    serving = {name: one.name for name, one in task.machines.items() if _serves(task, one, apps[name])}
    hints = [_about_app(task, name, apps[name], named=seen.named) for name, seen in found.items() if name not in serving]
    yield Fact("the machines", len(serving) == len(NAMES), f"{len(serving)} of {len(NAMES)} serve", (*hints[:1], *MACHINES))

    settings = f"port={task.port} key={task.key} wanted={max(1, len(set(serving.values())))} greeting={task.greeting}\n{SEND}"
    machine.sh(settings + WARM, timeout=260)
    sent = answers(machine.sh(f"{settings}send {REQUESTS} 100", timeout=120).stdout, task.greeting)
    all_right = sent.right == REQUESTS
    yield Fact("the entry", all_right, f"{sent.right} of {REQUESTS} requests answered", (_about_entry(task, sent), *ENTRY))
    shares = {name: sent.by[host] for name, host in serving.items()}
    fair = len(shares) == len(NAMES) and min(shares.values()) >= FAIR
    nobody = "others than these machines answered" if sent.by else "nobody answered"
    saw = ", ".join(f"{name} {number}" for name, number in shares.items()) or nobody
    yield Fact("a share for each", fair, saw, (_about_share(shares, sent), *SHARE))
    if not (all_right and len([number for number in shares.values() if number]) > 1):
        hint = "First, at least two machines are to answer at the entry, and no request is to fail."
        yield Fact("one dies", ok=False, saw="not tried", hints=(hint, *SURVIVES))
        return
    yield _one_dies(machine, task, settings, [name for name, number in shares.items() if number])


def _found(task: Task, machine: Machine) -> Ports:
    return look_when_started(machine, task.app_port, good=lambda seen: _serves(task, machine, seen[task.app_port]))


def _serves(task: Task, machine: Machine, app: Port) -> bool:
    """Whether the app itself runs on a machine, and not somebody who asks another one's."""
    return app.page("greeting") == task.greeting and app.page("container") == machine.name and not app.contained


def _one_dies(machine: Machine, task: Task, settings: str, names: list[str]) -> Fact:
    """Cut off each of the machines in turn: whichever it is, nobody is to notice."""
    script = f"{settings}requests={AFTER} within_s={WITHIN_S}\n{SURVIVE}"
    for victim in names:
        with cut_off(task.machines[victim]):
            after = answers(machine.sh(script, timeout=240).stdout, task.greeting)
        if after.right < AFTER:
            hint = f"{victim} fell silent, and requests went to it all the same. Does the entry ever ask whether somebody is there?"
            if not after.by:
                hint = f"{victim} fell silent, and nobody was answered any more: the entry itself is to stand on the box."
            return Fact("one dies", ok=False, saw=f"{WITHIN_S} s later requests still fail", hints=(hint, *SURVIVES))
    return Fact("one dies", ok=True, saw="no request fails", hints=SURVIVES)


@contextmanager
def cut_off(machine: Machine) -> Iterator[None]:
    """Cut a machine off from the network for as long as the ``with`` block lasts: nobody hears of it."""
    machine.sh(WALL.format("-I"), check=True)
    try:
        yield
    finally:
        machine.sh(WALL.format("-D"), check=True)


@dataclass(frozen=True)
class Answers:
    """The answers to some requests, counted.

    Args:
        right: how many had the greeting.
        by: how many came from each host, by the host's own name.
        statuses: how many had each status; 000 where there was no answer.
    """

    right: int
    by: Counter[str]
    statuses: Counter[str]


def answers(said: str, greeting: str) -> Answers:
    """Count the answers in what the shell function ``send`` has printed."""
    hosts, statuses = (Counter(re.findall(rf"^{name}: (\S+)$", said, re.MULTILINE)) for name in ("container", "status"))
    return Answers(len(re.findall(rf"^greeting: {re.escape(greeting)}$", said, re.MULTILINE)), hosts, statuses)


def _about_app(task: Task, name: str, app: Port, *, named: bool) -> str:
    if not app.processes or app.contained:
        return f"{name}: {why_nobody(task.app_port, named=named, container=app.contained)}"
    if app.page("greeting") == task.greeting:
        return f"{name}: whoever listens on port {task.app_port} hands the request to {app.page('container')}. The app is to run on each."
    return f"{name}: on port {task.app_port} the app is to say {task.greeting}; it {app.words}."


def _about_entry(task: Task, sent: Answers) -> str:
    worst = next(iter(sent.statuses.most_common(1)), ("000", 0))[0]
    if not sent.right and worst == "000":
        return f"Nobody answers on port {task.port} of the box: the entry stands there, and not on one of the machines."
    if not sent.right and worst.startswith("5"):
        return f"The entry answers with {worst}: it reaches none of the machines, on port {task.app_port}."
    if not sent.right:
        return f"Somebody answers on port {task.port} of the box, without the greeting."
    failed = REQUESTS - sent.right
    return f"{failed} of {REQUESTS} came to nothing: the entry hands requests to somebody who does not serve them."


def _about_share(shares: Mapping[str, int], sent: Answers) -> str:
    idle = [name for name, number in shares.items() if not number]
    if shares and max(shares.values()) > NEARLY_ALL * REQUESTS:
        return "Nearly all went to one of them. By what does the entry choose: by the client, who is always the same one here?"
    if idle and sent.right:
        return f"{idle[0]} serves, and got nothing: does the entry know it?"
    return f"Of {REQUESTS} requests each is to get {FAIR} at least."
