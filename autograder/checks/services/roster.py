"""A client that picks for itself, from a list of replicas, and goes on while they come and go: no proxy stands in between.

The check keeps the list and starts the learner's program.  What the client does is read from the replicas' own logs: it numbers its
requests, so one that was given up shows as a number that no replica has ever answered.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autograder.checks.services.replicas import PORT
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import addresses, container, look_until, page, state
from lab.box.machine import Machine

FIRST, LEAST = 90, 9
"""A client that draws lots asks one of three replicas fewer than 9 times of the first 90 once in six million times."""
STARTS_S, FOLLOWS_S, LAGS_S, EVERY_S = 45, 30, 3, 0.5
MORE, FEW = 15, 3
"""After so many numbers more it is clear what the client does; fewer than a few tell that it has stopped."""
QUIET = 30
"""So many numbers in a row that one of three replicas does not get by chance once in two hundred thousand times."""
SHARE = 5
"""So many requests tell that a replica has its share."""
IN_HAND = 10
"""The last numbers do not count as missing: the client may have them in hand still, where it asks several replicas at a time."""
START_REPLICA = """
docker rm -fv $name > /dev/null 2>&1
mkdir -p $logs
docker run -d --name $name --network $network -v $logs:/logs -e ACCESS_LOG=/logs/$name -e GREETING=$greeting app:v1
"""
START_CLIENT = r"""
for log in $logs/*; do : > "$log"; done
cd /root && chmod u+x "$client" && export list
setsid bash -c "$client; echo code \$?" > "$said" 2>&1 < /dev/null &
echo $!
"""
END_CLIENT = r"""
kill -TERM -- -$pid 2>/dev/null; sleep 0.3; kill -KILL -- -$pid 2>/dev/null
rm -f "$said"
"""
ENDED = "Your client has ended. It is to go on for as long as nobody ends it."
CLIENT = (
    "It is a program of yours that the check starts, with the name of the list in $list.",
    "Python's http.client or curl asks; random.choice or shuf picks.",
)
SPREAD = ("Each request is a new choice among all that are on the list.", "random.choice(open(list).read().split()), or shuf -n 1 $list")
AGAIN = (
    "Whoever does not answer is not there; the same number then goes to another one on the list, and waiting for an answer has an end.",
    "A loop around the request: until one has answered, pick again. curl --max-time 2, or timeout=2.",
)
FRESH = (
    "The file is another one whenever the list has changed. A file that is read once, or held open, stays as it was.",
    "Open and read it anew for each request: it is short.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The list, the learner's program, and what the replicas say."""
    names = {"list": f"/root/{key}-list", "client": f"/root/{key}-client", "network": f"{key}-net"}
    return {**names, "replicas": [f"{key}-{letter}" for letter in "abc"], "greeting": f"hello-{dice.nonce()}"}


def prepare(machine: Machine, task: Task) -> None:
    """Start three replicas, and write the list of them."""
    machine.sh(f"docker network create {task.network}", check=True)
    _begin(machine, task)


@check("services.roster", kind="program", parts=4, draw=draw, prepare=prepare, timeout_s=290)
def roster(machine: Machine, task: Task) -> Iterator[Fact]:
    """Write a client that picks from a list, and keeps working while replicas come and go, without a proxy."""
    what = "a share for each"
    if machine.sh(f"[ -s {task.client} ]").code:
        yield Fact(
            what, ok=False, saw="there is no client", hints=(f"Your program goes onto your box, into the file {task.client}.", *CLIENT)
        )
        return
    _begin(machine, task)
    first, second, third = task.replicas
    new = f"{second}-new"
    try:
        _start(machine, task, new)  # while the others run, so that it has an address that nobody has had
        with _started(machine, task) as client:
            seen = client.wait(lambda it: len(it.answered) >= FIRST, STARTS_S)
            yield _spread(task, seen)
            if not seen.answered:
                return
            yield _one_dies(machine, task, client, second)
            yield _one_comes(machine, task, client, new, [first, third])
            yield _one_leaves(machine, task, client, first, [third, new])
    finally:
        machine.sh(f"docker rm -fv {new}")
        _begin(machine, task)


@dataclass(frozen=True)
class Seen:
    """What has come of the client so far.

    Args:
        by: the numbers of the requests that each replica has answered, in their order, by its name.
        ended: its exit code and the last line that it has printed; empty while it runs.
    """

    by: Mapping[str, tuple[int, ...]]
    ended: str

    @property
    def answered(self) -> set[int]:
        """The numbers that somebody has answered."""
        return {number for numbers in self.by.values() for number in numbers}

    @property
    def missing(self) -> list[int]:
        """The numbers that nobody has answered, although the client is well beyond them."""
        there = self.answered
        return [number for number in range(1, max(there, default=0) - IN_HAND) if number not in there]

    def count(self, name: str) -> int:
        """How many requests a replica has answered."""
        return len(self.by.get(name, ()))


@dataclass(frozen=True)
class Client:
    """The learner's program, while it runs.

    Args:
        machine: that it runs on.
        logs: the directory of the replicas' logs.
        said: the file with what it prints.
    """

    machine: Machine
    logs: str
    said: str

    def look(self) -> Seen:
        """What has come of it so far."""
        printed = self.machine.sh(
            f"cd {self.logs} && grep -H ' GET /?' * ; echo; tail -n 3 {self.said} 2>/dev/null | tr -dc '[:print:]\\n'"
        ).stdout
        by: dict[str, list[int]] = {}
        for name, number in re.findall(r"^([\w.-]+):\S+ \S+ GET /\?(\d{1,7}) 200 ", printed, re.MULTILINE):
            by.setdefault(name, []).append(int(number))
        code = re.search(r"^code (\d+)$", printed, re.MULTILINE)
        lines = [line for line in printed.rpartition("\n\n")[2].splitlines() if line.strip() and not line.startswith("code ")]
        ended = f"ended with {code[1]}: {(lines or ['it said nothing'])[-1][:70]}" if code else ""
        return Seen({name: tuple(numbers) for name, numbers in by.items()}, ended)

    def wait(self, wanted: Callable[[Seen], bool], timeout_s: float) -> Seen:
        """What has come of it as soon as it is as wanted, or has ended, or the time is up."""
        return look_until("the client", lambda it: bool(it.ended) or wanted(it), self.look, timeout_s=timeout_s, every_s=EVERY_S)


@contextmanager
def _started(machine: Machine, task: Task) -> Iterator[Client]:
    """The learner's program, which runs for as long as the ``with`` block lasts."""
    logs, said = _logs(task), f"/tmp/{task.key}-said"  # noqa: S108  (on the machine)
    settings = f"client={shlex.quote(task.client)} list={task.list} logs={logs} said={said}\n"
    pid = int(machine.sh(settings + START_CLIENT, check=True).stdout)
    try:
        yield Client(machine, logs, said)
    finally:
        machine.sh(f"pid={pid} said={said}\n{END_CLIENT}")


def _spread(task: Task, seen: Seen) -> Fact:
    """The fact that each of the replicas gets its share."""
    shares = {name: seen.count(name) for name in task.replicas}
    saw = ", ".join(map(str, shares.values())) + f" of {len(seen.answered)} requests"
    enough = len(seen.answered) >= FIRST
    if seen.ended:
        hint, saw = ENDED, seen.ended
    elif not seen.answered:
        hint = "It runs, and no replica has answered a request of the form GET /?1, /?2, and so on."
    elif not enough:
        hint = f"That is all in {STARTS_S} s. It is to ask at least five times a second."
    elif idle := [name for name, number in shares.items() if not number]:
        hint = f"{len(idle)} of the three got nothing. Whom does it pick?"
    else:
        hint = "One of them got much less than the others."
    fair = enough and not seen.ended and min(shares.values()) >= LEAST
    return Fact("a share for each", fair, saw, (hint, *(SPREAD if seen.answered else CLIENT)))


def _one_dies(machine: Machine, task: Task, client: Client, name: str) -> Fact:
    """Kill a replica that is on the list, and take it off some seconds later: no number is to be lost."""
    machine.sh(f"docker kill {name}", check=True)
    at = max(client.look().answered, default=0)
    client.wait(lambda _: False, LAGS_S)
    _write(machine, task, [one for one in task.replicas if one != name])
    seen = client.wait(lambda it: max(it.answered, default=0) >= at + MORE + IN_HAND, FOLLOWS_S)
    lost = seen.missing
    if seen.ended:
        hint, saw = f"{name} was killed while it was on the list, and then your client ended. Who is not there must not end it.", seen.ended
    elif max(seen.answered, default=0) < at + FEW:
        hint, saw = f"{name} was killed, and your client asks nobody any more. For what does it wait?", "it has stopped asking"
    elif lost:
        hint = f"{name} was killed while it was on the list, and number {lost[0]} was never answered by anybody."
        saw = f"{len(lost)} numbers were lost"
    else:
        hint, saw = "", "it goes on, and no number is lost"
    return Fact("one dies", not hint, saw, (hint, *AGAIN))


def _one_comes(machine: Machine, task: Task, client: Client, name: str, others: list[str]) -> Fact:
    """Put another replica on the list: it is to get its share."""
    _write(machine, task, [*others, name])
    seen = client.wait(lambda it: it.count(name) >= SHARE, FOLLOWS_S)
    ok = seen.count(name) >= SHARE
    saw = f"it gets {'requests' if seen.count(name) else 'nothing'}"
    hint = f"{name} has been on the list for {FOLLOWS_S} s, and was asked {seen.count(name)} times."
    if seen.ended and not ok:
        saw, hint = seen.ended, ENDED
    return Fact("one comes", ok, saw, (hint, *FRESH))


def _one_leaves(machine: Machine, task: Task, client: Client, name: str, others: list[str]) -> Fact:
    """Take a replica off the list while it runs, as before it is stopped: nobody is to ask it any more, and the others are asked."""
    at_first = client.look()
    _write(machine, task, others)
    last_asked = [at_first]

    def quiet(it: Seen) -> bool:
        """Whether the others have been asked often enough since the last request of the one that leaves."""
        if last_asked[0].count(name) != it.count(name):
            last_asked[0] = it
        return len(it.answered) >= len(last_asked[0].answered) + QUIET

    seen = client.wait(quiet, FOLLOWS_S)
    ok = quiet(seen) and not seen.ended
    if seen.ended:
        saw, hint = seen.ended, ENDED
    elif len(seen.answered) < len(at_first.answered) + FEW:
        saw, hint = "it has stopped asking", "Two replicas are on the list, and your client hardly asks anybody any more."
    else:
        saw = "only those on the list are asked" if ok else "it is asked all the same"
        hint = f"{name} was taken off the list {FOLLOWS_S} s ago, because it is to be stopped, and your client goes on asking it."
    return Fact("one leaves the list", ok, saw, (hint, *FRESH))


def _begin(machine: Machine, task: Task) -> None:
    """Three replicas that run, and the list of them."""
    for name in task.replicas:
        if state(container(machine, name)) != "running":
            _start(machine, task, name)
    _write(machine, task, task.replicas)


def _start(machine: Machine, task: Task, name: str) -> None:
    """Start a replica, and wait until it answers."""
    settings = f"name={name} network={task.network} logs={_logs(task)} greeting={task.greeting}\n"
    machine.sh(settings + START_REPLICA, check=True)
    found: Mapping[str, Any] = container(machine, name) or {}
    page(machine, int(found["State"]["Pid"]), PORT, patience_s=30)


def _write(machine: Machine, task: Task, names: list[str]) -> None:
    """Put a new list in the place of the old one."""
    found = [container(machine, name) for name in names]
    lines = "".join(f"{addresses(one)[0]}:{PORT}\n" for one in found if one)
    machine.sh(f"cat > {task.list}.new && mv {task.list}.new {task.list}", stdin=lines.encode(), check=True)


def _logs(task: Task) -> str:
    return f"/root/{task.key}-logs"
