"""A pod that was made by hand, described as a manifest.

Podman runs the manifest, and the check compares the namespaces of that pod with those of the pod by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import OF_THE_MACHINE, container, look_until, page, state, task_container_lost
from lab.box.errors import UsageError, WaitTimeout
from lab.box.machine import Machine
from lab.objects import podman
from lab.objects.manifest.documents import documents
from lab.observe.namespace import Between, between, namespaces
from lab.observe.process import pid

COMPARED = ("net", "ipc", "pid", "mnt")
"""The kinds of namespaces that are compared.  uts is left out: containers of Docker can't share it, and those of a Podman pod always do."""
START = """
docker run -d --name $pause --ipc shareable pause
join="--network container:$pause --ipc container:$pause"
[ $tree = pod ] && join="$join --pid container:$pause"
docker run -d --name $app $join -e GREETING=$greeting app:v1
docker run -d --name $sidecar $join base sh -c 'while :; do sleep 3600; done'
"""
MOST = 65536
PLAY_S, SETTLE_S, HOLD_S, ANSWER_S = 90, 8, 0.7, 6
TAKEN = "address already in use"
WRITE = ("kind: Pod, a name under metadata, and under spec a list of containers.", "podman kube play FILE says what it does not take.")
RUN = ("podman ps -a lists them, and podman logs NAME what one has said.", "command and args take the place of what the image would run.")
IMAGES = (
    "An app and a sidecar of the same images: docker ps has a column for what the two by hand are of.",
    "image, in the manifest's list of containers",
)
BETWEEN = (
    "What /proc/PID/ns/pid leads to, for process 1 of each, is the same where they share that wall.",
    "A pod's containers see each other's processes on request: a field of spec, true or false.",
)
AROUND = ("Compare with what /proc/1/ns has: that is the box.", "hostNetwork, hostPID and hostIPC take such a wall away.")
PUBLISH = ("A port of the machine stands beside the container's own, in its list of ports.", "containerPort and hostPort")


@dataclass(frozen=True)
class Walls:
    """The namespaces of a pod.

    Args:
        inner: those of its containers.
        outside: the kernel's numbers of the box's own, by their kind.
    """

    inner: Between
    outside: Mapping[str, str]

    @property
    def shared(self) -> set[str]:
        """The kinds that all its containers share."""
        return self.inner.down & set(COMPARED)

    @property
    def opened(self) -> set[str]:
        """The kinds that at least one container shares with the box."""
        return {kind for own in self.inner.numbers.values() for kind in own if own[kind] == self.outside[kind]}


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The pod by hand, which has one process tree or three; a manifest's file, a pod's name, and a port of the machine."""
    names = {role: f"{key}-{role}" for role in ("pause", "app", "sidecar")}
    given = {"pod": f"{key}-played", "file": f"/root/{key}.yaml", "greeting": f"hello-{dice.nonce(4)}"}
    return {**names, **given, "port": dice.ports(1)[0], "_tree": dice.one(["pod", "own"])}


def make(machine: Machine, task: Task) -> None:
    """Make the pod by hand, and give the images to Podman."""
    told = {"tree": task._tree, **{name: task.values[name] for name in ("pause", "app", "sidecar", "greeting")}}  # noqa: SLF001  (not for the learner)
    machine.sh("\n".join(f"{name}={shlex.quote(str(value))}" for name, value in told.items()) + START, check=True)
    podman.hand_over(machine, "app:v1", "base")


@check("pods.manifest", kind="program", parts=5, draw=draw, prepare=make, timeout_s=240)
def manifest(machine: Machine, task: Task) -> Iterator[Fact]:
    """Write a pod that was made by hand as a manifest: played by Podman, it has the same walls."""
    by_hand = _by_hand(machine, task)
    if isinstance(by_hand, Fact):
        yield by_hand
        return
    played: podman.Played | Fact | None = None
    try:
        podman.remove(machine, task.pod)  # the learner has tried it
        played = _play(machine, task)
        yield played if isinstance(played, Fact) else Fact("Podman plays it", ok=True, saw="yes")
        if isinstance(played, podman.Played):
            yield from _compared(machine, task, by_hand, played)
    finally:
        podman.remove(machine, task.pod, configs=getattr(played, "configs", ()))


def _by_hand(machine: Machine, task: Task) -> Walls | Fact:
    for name in (task.pause, task.app, task.sidecar):
        if state(found := container(machine, name)) != "running":
            return task_container_lost(task, found, name)
    return _walls(machine, {name: pid(machine, name) for name in (task.pause, task.app, task.sidecar)})


def _walls(machine: Machine, processes: Mapping[str, int]) -> Walls:
    return Walls(between(machine, processes), namespaces(machine)[1])


def _play(machine: Machine, task: Task) -> podman.Played | Fact:
    what = "Podman plays it"
    text = machine.sh(f"head -c {MOST} {shlex.quote(task.file)} 2>/dev/null").stdout
    if not text.strip():
        hint = f"The manifest is to be in {task.file}, on the box."
        return Fact(what, ok=False, saw="there is no such file, or it is empty", hints=(hint, *WRITE))
    try:
        others = [it.content for it in documents(text) if it.content.get("kind") not in podman.BESIDE]
        if hint := _about_head(task, others[0] if others else {}):
            return Fact(what, ok=False, saw="it is another manifest", hints=(hint, *WRITE))
        return podman.play(machine, text, timeout_s=PLAY_S)
    except podman.Refused as error:
        taken = f"Port {task.port} is taken. podman pod ls lists pods that you have played, and docker ps what else publishes a port."
        hint = taken if TAKEN in error.why else error.why[-160:]
        return Fact(what, ok=False, saw="it refuses", hints=(hint, *WRITE))
    except WaitTimeout:
        hint = "A container that is to run before the others has not ended."
        return Fact(what, ok=False, saw=f"not within {PLAY_S} s", hints=(hint, *RUN))
    except UsageError as error:
        return Fact(what, ok=False, saw="this is no manifest", hints=(f"{error.what} {error.why}", *WRITE))


def _about_head(task: Task, whole: Mapping[str, object]) -> str:
    """What is wrong with kind and name, in a sentence; empty if nothing."""
    if (kind := whole.get("kind")) != "Pod":
        return f"It is a {kind}; wanted is a Pod itself." if kind else "There is no Pod in it: that begins with apiVersion: v1, kind: Pod."
    return "" if podman.name_of(whole) == task.pod else f"The pod is to be called {task.pod}: metadata, name."


def _compared(machine: Machine, task: Task, by_hand: Walls, played: podman.Played) -> Iterator[Fact]:
    wanted = len(by_hand.inner.numbers)
    running = _steady(played, wanted)
    ended = sorted(played.states.keys() - running.keys())
    hint = f"The pod by hand has {wanted} containers, pause among them, which Podman adds by itself."
    if ended:
        hint = f"{ended[0]} does not go on running: a container ends when its program does, and base has none that goes on."
    all_run = len(running) == wanted and not ended
    other = _of_another_image(machine, task, played) if all_run else ""
    if other:
        hint = f"{other} is of another image than those by hand."
    saw = ", ".join([*(f"{name} runs" for name in running), *(f"{name} has ended" for name in ended)])
    saw += f"; {other} of another image" if other else ""
    yield Fact("its containers", all_run and not other, saw[:70], (hint, *(IMAGES if other else RUN)))
    if not all_run:
        return
    theirs = _walls(machine, running)
    saw, hint = _says("gone", theirs.shared), _about(by_hand.shared, theirs.shared)
    yield Fact("the walls between them", theirs.shared == by_hand.shared, saw, (hint, *BETWEEN))
    hint = f"A container shares {', '.join(sorted(theirs.opened))} with the box itself. Around the pod by hand, every wall stands."
    yield Fact("the walls around it", not theirs.opened, _says("open", theirs.opened), (hint, *AROUND))
    yield _answers(machine, task)


def _of_another_image(machine: Machine, task: Task, played: podman.Played) -> str:
    """The first container whose image no container by hand has, or one whose image another container has taken; empty if all fit."""
    by_hand = [str((container(machine, name) or {}).get("Image", "")).rpartition(":")[2] for name in (task.app, task.sidecar)]
    for name, image in played.images.items():
        if name == played.pause:
            continue
        if image not in by_hand:
            return name
        by_hand.remove(image)
    return ""


def _steady(played: podman.Played, wanted: int) -> dict[str, int]:
    """The process ids of the containers that go on running, by name; waits until there are so many.

    A container that ends is started again, as another process: so one goes on running if two looks see the same process.
    """
    before: dict[str, int] = {}

    def same_as_before() -> dict[str, int]:
        nonlocal before
        earlier, before = before, played.running
        return {name: process for name, process in before.items() if earlier.get(name) == process}

    return look_until("the containers", lambda steady: len(steady) >= wanted, same_as_before, timeout_s=SETTLE_S, every_s=HOLD_S)


def _about(wanted: set[str], there: set[str]) -> str:
    if "pid" in wanted - there:
        return "In the pod by hand all see each other's processes, and pause is number 1. In yours each sees its own alone."
    if "pid" in there - wanted:
        return "In the pod by hand each container sees its own processes alone. In yours all see each other's."
    return f"Between the containers by hand these are gone: {', '.join(sorted(wanted))}."


def _says(word: str, kinds: set[str]) -> str:
    return f"{word}: {', '.join(sorted(kinds)) or 'none'}"


def _answers(machine: Machine, task: Task) -> Fact:
    answer = page(machine, OF_THE_MACHINE, task.port, patience_s=ANSWER_S)
    greets = f"greeting: {task.greeting}" in answer
    hint = f"Port {task.port} of the box is to lead to the app's port 8080."
    if answer and not greets:
        hint = f"An app answers there, and does not say what the one by hand says. docker inspect {task.app} tells what that was given."
    saw = "it greets" if greets else "another page" if answer else "nobody answers"
    return Fact(f"port {task.port} of the box", greets, saw, (hint, *PUBLISH))
