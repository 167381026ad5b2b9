"""The replicas of a service, as a check sees them from outside, and what happens to them: one more is started, one is removed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any

from autograder.framework.task import Task
from autograder.inspect import container
from lab.box.machine import Machine

PORT = 8080
SHARED = ("NetworkMode", "IpcMode", "PidMode")
"""What a container may have in common with another one, which is named there."""
ASK = r"""
for address in $addresses; do
  echo "at $address"
  nsenter --target $pid --net curl -s --noproxy '*' --connect-timeout 2 --max-time 4 -H 'Connection: close' "http://$address:$port/"
done
"""


def members(machine: Machine, network: str) -> dict[str, Mapping[str, Any]]:
    """What ``docker inspect`` says of the containers that run in a network, by their addresses there; empty where there is none."""
    import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

    try:
        inside = machine.docker.api.inspect_network(network)["Containers"]
    except docker.errors.NotFound:
        return {}
    addresses = {one["IPv4Address"].partition("/")[0]: key for key, one in inside.items() if not key.startswith("ep-")}
    found = {address: container(machine, key) for address, key in addresses.items() if address}
    return {address: one for address, one in found.items() if one}


def pages(machine: Machine, pid: int, addresses: Sequence[str]) -> dict[str, dict[str, str]]:
    """What the app's page says at each address to somebody in a process's network, line by line; empty where nobody answers."""
    settings = f"pid={pid} port={PORT} addresses='{' '.join(addresses)}'\n"
    said: dict[str, dict[str, str]] = {address: {} for address in addresses}
    page: dict[str, str] = {}
    for line in machine.sh(settings + ASK, timeout=60 + 5 * len(addresses)).stdout.splitlines():
        if line.startswith("at "):
            page = said[line.removeprefix("at ")]
        elif found := re.fullmatch(r"(\w+): (.*)", line.rstrip("\r")):
            page[found[1]] = found[2]
    return said


def is_own(page: Mapping[str, str], found: Mapping[str, Any]) -> bool:
    """Whether a container has answered itself, and has not handed the request on to another one."""
    return bool(page.get("container") == found["Config"]["Hostname"])


def with_host(machine: Machine, host: str) -> list[str]:
    """The ids of the containers that run under a host name: one, or those of a pod, with that first which owns the network."""
    running = [container(machine, one["Id"]) for one in machine.docker.api.containers()]
    mine = [one for one in running if one and one["Config"]["Hostname"] == host]
    return [str(one["Id"]) for one in sorted(mine, key=lambda one: str(one["HostConfig"]["NetworkMode"]).startswith("container:"))]


def group(machine: Machine, found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A container, and then those that have joined its network, which is what a pod is."""
    others = [container(machine, one["Id"]) for one in machine.docker.api.containers(all=True)]
    return [found, *(one for one in others if one and one["HostConfig"]["NetworkMode"] == f"container:{found['Id']}")]


def copy(machine: Machine, task: Task, found: Mapping[str, Any]) -> str:
    """Start one more like a container, and like those that have joined its network; the id of the first.

    It has the same image, command, variables, labels, and networks, with the same aliases there; its name, addresses and ports are its own.
    """
    ids: dict[str, str] = {}
    for one in group(machine, found):
        config = dict(one["Config"])
        host = dict(one["HostConfig"])
        for kind in SHARED:
            kept, _, joined = str(host[kind] or "").partition(":")
            if joined in ids:
                host[kind] = f"{kept}:{ids[joined]}"
        joins = str(host["NetworkMode"]).startswith("container:")
        config.pop("ExposedPorts", None)
        if joins or one["Id"].startswith(config["Hostname"]):
            config.pop("Hostname")
        networks = {} if joins else one["NetworkSettings"]["Networks"]
        config["HostConfig"] = host | {"PortBindings": {}, "PublishAllPorts": False}
        config["NetworkingConfig"] = {"EndpointsConfig": {name: {"Aliases": its["Aliases"]} for name, its in networks.items()}}
        name = f"{task.key}-more-{token_hex(2)}"
        ids[one["Id"]] = machine.docker.api.create_container_from_config(config, name)["Id"]
        machine.docker.api.start(ids[one["Id"]])
    return ids[found["Id"]]


def remove(machine: Machine, found: Mapping[str, Any]) -> None:
    """Remove a container, and those that have joined its network, without any warning."""
    for one in reversed(group(machine, found)):
        machine.docker.api.remove_container(one["Id"], force=True, v=True)
