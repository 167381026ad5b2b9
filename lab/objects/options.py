"""A pod in the engine's words: what each of its containers is made with.

The whole of what makes containers a pod stands in ``member``: three times ``container:`` and the name of pause.
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
"""The labels by which a pod, and what belongs to it, is found again."""
POLICY = {"Always": "always", "OnFailure": "on-failure", "Never": "no"}
"""Docker's words for the restart policies."""
PERIOD_US = 100_000


@dataclass(frozen=True)
class Identity:
    """What tells a pod from every other one.

    Args:
        spec: what was asked for.
        key: a random part of the name of all that belongs to it.
        node: that it is on, if it is on one.
    """

    spec: PodSpec
    key: str
    node: str = ""

    def name(self, part: str = PAUSE) -> str:
        """What the engine calls one of its containers or volumes."""
        return f"{self.spec.name}-{part}-{self.key}"

    def labels(self, part: str) -> dict[str, str]:
        """The pod's own labels, and those by which it is found again."""
        own = {NAME: self.spec.name, KEY: self.key, PART: part, NODE: self.node, MANIFEST: self.spec.source}
        return {**self.spec.labels, **own}


def pause(pod: Identity, network: str) -> dict[str, Any]:
    """For the container that owns what the others share."""
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
    """For a container that joins pause."""
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
    """A volume is made when the first container with it is.  Docker would copy what the image has there; a cluster begins empty."""
    return Mount(at.path, pod.name(at.volume), "volume", at.read_only, no_copy=True, labels=pod.labels(at.volume))


def _policy(spec: PodSpec, it: ContainerSpec) -> str:
    """An init container is run until it ends with 0, and not again after that."""
    return "OnFailure" if it in spec.init and spec.restart == "Always" else spec.restart


def _bounds(it: ContainerSpec) -> dict[str, int]:
    """Requests and limits.  Swap would make the limit of memory a lie, so there is none."""
    bounds = {}
    if it.requests.cpu:
        bounds["cpu_shares"] = max(2, it.requests.cpu * 1024 // 1000)
    if it.limits.cpu:
        bounds |= {"cpu_period": PERIOD_US, "cpu_quota": max(1000, it.limits.cpu * PERIOD_US // 1000)}
    if it.limits.memory:
        bounds |= {"mem_limit": it.limits.memory, "memswap_limit": it.limits.memory}
    return bounds
