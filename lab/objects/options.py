"""The options with which the Docker Engine makes the containers of a pod.

What makes a pod of containers is in ``member``: network, ipc and pid are each ``container:`` and the name of pause, which means "join it".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docker.types import HostConfig, Mount

from lab.box.machine.base import API_VERSION
from lab.objects.container import ContainerSpec
from lab.objects.container import Mount as VolumeMount
from lab.objects.spec import PAUSE, PodSpec

NAME, KEY, PART, NODE, MANIFEST = "course.pod", "course.pod.key", "course.pod.part", "course.pod.node", "course.pod.manifest"
"""Labels with which a pod, and all that belongs to it, is found again."""
POLICY = {"Always": "always", "OnFailure": "on-failure", "Never": "no"}
"""Docker's names for the restart policies of Kubernetes."""
PERIOD_US = 100_000


@dataclass(frozen=True)
class Identity:
    """What tells a pod from all others.

    Args:
        spec: what was asked for.
        key: random; it is part of every name on the engine that belongs to the pod.
        node: the name of the node that it is on; empty where it is on none.
    """

    spec: PodSpec
    key: str
    node: str = ""

    def name(self, part: str = PAUSE) -> str:
        """The name that the engine has for one of its containers or volumes."""
        return f"{self.spec.name}-{part}-{self.key}"

    def labels(self, part: str) -> dict[str, str]:
        """The labels of the manifest, and those with which the pod is found again."""
        own = {NAME: self.spec.name, KEY: self.key, PART: part, NODE: self.node, MANIFEST: self.spec.source}
        return {**self.spec.labels, **own}


def pause(pod: Identity, network: str) -> dict[str, Any]:
    """Options for pause, the container that owns what the others share."""
    published: dict[str, list[int]] = {}
    for (port, protocol), inside in pod.spec.host_ports.items():
        published.setdefault(f"{inside}/{protocol.lower()}", []).append(port)
    return {
        "image": PAUSE,
        "name": pod.name(),
        "hostname": pod.spec.hostname,
        "labels": pod.labels(PAUSE),
        "ports": [(inside, protocol.lower()) for (_, protocol), inside in pod.spec.host_ports.items()],
        "host_config": HostConfig(API_VERSION, network_mode=network, ipc_mode="shareable", port_bindings=published),
    }


def member(pod: Identity, it: ContainerSpec) -> dict[str, Any]:
    """Options for a container that joins pause."""
    joined = f"container:{pod.name()}"
    volumes = [_mount(pod, at) for at in it.mounts]
    return {
        "image": it.image,
        "name": pod.name(it.name),
        "labels": pod.labels(it.name),
        "entrypoint": list(it.command) or None,
        "command": list(it.args) or None,
        "environment": dict(it.env),
        "host_config": HostConfig(
            API_VERSION,
            network_mode=joined,
            ipc_mode=joined,
            pid_mode=joined if pod.spec.share_pid else None,
            restart_policy={"Name": POLICY[_policy(pod.spec, it)]},
            mounts=volumes,
            **_bounds(it),
        ),
    }


def _mount(pod: Identity, at: VolumeMount) -> Mount:
    """A volume, which is made with the first container that has it.  It begins empty; by itself, Docker would copy the image's files."""
    return Mount(at.path, pod.name(at.volume), "volume", at.read_only, no_copy=True, labels=pod.labels(at.volume))


def _policy(spec: PodSpec, it: ContainerSpec) -> str:
    """The restart policy of a container.  An init container is run until it ends with 0, and never after that."""
    return "OnFailure" if it in spec.init and spec.restart == "Always" else spec.restart


def _bounds(it: ContainerSpec) -> dict[str, int]:
    """Requests and limits.  Swap is not allowed: with it, a container could use more than its limit of memory."""
    # Who requests nothing gets the least there is, as from a kubelet; Docker would give as much as for a whole processor.
    bounds = {"cpu_shares": max(2, it.requests.cpu * 1024 // 1000)}
    if it.limits.cpu:
        bounds |= {"cpu_period": PERIOD_US, "cpu_quota": max(1000, it.limits.cpu * PERIOD_US // 1000)}
    if it.limits.memory:
        bounds |= {"mem_limit": it.limits.memory, "memswap_limit": it.limits.memory}
    return bounds
