"""A replica that is not ready leaves the group behind an entry, without being restarted, and comes back when it is ready again.

The check asks at the entry without a break, from the first moment to the last, and meanwhile makes one replica not ready: by a file that
this task's own image of the app heeds.  The replica runs on, and would answer; whoever sends it requests has not asked whether it is ready.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence

from autograder.checks.services.asking import Answer, Load, by_container, entry_of, load, now
from autograder.checks.services.group import Replica, about_group, replicas
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, look_until, page
from lab.box.machine import Machine

COUNT, WITHIN_S = 3, 15
FIRST_PORT, LAST_PORT = 30000, 32767
"""The ports that Kubernetes gives to Services of the type NodePort."""
MEETS_S, EVERY_S = 15, 0.5
QUIET_S, QUIET = 4, 30
"""It is out of the group when it has answered nothing for so many seconds, and so many requests: by chance once in 190,000 times."""
SWITCH = "/run/not-ready"
PROGRAM = f"""
import os, sys
sys.path.insert(0, "/srv/app")
import server

class App(server.App):
    def answer(self, method, target, request_id):
        if target.partition("?")[0] == os.environ["PROBE"]:
            return (503, "not ready\\n") if os.path.exists("{SWITCH}") else super().answer(method, "/ready", request_id)
        return super().answer(method, target, request_id)

server.App = App
server.main(dict(os.environ))
"""
"""The app, which is told by a file not to be ready."""
BUILD = """
mkdir -p /root/$key-image && cd /root/$key-image && cat > switch.py
printf 'FROM app:v1\\nENV PROBE=%s\\nCOPY switch.py /srv/app/\\nCMD ["python3", "-I", "-S", "/srv/app/switch.py"]\\n' $probe > Dockerfile
docker build --quiet --tag $image . && rm -r /root/$key-image
"""
ENTRY = ("Any entry will do that is asked on the box.", "haproxy on the box: one port that it binds, a line server for each replica.")
LEAVE = (
    "Whoever sends requests is to ask each replica whether it is ready, again and again, and to send none where the answer is not 200.",
    "haproxy: option httpchk GET, and the path; check inter 1s on each server.  A manifest: readinessProbe, with periodSeconds: 1.",
)
RUNS_ON = (
    "docker ps says since when it runs, docker inspect has RestartCount.",
    "A readinessProbe takes it out of the group; a livenessProbe has it restarted.",
)
BACK = (
    "It is to be asked whether it is ready while it is out of the group, too.",
    "haproxy: rise 1, and inter 1s, say how soon it is believed.",
)
NONE_LOST = (
    "Where rules are removed and written again, nobody is there for a moment.",
    "iptables-restore puts all rules in force at once; haproxy never stops for a check.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The entry's port, which is one of those for Services; an image, where it says whether it is ready; what the replicas are to say."""
    port = dice.integer(FIRST_PORT, LAST_PORT)
    image = {"image": f"{key}-app", "probe": f"/may-{dice.nonce(4)}", "switch": SWITCH}
    return {"service": key, **image, "greeting": f"hello-{dice.nonce()}", "port": port}


def prepare(machine: Machine, task: Task) -> None:
    """Build the image of the app that a file tells not to be ready."""
    machine.sh(f"key={task.key} image={task.image} probe={task.probe}\n{BUILD}", stdin=PROGRAM.encode(), check=True, timeout=120)


@check("services.ready", kind="program", parts=5, draw=draw, prepare=prepare, timeout_s=240)
def ready(machine: Machine, task: Task) -> Iterator[Fact]:
    """A replica that is not ready gets no more requests, runs on, and gets them again once it is ready."""
    group = replicas(machine, task)
    if wrong := about_group(task, group, COUNT):
        yield Fact("the group", ok=False, saw=f"{len(group)} replicas", hints=(wrong, *ENTRY))
        return
    if not (entry := entry_of(machine, task)):
        hint = f"Nobody answers with the greeting on port {task.port} of the box."
        yield Fact("the group", ok=False, saw="nobody answers", hints=(hint, *ENTRY))
        return
    with load(machine, task, entry) as sent:

        def shares() -> dict[str, int]:
            return by_container(sent.answers(), group)

        met = look_until("all replicas", lambda it: all(it.values()), shares, timeout_s=MEETS_S, every_s=EVERY_S)
        idle = [name for name, number in met.items() if not number]
        saw = f"{COUNT - len(idle)} of {COUNT} answer"
        yield Fact("the group", not idle, saw, (f"{(idle or [''])[0]} is ready, and got no request at the entry.", *ENTRY))
        since = now(machine)
        yield from _one_is_not_ready(machine, task, secrets.choice([it for it in group if met[it.container]]), sent)
        yield _none_lost(sent.answers(), since)


def _one_is_not_ready(machine: Machine, task: Task, victim: Replica, sent: Load) -> Iterator[Fact]:
    """Make a replica not ready, and then ready again: it leaves, runs on, and comes back."""
    since = now(machine)
    machine.sh(f"touch /proc/{victim.pid}/root{SWITCH}", check=True)
    try:
        left_s = _leaves(machine, victim, sent, since)
        same = victim.same(machine)
        in_time = left_s is not None and left_s <= WITHIN_S
        saw = "it is asked still" if left_s is None else f"asked no more after {left_s:.1f} s"
        yield Fact("one is not ready", in_time, saw, (_about_leaving(machine, task, victim, since, same=same), *LEAVE))
        hint = f"{victim.container} was not ready, and was restarted or replaced. It was busy, and nothing was wrong with it."
        if left_s is None and same:
            hint = f"It counts when {victim.container} has left the group."
        yield Fact("it runs on", same and left_s is not None, "the same process" if same else "it was restarted", (hint, *RUNS_ON))
    finally:
        _make_ready(machine, victim)
    if left_s is None or not same:
        yield Fact("it is ready again", ok=False, saw="not tried", hints=("It counts when it has left the group, and runs on.", *BACK))
        return
    back = now(machine)

    def look() -> list[Answer]:
        return [it for it in sent.answers(back) if it.host == victim.host]

    answers = look_until("an answer of the replica", bool, look, timeout_s=WITHIN_S + 2, every_s=EVERY_S)
    back_s = answers[0].at - back if answers else None
    saw = "it is not asked" if back_s is None else f"asked again after {back_s:.1f} s"
    hint = f"{victim.container} answers 200 at {task.probe} again, and {WITHIN_S} s later it still gets no request."
    yield Fact("it is ready again", back_s is not None and back_s <= WITHIN_S, saw, (hint, *BACK))


def _make_ready(machine: Machine, victim: Replica) -> None:
    """Take the file away, also where the container has been restarted with it."""
    if found := container(machine, victim.container):
        machine.sh(f"rm -f /proc/{found['State']['Pid'] or victim.pid}/root{SWITCH}")


def _leaves(machine: Machine, victim: Replica, sent: Load, since: float) -> float | None:
    """The seconds from a moment to the last request that a replica got; None where it never stopped getting some."""

    def look() -> tuple[float, bool]:
        answers = [it for it in sent.answers(since) if it.host]
        last = max((it.at for it in answers if it.host == victim.host), default=since)
        return last - since, sum(it.at > last for it in answers) >= QUIET and now(machine) - last >= QUIET_S

    patience_s = WITHIN_S + 2 * QUIET_S
    seconds, quiet = look_until("a replica to be out of the group", lambda it: it[1], look, timeout_s=patience_s, every_s=EVERY_S)
    return seconds if quiet else None


def _about_leaving(machine: Machine, task: Task, victim: Replica, since: float, *, same: bool) -> str:
    """The hint where a replica that is not ready is asked still, from what its log says it was asked for meanwhile."""
    log = machine.sh(f"docker logs --since {since:.3f} {shlex.quote(victim.container)} 2>/dev/null").stdout
    asked = set(re.findall(r" (?:GET|HEAD) (/[\w-]*)", log))
    if not same:
        return f"{victim.container} was restarted because it was not ready, and was asked all the same."
    if "not ready" not in page(machine, victim.pid, victim.port, task.probe):
        return f"{victim.container} is not of the image {task.image}: at {task.probe} it does not say 503, although there is {SWITCH}."
    if task.probe in asked:
        return f"{victim.container} was asked at {task.probe}, said 503, and was left in the group; or it took more than {WITHIN_S} s."
    if other := asked & {"/ready", "/healthz"}:
        return (
            f"{victim.container} was asked at {other.pop()}, where this image always says yes. Whether it is ready it says at {task.probe}."
        )
    return f"{victim.container} says 503 at {task.probe}, and nobody asks it there. A port that takes connections says nothing of that."


def _none_lost(answers: Sequence[Answer], since: float) -> Fact:
    """The fact that each request was answered, from the beginning to the end."""
    lost = [it for it in answers if it.at >= since and not it.host]
    made = sum(it.at >= since for it in answers)
    saw = f"all of {made} answered" if not lost else f"{len(lost)} of {made} lost, with {lost[0].words}"
    hint = "Requests were lost while the group changed, although two replicas were there all the time."
    if lost and lost[0].status:
        hint = f"The entry itself answered with {lost[0].status}: for a moment it took nobody for ready, although two were all the time."
    return Fact("all requests", not lost and made > 0, saw, (hint, *NONE_LOST))
