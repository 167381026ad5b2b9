"""A pod: its containers share some namespaces with each other, and none with the box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.checks.pods.diagnosis import all_run
from autograder.checks.pods.members import Members, look, names
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from lab.box.machine import Machine

ROLES = ("pause", "app", "sidecar")
KINDS = {"net": "the network", "ipc": "message queues (ipc)"}
OPTIONS = {
    "net": ("Compare what /proc/PID/ns/net leads to, for process 1 of each.", "--network container:NAME"),
    "ipc": ("An ipc namespace can be joined if its owner allows that.", "--ipc shareable for one, --ipc container:NAME for the others"),
}
APART = ("Compare what /proc/PID/ns/mnt and /proc/PID/ns/pid lead to.", "Without --pid, these two walls stand by themselves.")
CALLED = ("Who joins a network is given the host name of whose it is.", "docker run --hostname; in a manifest, spec.hostname")


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The names of three containers, and the host name that they are to have."""
    return {**names(key, *ROLES), "hostname": f"shop-{dice.nonce(4)}"}


@check("pods.shared-walls", kind="state", parts=5, draw=draw)
def shared_walls(machine: Machine, task: Task) -> Iterator[Fact]:
    """Pause, app and sidecar share network, ipc and host name, and keep files and processes apart."""
    pod = look(machine, task, *ROLES)
    yield all_run(machine, pod)
    if not pod.all_run:
        return
    for kind, what in KINDS.items():
        yield Fact(what, pod.joined(kind), _saw(pod, kind), (_about(pod, kind), *OPTIONS[kind]))

    shares, standing = any(map(pod.joined, KINDS)), [kind for kind in ("mnt", "pid") if pod.apart(kind)]
    hint = "First some walls are to go; then it shows whether the others still stand."
    if shares:
        hint = "One process tree for all is more than this pod is to have: somebody joined that, too."
    if pod.opened("pid"):
        hint = "A container sees the processes of the box itself: that wall is missing around the pod."
    saw = f"apart: {', '.join(standing) or 'neither'}" if shares else "nothing is shared yet"
    yield Fact("files (mnt) and processes (pid)", shares and len(standing) == 2, saw, (hint, *APART))

    said = [machine.sh(f"nsenter --target {member.pid} --uts hostname").stdout.strip() for member in pod.each]
    hint = f"All three are to call themselves {task.hostname}. Docker can't join this wall, but the name can be the same."
    if pod.opened("uts"):
        hint = "With --uts host a container has the name of the box, and no name of its own."
    yield Fact(
        "their host name", set(said) == {task.hostname} and not pod.opened("uts"), ", ".join(dict.fromkeys(said))[:60], (hint, *CALLED)
    )


def _saw(pod: Members, kind: str) -> str:
    if pod.opened(kind):
        return "one of them uses the box's"
    different = len(set(pod.numbers(kind)))
    return "one for all" if different == 1 else f"{different} different ones for 3 containers"


def _about(pod: Members, kind: str) -> str:
    if pod.opened(kind):
        return "host takes the wall towards the box away. Around a pod it stands; between its containers it does not."
    if len(set(pod.numbers(kind))) == len(pod.each):
        return "Each has one of its own: between these containers, that wall stands."
    return "Two of them share it, and one does not. Who was to join whom?"
