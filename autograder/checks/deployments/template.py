"""Copies of one template, each with an app and its sidecar: equal in all that the template says, and each at an address of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograder.checks.deployments.copies import PORT, Copies, Copy, Part, look
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import page, state
from lab.box.machine import Machine

ASKED_S = 5
COPIES = (
    "docker ps --filter label=… lists who has the label; docker ps -a also who has ended.",
    "In a Deployment: replicas, and the label under template.metadata.labels. With docker run: --label, for each copy.",
)
PAIRS = (
    "Which of your containers are in the same network? Compare what /proc/PID/ns/net leads to.",
    "The template has two containers, and the template is what is copied. By hand: start a copy's app, then join it, once for each copy.",
)
EQUAL = (
    "Compare two of them: docker inspect A > a; docker inspect B > b; diff a b",
    "Write the two docker run once, in a loop, with nothing in them that depends on the copy but names.",
)
ADDRESS = (
    "docker inspect has the address under .NetworkSettings.Networks; who has joined another one's network has none of its own.",
    f"The app listens on port {PORT} unless PORT says otherwise. docker run without --network gives an address.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The value of the label, how many copies, and what the app is to say."""
    return {"app": key, "label": f"app={key}", "copies": dice.integer(3, 4), "greeting": f"hello-{dice.nonce()}"}


@check("deployments.template", kind="state", parts=4, draw=draw)
def template(machine: Machine, task: Task) -> Iterator[Fact]:
    """Run copies of one template, an app and its sidecar: equal in what they are, each at its own address, copied as one."""
    found = look(machine, task.label)
    number = len(found.each)
    yield Fact("copies", number == task.copies, f"{number} of {task.copies}", (_about_number(task, found), *COPIES))
    if not found.groups:
        return

    whole = [copy for copy in found.groups if len(copy.apps) == 1 and copy.sidecars]
    in_pairs = len(whole) == len(found.groups) and not found.outside
    saw = f"{len(whole)} of {len(found.groups)} have both"
    yield Fact("an app and its sidecar in each", in_pairs, saw, (_about_pairs(found, whole), *PAIRS))

    several = number > 1
    hint = "It takes two to be equal." if not several else _difference(task.key, found.each)
    if not hint and not all(_says(task, app) for copy in found.each for app in copy.apps):
        hint = f"They are equal, and do not say {task.greeting}: the app's variable GREETING, in the template."
    saw = "one copy" if number == 1 else "no copy" if not number else "different" if _difference(task.key, found.each) else "equal"
    yield Fact("what they are made of", several and not hint, saw, (hint, *EQUAL))

    addresses = [copy.address for copy in found.each]
    silent = [copy for copy in found.each if not _answers(machine, copy)]
    apart = several and all(addresses) and len(set(addresses)) == number
    saw = f"{len(set(filter(None, addresses)))} addresses, {number - len(silent)} of {number} apps answer"
    yield Fact("their addresses", apart and not silent, saw, (_about_addresses(found, silent), *ADDRESS))


def _about_number(task: Task, found: Copies) -> str:
    if found.outside:
        return f"{found.outside[0].name} is in the network of the box itself. A copy has one of its own."
    if len(found.each) > task.copies:
        return f"There are more than {task.copies}: is something of an earlier try still running?"
    if found.ended:
        last = found.ended[-1]
        code = f" ({last['State']['ExitCode']})" if state(last) != "created" else ""
        return f"{last['Name'][1:]} is {state(last)}{code}, and does not run. docker logs tells what it said last."
    if not found.groups:
        return f"No container has the label {task.label}."
    if not found.each:
        return "Containers with the label run, and none of them is of app:v1."
    return f"A copy is an app, and what is in one network with it. There are to be {task.copies}."


def _about_pairs(found: Copies, whole: Sequence[Copy]) -> str:
    if crowd := next((copy for copy in found.groups if len(copy.apps) > 1), None):
        return f"{crowd.apps[0].name} and {crowd.apps[1].name} are in one network: that is one copy with two apps, and not two copies."
    lone = [copy for copy in found.groups if not copy.sidecars]
    others = [copy for copy in found.groups if not copy.apps]
    if lone and (others or whole):
        return f"{lone[0].name} has no sidecar. Apps and sidecars were counted one by one, and did not stay together."
    if lone:
        return f"{lone[0].name} is alone. A sidecar is one more container, of another image, in the same network."
    if others:
        return f"{others[0].name} has the label, and no app is in its network."
    return "A container with the label is in the network of the box itself."


def _says(task: Task, app: Part) -> bool:
    return f"GREETING={task.greeting}" in (app.found["Config"]["Env"] or ())


def _difference(key: str, copies: Sequence[Copy]) -> str:
    """In what the first two copies that are not equal differ, in a sentence; empty if all are equal."""
    first, *others = copies
    for other in others:
        if len(first.parts) != len(other.parts):
            return f"{first.name} has {len(first.parts)} containers, and {other.name} {len(other.parts)}."
        for one, another in zip(_sorted(key, first), _sorted(key, other), strict=True):
            mine, its = specification(key, one), specification(key, another)
            if unlike := [what for what, value in mine.items() if its[what] != value]:
                return f"{one.name} and {another.name} differ: {', '.join(unlike)}."
    return ""


def _sorted(key: str, copy: Copy) -> list[Part]:
    return sorted(copy.parts, key=lambda part: repr(specification(key, part)))


def specification(key: str, part: Part) -> dict[str, Any]:
    """What a container was made with, by what a learner calls it; without the names and numbers that each copy has for itself.

    Args:
        key: what every name of the task begins with.
        part: the container.
    """
    config, host = part.found["Config"], part.found["HostConfig"]
    own = {str(config["Hostname"]), *(network["IPAddress"] for network in part.found["NetworkSettings"]["Networks"].values())}

    def common(text: object) -> str:
        for word in filter(None, own):
            text = str(text).replace(word, "…")
        return re.sub(rf"{re.escape(key)}[\w.-]*", "…", str(text))

    return {
        "image": part.found["Image"],
        "command": common([config["Entrypoint"], config["Cmd"]]),
        "variables": sorted(common(one) for one in config["Env"] or ()),
        "user and directory": [config["User"], config["WorkingDir"]],
        "memory": host["Memory"],
        "processor": [host["NanoCpus"], host["CpuQuota"], host["CpuShares"]],
        "restart policy": host["RestartPolicy"]["Name"],
        "published ports": repr(host["PortBindings"] or {}),
        "what is mounted": sorted(str(it["Destination"]) for it in part.found["Mounts"]),
        "walls": [common(host[mode]).partition(":")[0] for mode in ("NetworkMode", "IpcMode", "PidMode", "UTSMode")],
        "rights": [host["Privileged"], host["CapAdd"] or [], host["CapDrop"] or []],
    }


def _answers(machine: Machine, copy: Copy) -> bool:
    return any("version: " in page(machine, app.pid, PORT, patience_s=ASKED_S) for app in copy.apps)


def _about_addresses(found: Copies, silent: Sequence[Copy]) -> str:
    if lost := next((copy for copy in found.each if not copy.address), None):
        return f"{lost.name} has no address: nobody can reach it from outside."
    if silent:
        return f"Nobody answers on port {PORT} of {silent[0].name}."
    return "It takes two to have different ones."
