"""Podman, an engine that knows what a pod is: it makes one of the same manifest of which ``lab.objects.pod`` makes one by hand.

Podman runs beside Docker on the machine and has its own store of images.  The images that a manifest names are first copied from Docker's
store to Podman's, so no registry is asked.

Podman does not say what it leaves out.  A field that it doesn't know, such as a misspelt one, is no error to it.  The fields that it knows
and ignores are listed in its documentation (``docs/kubernetes_support.md``), and below.  Two more differences were found by trying (Podman
5.4): a request of cpu has no effect, and an ``emptyDir`` becomes a volume with the name that it has in the manifest, so that two pods with
a volume ``data`` share it while both are there.  Of a liveness and a startup probe Podman makes health checks, which systemd's timers run:
a box has no systemd, so nobody runs them there.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.objects.manifest.documents import documents
from lab.objects.manifest.position import WHOLE, Position
from lab.objects.spec import OTHER_PAUSE, PAUSE, PodSpec
from lab.observe.namespace import Between, between

if TYPE_CHECKING:
    from lab.box.machine import Machine

PLAY_S = 150.0
"""Seconds that Podman has to make a pod, to copy images, or to remove a pod."""
LIST_S = 120.0
"""Seconds that Podman has to list something; an emulated machine needs many."""
IGNORED = {
    "spec": (
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "dnsPolicy", "enableServiceLinks", "imagePullSecrets",
        "nodeName", "nodeSelector", "os", "priority", "priorityClassName", "readinessGates", "runtimeClassName", "schedulerName",
        "securityContext.runAsNonRoot", "securityContext.seccompProfile", "serviceAccountName", "setHostnameAsFQDN", "subdomain",
        "tolerations", "topologySpreadConstraints",
    ),
    "containers": (
        "lifecycle", "readinessProbe", "resources.requests.cpu", "restartPolicy", "securityContext.runAsNonRoot",
        "securityContext.seccompProfile", "stdin", "stdinOnce", "terminationMessagePath", "terminationMessagePolicy", "tty",
        "volumeDevices",
    ),
    "deployment": ("minReadySeconds", "paused", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit", "strategy"),
}  # fmt: skip
"""The fields that Podman knows and ignores: of a pod, of a container, and of what makes pods."""
BESIDE = ("ConfigMap", "Secret")
"""The kinds that may stand beside the pod that uses them."""
CAUSE = re.compile(r'^starting container \w+: (.*)$|level=error msg="\\"(.*)\\""$')
IN_USE, NO_IMAGE, FOLLOWS = "already exists", "did not resolve to an alias", "container state improper"
"""Parts of Podman's messages: a name is in use, an image is not there, an error only follows from another."""


class Refused(CourseError):
    """Podman does not make a pod of a manifest; says why in Podman's own words."""


@dataclass(frozen=True)
class Played:
    """A pod that Podman made of a manifest.

    Args:
        machine: that it is on.
        pod: Podman's name for it.
        said: Podman's warnings, a line each.
        ignored: the paths of the manifest's fields that Podman ignores without saying so.
        configs: the names of the ConfigMaps and Secrets that stand in the manifest.
    """

    machine: Machine = field(repr=False)
    pod: str
    said: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()

    @property
    def pause(self) -> str:
        """The name here of what Podman calls the infra container: ``pause``, or ``POD`` where the manifest has a container called pause."""
        return OTHER_PAUSE if OTHER_PAUSE in self.states else PAUSE

    @property
    def states(self) -> dict[str, str]:
        """Podman's word for the state of each container, by its name in the manifest.  Init containers that have ended well are gone."""
        return {name: state for name, state, *_ in self._listed()}

    @property
    def running(self) -> dict[str, int]:
        """The process id on the machine of each container that runs."""
        return {name: process for name, state, process, _ in self._listed() if state == "running"}

    @property
    def images(self) -> dict[str, str]:
        """The id of each container's image, without the name of the digest; an image has the same id in Docker's store."""
        return {name: image for name, _, _, image in self._listed()}

    @property
    def walls(self) -> Between:
        """The walls between the containers that run, as the kernel has them.

        Raises:
            CourseError: one has just ended.
        """
        return between(self.machine, self.running)

    def stop(self, grace_s: int = 0) -> None:
        """Remove the pod, its containers and its volumes; it is no error if there is none."""
        remove(self.machine, self.pod, grace_s, self.configs)

    def _listed(self) -> list[tuple[str, str, int, str]]:
        answer = self.machine.sh(f"podman ps -a --format json --filter pod={shlex.quote(self.pod)}", timeout=LIST_S, check=True)
        found = [(it["IsInfra"], it["Names"][0].removeprefix(f"{self.pod}-"), it) for it in json.loads(answer.stdout or "[]")]
        infra = OTHER_PAUSE if any(name == PAUSE and not is_infra for is_infra, name, _ in found) else PAUSE
        return sorted((infra if is_infra else name, str(it["State"]), int(it["Pid"]), str(it["ImageID"])) for is_infra, name, it in found)

    def __repr__(self) -> str:
        lines = [f"<the pod {self.pod}, played by Podman>"]
        lines += [f"Podman says: {line}" for line in self.said]
        lines += [f"Podman passes over {path}, and says nothing." for path in self.ignored]
        return "\n".join(lines)


def play(machine: Machine, manifest: str | Mapping[str, Any] | PodSpec, *, timeout_s: float = PLAY_S) -> Played:
    """Have Podman make a pod of a manifest, and start it.

    Args:
        machine: to make it on.
        manifest: YAML text, the mapping that it stands for, or the ``PodSpec`` that was read from it.  Of what makes pods, such as a
            Deployment, one pod is made.
        timeout_s: seconds until it is given up; the init containers must have ended by then.

    Raises:
        UsageError: it is no YAML, has no name, or there are several pods; names the line.
        Refused: Podman does not play it; nothing is left behind.
        WaitTimeout: it took too long; nothing is left behind.
    """
    parts = _parts(manifest)
    plays = [(content, position) for content, position in parts if content.get("kind") not in BESIDE]
    if len(plays) != 1:
        why = "Beside it may stand ConfigMaps and Secrets."
        raise UsageError(f"There are {len(plays)} manifests of a pod in this text, and this plays one.", why, "play each by itself")
    (whole, position), configs = plays[0], tuple(_name(it) for it, _ in parts if it.get("kind") in BESIDE)
    pod = name_of(whole)
    if not pod:
        raise UsageError(f"{position.of('metadata', 'name')} is missing.", "Podman calls the pod by it.", "add it: metadata: {name: web}")
    text = manifest if isinstance(manifest, str) else "\n---\n".join(json.dumps(content) for content, _ in parts)
    hand_over(machine, *_images(whole))
    try:
        done = machine.sh("podman kube play -", timeout=timeout_s, stdin=text.encode())
        said = tuple(line.strip() for line in done.stderr.splitlines() if line.strip())
        if done.code:
            raise _refused(pod, said)
    except CourseError as error:
        if IN_USE not in error.why:
            remove(machine, pod, configs=configs)
        if isinstance(error, WaitTimeout) and (
            sidecars := [it["name"] for _, it in _containers(_pod_of(whole)[1]) if it.get("restartPolicy")]
        ):
            why = f"It waits until each init container has ended, sidecars as well: {', '.join(sidecars)}."
            raise WaitTimeout(error.what, why, "make it one of the containers, or use lab.objects.pod") from None
        raise
    return Played(machine, pod, said, tuple(_ignored(whole)), configs)


def _parts(manifest: str | Mapping[str, Any] | PodSpec) -> list[tuple[Mapping[str, Any], Position]]:
    """The objects that a manifest describes, each with its position."""
    if isinstance(manifest, str):
        return [(it.content, Position(document=it.node)) for it in documents(manifest)]
    whole = json.loads(manifest.source) if isinstance(manifest, PodSpec) else manifest
    return [(it, WHOLE) for it in whole["items"]] if whole.get("kind") == "List" else [(whole, WHOLE)]


def hand_over(machine: Machine, *images: str) -> None:
    """Copy images from Docker's store to Podman's, unless they are there already; images that Docker does not have are left out."""
    listed = machine.sh("podman images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'", timeout=LIST_S, check=True).stdout
    there = dict(line.split() for line in listed.splitlines())
    asked = {image if ":" in image.rpartition("/")[2] else f"{image}:latest" for image in images}
    here = {image: _held_by_docker(machine, image) for image in sorted(asked)}
    if missing := [image for image, held in here.items() if held and there.get(_in_full(image)) != held]:
        # An image that is loaded alone is named as if it came from a registry; an older one of localhost would be preferred to that.
        named = "".join(f"; podman tag {here[image]} {shlex.quote(_in_full(image))}" for image in missing)
        machine.sh(f"set -eo pipefail; docker save {shlex.join(missing)} | podman load --quiet{named}", timeout=PLAY_S, check=True)


def _in_full(image: str) -> str:
    """The name of an image with the registry that it is from; localhost where it names none."""
    registry, slash, _ = image.partition("/")
    return image if slash and (registry == "localhost" or "." in registry or ":" in registry) else f"localhost/{image}"


def _held_by_docker(machine: Machine, image: str) -> str:
    """The id of Docker's image of that name; empty where it has none."""
    with suppress(APIError):
        return str(machine.docker.api.inspect_image(image)["Id"])
    return ""


def remove(machine: Machine, pod: str, grace_s: int = 0, configs: Sequence[str] = ()) -> None:
    """Remove a pod of Podman's, with all that belongs to it; it is no error if there is none.

    Args:
        machine: that it is on.
        pod: Podman's name for it.
        grace_s: seconds that its containers have to end by themselves.
        configs: ConfigMaps and Secrets that go with it.  Podman keeps a secret of each, and a volume if it was mounted.
    """
    command = f"podman pod rm --force --ignore --time {grace_s} {shlex.quote(pod)}"
    if configs:
        command += f" && podman secret rm --ignore {shlex.join(configs)}; podman volume rm {shlex.join(configs)} 2>/dev/null; true"
    machine.sh(command, timeout=PLAY_S, check=True)


def name_of(manifest: Mapping[str, Any]) -> str:
    """Podman's name for the pod that it makes of a manifest: that of the manifest, with ``-pod`` after it if the manifest is no Pod's."""
    name = _name(manifest)
    return name if manifest.get("kind") == "Pod" or not name else f"{name}-pod"


def _name(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _refused(pod: str, said: tuple[str, ...]) -> Refused:
    """The error for a manifest of which Podman makes no pod.  Preferred is what it says of a container that failed by itself."""
    causes = [found[1] or found[2] for line in said if (found := CAUSE.search(line))]
    causes.sort(key=lambda cause: FOLLOWS in cause)
    errors = [line.removeprefix("Error: ") for line in said if line.startswith("Error: ")]
    why = causes[0] if causes else errors[-1] if errors else " ".join(said)
    hints = {IN_USE: "played.stop(), or choose another name", NO_IMAGE: "name an image that the machine has: docker images lists them"}
    hint = next((hint for words, hint in hints.items() if words in why), "mend the manifest, and play it again")
    return Refused(f"Podman does not play the manifest of {pod}.", f"It says: {why}.", hint)


def _pod_of(manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The path and the content of the specification of a pod in a manifest, which may be in a template; empty where there is none."""
    path, found = "spec", manifest.get("spec")
    if isinstance(found, dict) and isinstance(found.get("template"), dict):
        path, found = "spec.template.spec", found["template"].get("spec")
    return path, found if isinstance(found, dict) else {}


def _containers(pod: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key in ("initContainers", "containers"):
        listed = pod.get(key)
        yield from ((f"{key}[{at}]", it) for at, it in enumerate(listed if isinstance(listed, list) else ()) if isinstance(it, dict))


def _images(manifest: Mapping[str, Any]) -> list[str]:
    return [str(it["image"]) for _, it in _containers(_pod_of(manifest)[1]) if it.get("image")]


def _ignored(manifest: Mapping[str, Any]) -> Iterator[str]:
    path, pod = _pod_of(manifest)
    if path != "spec":
        yield from (f"spec.{key}" for key in IGNORED["deployment"] if key in manifest["spec"])
    yield from (f"{path}.{key}" for key in IGNORED["spec"] if _has(pod, key))
    for at, it in _containers(pod):
        yield from (f"{path}.{at}.{key}" for key in IGNORED["containers"] if _has(it, key))


def _has(part: Mapping[str, Any], path: str) -> bool:
    """Whether a part of a manifest has a field, named by its path from there."""
    found: Any = part
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True
