"""The options with which the Docker Engine makes the containers of a pod.

What makes a pod of containers is in ``member``: network, ipc and pid are each ``container:`` and the name of pause, which means "join it".
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from docker.types import HostConfig, Mount

from lab.box.machine.base import API_VERSION
from lab.objects.container import ContainerSpec
from lab.objects.container import Mount as VolumeMount
from lab.objects.kubelet.orders import KEY, ORDERS, Orders
from lab.objects.labels import POD
from lab.objects.spec import PAUSE, PodSpec

NAME, PART, NODE, MANIFEST = POD, "course.pod.part", "course.pod.node", "course.pod.manifest"
"""Labels with which a pod, and all that belongs to it, is found again, beside KEY."""
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

    def name(self, part: str = "") -> str:
        """The name that the engine has for one of its containers or volumes; for pause where none is named."""
        return f"{self.spec.name}-{part or self.spec.pause}-{self.key}"

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
        "labels": pod.labels(pod.spec.pause),
        "ports": [(inside, protocol.lower()) for (_, protocol), inside in pod.spec.host_ports.items()],
        "host_config": HostConfig(
            API_VERSION,
            network_mode=network,
            ipc_mode="shareable",
            port_bindings=published,
            sysctls=dict(pod.spec.security.sysctls),
            extra_hosts=[f"{name}:{address}" for name, address in pod.spec.host_aliases],
            # A volume in memory is gone as soon as nobody has it mounted, and pause is there as long as the pod.
            mounts=[Mount(f"/volumes/{it.name}", pod.name(it.name), "volume") for it in pod.spec.volumes if it.in_memory],
        ),
    }


def member(pod: Identity, it: ContainerSpec) -> dict[str, Any]:
    """Options for a container that joins pause."""
    joined = f"container:{pod.name()}"
    return {
        "image": it.image,
        "name": pod.name(it.name),
        "labels": pod.labels(it.name) | kubelet_label(pod, it),
        "entrypoint": list(it.command) or None,
        "command": list(it.args) or None,
        "environment": dict(it.env),
        **_start(it),
        "host_config": HostConfig(
            API_VERSION,
            network_mode=joined,
            ipc_mode=joined,
            pid_mode=joined if pod.spec.share_pid else None,
            restart_policy={"Name": POLICY[policy(pod.spec, it)]},
            mounts=[_mount(pod, at) for at in it.mounts],
            **_rights(pod.spec, it),
            **_bounds(it),
        ),
    }


def kubelet_label(pod: Identity, it: ContainerSpec) -> dict[str, str]:
    """The label that tells the kubelet what to do about a container; none where it has nothing to do.  See ``kubelet``."""
    if not (it.probes or it.pre_stop or pod.spec.sidecars):
        return {}
    asked = Orders(
        restart=policy(pod.spec, it),
        kind="sidecar" if it.sidecar else "init" if pod.spec.place(it) < len(pod.spec.init) else "app",
        place=pod.spec.place(it),
        grace_s=pod.spec.grace_s,
        pause=pod.name(),
        probes={what: asdict(probe) for what, probe in it.probes.items()},
        pre_stop=asdict(it.pre_stop) if it.pre_stop else None,
    )
    return {ORDERS: json.dumps(asdict(asked))}


def policy(spec: PodSpec, it: ContainerSpec) -> str:
    """The restart policy of a container.  An init container is run until it ends with 0, and never after that; a sidecar always runs."""
    if it.sidecar:
        return "Always"
    return "OnFailure" if spec.place(it) < len(spec.init) and spec.restart == "Always" else spec.restart


def _mount(pod: Identity, at: VolumeMount) -> Mount:
    return Mount(at.path, pod.name(at.volume), "volume", at.read_only, no_copy=True, subpath=at.part or None)


def _start(it: ContainerSpec) -> dict[str, Any]:
    """Where a container starts, as whom, and what it can be typed into."""
    who = [str(one) for one in (it.security.user, it.security.group) if one is not None]
    return {"working_dir": it.working_dir or None, "user": ":".join(who) or None, "stdin_open": it.stdin, "tty": it.tty}


def _rights(spec: PodSpec, it: ContainerSpec) -> dict[str, Any]:
    """What a container may do."""
    own, group = it.security, spec.security.volume_group
    return {
        "read_only": own.read_only,
        "cap_add": list(own.add),
        "cap_drop": list(own.drop),
        "group_add": [str(one) for one in (*spec.security.groups, *(() if group is None else (group,)))],
        "security_opt": ["no-new-privileges"] * own.no_new_privileges + ["seccomp=unconfined"] * own.unconfined,
    }


def _bounds(it: ContainerSpec) -> dict[str, int]:
    """Requests and limits.  Swap is not allowed: with it, a container could use more than its limit of memory."""
    # Who requests nothing gets the least there is, as from a kubelet; Docker would give as much as for a whole processor.
    bounds = {"cpu_shares": max(2, it.requests.cpu * 1024 // 1000)}
    if it.limits.cpu:
        bounds |= {"cpu_period": PERIOD_US, "cpu_quota": max(1000, it.limits.cpu * PERIOD_US // 1000)}
    if it.limits.memory:
        bounds |= {"mem_limit": it.limits.memory, "memswap_limit": it.limits.memory}
    return bounds
