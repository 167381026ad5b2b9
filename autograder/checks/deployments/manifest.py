"""A Deployment as a real manifest: read strictly, run as so many copies by whatever controller, and played once by Podman.

What is compared with Kubernetes is what the course's reader compares: each field of the manifest must be one that the API of Kubernetes
1.37 has at that place, of the right type and within its limits, and what the API demands must be there.  The reader is stricter than a
cluster: a field of Kubernetes that is not supported here is refused by its name.  So what it takes is valid there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autograder.checks.deployments.copies import PORT, Copies, Copy, look
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import image, page, said
from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.box.machine import Machine
from lab.objects import podman
from lab.objects.container import ContainerSpec
from lab.objects.deployment_spec import DeploymentSpec, read_deployment
from lab.objects.env import is_late

MOST, ASKED_S, PLAY_S = 65536, 6, 120
READY_PATH = "/ready"
WRITE = (
    "apiVersion: apps/v1, kind: Deployment; under spec: replicas, selector, template, and how one template gives way to the next.",
    "read_deployment(text), of lab.objects.deployment_spec, says what it does not take, and in which line.",
)
FIELDS = (
    "Lesson 05 has such a manifest; docs/manifests.md has a table of all fields.",
    "spec.strategy.rollingUpdate, spec.minReadySeconds; in the container: env, and readinessProbe: {httpGet: {path: …, port: …}}.",
)
RUNS = (
    "docker ps --filter label=… lists the copies, and docker inspect what each is made of.",
    "Deployment.apply(text, node), and with Controller(node): it.wait() until all are ready. A loop of your own does as well.",
)
PLAYED = (
    "podman kube play FILE, podman pod ps, podman logs: what is made of it, and what it says.",
    "The images are to be ones that the box has: app:v1, base, tools. podman.play(box, text) copies them to Podman first.",
)
IGNORED = (
    "Compare the pod that Podman has made with the manifest: which fields have had no effect?",
    "from lab.objects import podman; podman.play(box, text) names them. Report the names, such as revisionHistoryLimit, as a list.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """Where the manifest goes, and what it is to ask for."""
    names = {"app": key, "label": f"app={key}", "file": f"/root/{key}.yaml", "greeting": f"hello-{dice.nonce()}"}
    return {
        **names,
        "copies": dice.integer(3, 4),
        "surge": dice.integer(1, 2),
        "unavailable": dice.integer(0, 1),
        "seconds": dice.integer(1, 3),
    }


@check("deployments.manifest", kind="program", parts=5, answers=("ignored",), draw=draw, timeout_s=400)
def manifest(machine: Machine, task: Task) -> Iterator[Fact]:
    """Write a Deployment as a manifest that Kubernetes would take, run it, and say what Podman ignores in it."""
    text = machine.sh(f"head -c {MOST} {shlex.quote(task.file)} 2>/dev/null").stdout
    if not text.strip():
        hint = f"The manifest is to be in {task.file}, on the box."
        yield Fact("the manifest", ok=False, saw="there is no such file, or it is empty", hints=(hint, *WRITE))
        return
    try:
        spec = read_deployment(text)
    except UsageError as error:
        yield Fact("the manifest", ok=False, saw="it is not taken", hints=(f"{error.what} {error.why}", *WRITE))
        return
    yield Fact("the manifest", ok=True, saw=f"a Deployment, {spec.replicas} replicas")
    wrong = _unlike(task, spec)
    saw = f"not as asked: {', '.join(wrong)}"[:70] if wrong else "as asked"
    yield Fact("what it asks for", not wrong, saw, (next(iter(wrong.values()), ""), *FIELDS))
    yield _runs(machine, task, spec)
    played: podman.Played | Fact | None = None
    try:
        podman.remove(machine, f"{spec.name}-pod")  # the learner has tried it
        played = _play(machine, text)
        yield _as_played(machine, task, spec, played)
        yield _ignored(task, spec, played)
    finally:
        podman.remove(machine, f"{spec.name}-pod", configs=getattr(played, "configs", ()))


def _unlike(task: Task, spec: DeploymentSpec) -> dict[str, str]:
    """What the manifest does not ask for as the task has it: a sentence for each field, by its name."""
    pod = spec.pod(spec.name, {})
    apps = [it for it in pod.containers if it.image.removeprefix("docker.io/library/") == "app:v1"]
    asked = [it.probes["readiness"].handler for it in apps if "readiness" in it.probes]
    probed = any((it.kind, it.path, it.port) == ("httpGet", READY_PATH, PORT) for it in asked)
    wanted = {
        "name": (spec.name == task.app, f"metadata.name is to be {task.app}."),
        "replicas": (spec.replicas == task.copies, f"spec.replicas is to be {task.copies}."),
        "label": (spec.selector.get("app") == task.app, f"The selector is to have app: {task.app}, and so are the template's labels."),
        "image": (len(apps) == 1, "The template is to have one container of app:v1."),
        "greeting": (
            any(it.env.get("GREETING") == task.greeting for it in apps),
            f"The app is to say {task.greeting}: its variable GREETING.",
        ),
        "readinessProbe": (
            probed,
            f"The app is ready when it answers at {READY_PATH}, port {PORT}: that is what its readinessProbe is to ask.",
        ),
        "maxSurge": (spec.max_surge == task.surge, f"maxSurge is to be {task.surge}, as a number; it is {spec.max_surge}."),
        "maxUnavailable": (
            spec.max_unavailable == task.unavailable,
            f"maxUnavailable is to be {task.unavailable}, as a number; it is {spec.max_unavailable}.",
        ),
        "minReadySeconds": (spec.min_ready_s == task.seconds, f"minReadySeconds is to be {task.seconds}; it is {spec.min_ready_s}."),
    }
    return {what: hint for what, (ok, hint) in wanted.items() if not ok}


def _runs(machine: Machine, task: Task, spec: DeploymentSpec) -> Fact:
    """The fact that there are as many copies as the manifest wants, each as its template says, and that they answer."""
    found, pod = look(machine, task.label), spec.pod(spec.name, {})
    wanted = (*pod.sidecars, *pod.containers)
    unlike = {copy.name: why for copy in found.each if (why := _unlike_template(machine, spec, wanted, copy))}
    good = [copy for copy in found.each if copy.name not in unlike]
    silent = [copy for copy in good if not _greets(machine, task, copy)]
    all_run = len(good) == len(found.each) == spec.replicas and not silent
    hint = _about_copies(task, spec, found) or next(iter(unlike.values()), "")
    if not hint and silent:
        hint = f"{silent[0].name} does not say {task.greeting} on port {PORT}."
    saw = f"{len(good) - len(silent)} of {spec.replicas} as the manifest says" + (f", {len(unlike)} others" if unlike else "")
    return Fact("copies that run", all_run and spec.replicas > 0, saw, (hint, *RUNS))


def _about_copies(task: Task, spec: DeploymentSpec, found: Copies) -> str:
    if not found.each:
        return f"No app with the label {task.label} runs. A manifest is a wish: somebody has to fulfil it."
    if len(found.each) != spec.replicas:
        return f"{len(found.each)} copies run, and the manifest says {spec.replicas}."
    return ""


def _unlike_template(machine: Machine, spec: DeploymentSpec, wanted: Sequence[ContainerSpec], copy: Copy) -> str:
    """How a copy differs from the template, in a sentence; empty if it does not."""
    labels = [part.found["Config"]["Labels"] or {} for part in copy.parts]
    if not any(all(its.get(name) == value for name, value in spec.selector.items()) for its in labels):
        return f"{copy.name} lacks a label of the selector."
    left = [part for part in copy.parts if not part.is_pause]
    for it in wanted:
        one = image(machine, it.image)
        same = [part for part in left if one and part.found["Image"] == one["Id"]]
        if not same:
            return f"In {copy.name} nothing of {it.image} runs, which is the template's container {it.name}."
        env = {f"{name}={value}" for name, value in it.env.items() if not is_late([value])}
        fitting = [part for part in same if env <= set(part.found["Config"]["Env"] or ())]
        if not fitting:
            return f"{same[0].name} does not have the variables that the template gives to {it.name}."
        left.remove(fitting[0])
    return f"{left[0].name} is in no container list of the template." if left else ""


def _greets(machine: Machine, task: Task, copy: Copy) -> bool:
    return any(f"greeting: {task.greeting}\n" in page(machine, app.pid, PORT, patience_s=ASKED_S) for app in copy.apps)


def _play(machine: Machine, text: str) -> podman.Played | Fact:
    what = "Podman plays it"
    try:
        return podman.play(machine, text, timeout_s=PLAY_S)
    except podman.Refused as error:
        return Fact(what, ok=False, saw="it refuses", hints=(error.why[-160:], *PLAYED))
    except WaitTimeout:
        return Fact(what, ok=False, saw=f"not within {PLAY_S} s", hints=("It waits for a container that does not end.", *PLAYED))
    except CourseError as error:
        return Fact(what, ok=False, saw="it can't", hints=(f"{error.what} {error.why}"[:160], *PLAYED))


def _as_played(machine: Machine, task: Task, spec: DeploymentSpec, played: podman.Played | Fact) -> Fact:
    """The fact that Podman has made one pod of the template, whose app greets."""
    if isinstance(played, Fact):
        return played
    answers = [page(machine, process, PORT, patience_s=ASKED_S) for name, process in played.running.items() if name == played.pause]
    greets = any(f"greeting: {task.greeting}\n" in answer for answer in answers)
    hint = f"In its pod nobody says {task.greeting} on port {PORT}."
    saw = f"one copy, where {spec.replicas} are wanted" + (", and it greets" if greets else ", and it does not greet")
    return Fact("Podman plays it", greets, saw, (hint, *PLAYED))


def _ignored(task: Task, spec: DeploymentSpec, played: podman.Played | Fact) -> Fact:
    """The fact that the learner names what Podman ignores in this manifest, all of it and nothing else."""
    what, told = "what Podman ignores", task.answers.get("ignored")
    if isinstance(played, Fact):
        return Fact(what, ok=False, saw=said(told), hints=("First, Podman is to play it.", *IGNORED))
    words = told if isinstance(told, list) else re.split(r"[\s,;]+", str(told or ""))
    missed, wrong = compared([str(word) for word in words if str(word).strip()], played.ignored, spec.source)
    if wrong:
        hint = f"{wrong[0]} is not in the manifest, or Podman heeds it."
    elif told:
        hint = f"That is not all. Fields more that have no effect: {len(missed)}."
    else:
        hint = "Podman reads the whole manifest, and takes only some of its fields. Report the names of the others."
    return Fact(what, bool(told) and not missed and not wrong, said(told), (hint, *IGNORED))


def compared(words: Sequence[str], ignored: Sequence[str], source: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The ignored fields that no word names, and the words that name no ignored field.

    A word names a field by the end of its path, or by a field inside it.

    Args:
        words: as the learner has given them.
        ignored: the paths of the fields.
        source: the manifest that has them.
    """
    whole = source if source["kind"] == "Deployment" else next(it for it in source["items"] if it["kind"] == "Deployment")
    within = {path: [path, *_below(path, _at(whole, path))] for path in ignored}

    def names(word: str, path: str) -> bool:
        return any(f".{_plain(one)}".endswith(f".{_plain(word)}") for one in within[path])

    missed = [path for path in ignored if not any(names(word, path) for word in words)]
    return missed, [word for word in words if not any(names(word, path) for path in ignored)]


def _at(part: Any, path: str) -> Any:
    """What a manifest has at a path such as ``spec.containers[0].name``."""
    for key, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        part = part[int(number)] if number else part[key]
    return part


def _below(path: str, part: Any) -> Iterator[str]:
    """The paths of all fields within a part of a manifest."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield (inner := f"{path}.{key}" if isinstance(key, str) else f"{path}[{key}]")
        yield from _below(inner, value)


def _plain(path: str) -> str:
    """A path without the numbers of lists."""
    return re.sub(r"\[\d*\]", "", path).strip().strip(".")
