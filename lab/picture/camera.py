"""Takes snapshots of machines.

Walls are not read from labels or options.  The engine says which process is a container's first one, and the kernel gives each namespace of
that process a number.  Two containers with the same number have no wall of that kind between them, whatever they were made with.  Only
where no process runs, the options that the container was made with are taken instead.

A snapshot costs one request for each kind of object, and these are made side by side.  What an engine never changes about a container is
kept by ``Camera`` from one snapshot to the next, so that the next one asks only about new containers; and so is what others than Docker
have on the machine, until it is told that something has happened there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from lab.box.machine.base import API_VERSION, Machine
from lab.box.machine.unix_http import open_connection
from lab.box.parallel import AT_ONCE
from lab.observe.namespace import LOOK_S, WALLS, namespaces
from lab.picture import beside_docker
from lab.picture.beside_docker import BesideDocker
from lab.picture.snapshot import BOX, Box, Container, Link, Network, Port, Snapshot

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  (what a port is published on, not what listens)
EVERYTHING = ""
"""In the place of a container's id, for ``Camera.forget``: the machine itself, and all containers."""
BESIDE_DOCKER = "beside docker"
"""In the place of a container's id: what others than Docker have made."""
BRIDGE_NAME = "com.docker.network.bridge.name"


def snapshot(*machines: Machine) -> Snapshot:
    """What is there now.

    Args:
        machines: to look at, side by side.

    Raises:
        docker.errors.DockerException, OSError, CourseError: a machine or its engine doesn't answer.
    """
    with ThreadPoolExecutor(len(machines) or 1) as pool:
        return Snapshot(tuple(pool.map(lambda machine: Camera(machine).take(), machines)))


@dataclass(frozen=True)
class _Known:
    """What is kept of a container between two snapshots: the engine's long answer, and the kernel's number by kind of namespace."""

    details: Mapping[str, Any]
    numbers: Mapping[str, str]


class Camera:
    """Takes snapshots of one machine, one after the other.

    Args:
        machine: to look at.
        client: to ask with; the machine's own where none is given.
    """

    def __init__(self, machine: Machine, client: Any = None) -> None:
        self._machine = machine
        self._api = (client or machine.docker).api
        self._name = ""
        self._known: dict[str, _Known] = {}
        self._outside: Mapping[str, str] = {}
        self._beside: BesideDocker | None = None

    def forget(self, container: str = EVERYTHING) -> None:
        """Forget what is kept of a container, so that the next snapshot asks about it again.

        Args:
            container: its id, if it was started or connected to something; ``BESIDE_DOCKER``; or ``EVERYTHING`` for the machine itself and
                all that is on it.
        """
        if container in (EVERYTHING, BESIDE_DOCKER):
            self._beside = None
        if container == EVERYTHING:
            self._known.clear()
            self._name = ""
        else:
            self._known.pop(container, None)

    def take(self) -> Box:
        """The machine as it is now.

        Raises:
            docker.errors.DockerException, OSError, CourseError: the machine or its engine doesn't answer.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            networks = pool.submit(self._api.networks)
            name = pool.submit(lambda: self._name or str(self._api.info()["Name"]))
            beside = pool.submit(lambda: self._beside or beside_docker.look(self._machine))
            listed = self._api.containers(all=True)
            newcomers = [found["Id"] for found in listed if found["Id"] not in self._known]
            parts = pool.map(self._inspected, (newcomers[at::AT_ONCE] for at in range(min(AT_ONCE, len(newcomers)))))
            details = {found["Id"]: found for part in parts for found in part}
            self._name, self._beside = name.result(), beside.result()
        numbers = self._numbers({key: int(found["State"]["Pid"]) for key, found in details.items() if found["State"]["Pid"]})
        self._known |= {key: _Known(found, numbers.get(key, {})) for key, found in details.items()}
        self._known = {found["Id"]: self._known[found["Id"]] for found in listed if found["Id"] in self._known}
        listed = sorted((found for found in listed if found["Id"] in self._known), key=self._made)
        return self._box(listed, networks.result(), self._beside)

    def _box(self, listed: Sequence[Mapping[str, Any]], networks: Sequence[Mapping[str, Any]], beside: BesideDocker) -> Box:
        dockers = {(network.get("Options") or {}).get(BRIDGE_NAME, f"br-{network['Id'][:12]}") for network in networks}
        found = [*map(_network, networks), *(bridge for bridge in beside.bridges if bridge.name not in dockers)]
        taken = {known.numbers.get("net") for known in self._known.values()} | {own.get("net") for own in beside.numbers.values()}
        free = tuple(one for one in beside.namespaces if one.number not in {*taken, self._outside.get("net")})
        by_name = tuple(sorted(found, key=lambda one: one.name))
        return Box(self._name, self._containers(listed, beside), by_name, free, beside.wishes, beside.services)

    def _made(self, listed: Mapping[str, Any]) -> tuple[str, str]:
        """For sorting by age.  The engine's list has whole seconds, and a pod is made within one; its long answer has fractions of them."""
        return str(self._known[listed["Id"]].details["Created"]).removesuffix("Z"), listed["Id"]

    def _inspected(self, containers: Sequence[str]) -> list[dict[str, Any]]:
        """The engine's long answers, without containers that were removed meanwhile.  Docker's client would take four times as long."""
        found = []
        with closing(open_connection(self._machine.docker_host, LOOK_S)) as connection:
            for container in containers:
                connection.request("GET", f"/v{API_VERSION}/containers/{container}/json")
                answer = connection.getresponse()
                said = answer.read()
                if answer.status == HTTPStatus.OK:
                    found.append(json.loads(said))
                elif answer.status != HTTPStatus.NOT_FOUND:
                    raise ConnectionError(f"{answer.status} {answer.reason}")
        return found

    def _numbers(self, processes: Mapping[str, int]) -> dict[str, dict[str, str]]:
        """The kernel's numbers for the namespaces of some processes, by the same keys; the machine's own are kept in passing."""
        if not processes:
            return {}
        found = namespaces(self._machine, *processes.values())
        self._outside = found[1]
        return {key: found.get(pid, {}) for key, pid in processes.items()}

    def _containers(self, listed: Sequence[Mapping[str, Any]], beside: BesideDocker) -> tuple[Container, ...]:
        known = [self._known[found["Id"]] for found in listed]
        numbers = [(one["Id"], it.numbers if one["State"] in ("running", "paused") else {}) for one, it in zip(listed, known, strict=True)]
        shares = shared(
            [*numbers, *((it.id, beside.numbers.get(it.id, {})) for it in beside.containers)],
            {one["Id"]: it.details["HostConfig"] for one, it in zip(listed, known, strict=True)},
            self._outside or beside.outside,
        )
        dockers = (_container(one, it.details, shares[one["Id"]], beside) for one, it in zip(listed, known, strict=True))
        others = (replace(it, shares=shares[it.id], links=() if "net" in shares[it.id] else it.links) for it in beside.containers)
        return (*dockers, *others)


def shared(
    numbers: Iterable[tuple[str, Mapping[str, str]]], options: Mapping[str, Mapping[str, Any]], outside: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Whose namespaces each container uses, by its id and the kind of namespace, where it has none of its own.

    Args:
        numbers: for each container, the oldest first, its id and the numbers of its namespaces; no numbers where nothing runs.
        options: what each was made with (the engine's ``HostConfig``), which counts where there are no numbers.
        outside: the machine's own numbers.
    """
    first: dict[tuple[str, str], str] = dict.fromkeys(outside.items(), BOX)
    found: dict[str, dict[str, str]] = {}
    for container, own in numbers:
        if own:
            owners = {kind: first.setdefault((kind, own[kind]), container) for kind in WALLS if kind in own}
        else:
            owners = {kind: _asked_for(kind, options.get(container, {})) or container for kind in WALLS}
        found[container] = {kind: owner for kind, owner in owners.items() if owner != container}
    return found


def _asked_for(kind: str, options: Mapping[str, Any]) -> str:
    """Whose namespace a container was told to join: an id, ``BOX``, or nobody's."""
    mode = str(options.get({"net": "NetworkMode", "ipc": "IpcMode", "pid": "PidMode", "uts": "UTSMode"}.get(kind, ""), ""))
    return BOX if mode == "host" else mode.partition("container:")[2]


def _container(listed: Mapping[str, Any], details: Mapping[str, Any], shares: Mapping[str, str], beside: BesideDocker) -> Container:
    names = (name[1:] for name in listed["Names"] or () if name.count("/") == 1)  # others are what a --link calls it
    name = next(names, listed["Id"][:12])
    ended = re.match(r"(?:Exited|Restarting) \((\d+)\)", listed["Status"])
    health = re.search(r"\((?:health: )?(healthy|unhealthy|starting)\)$", listed["Status"])
    own = {name, listed["Id"][:12]}
    aliases = {key: set(found.get("Aliases") or ()) - own for key, found in details["NetworkSettings"]["Networks"].items()}
    runs = listed["State"] in ("running", "paused")  # one whose start has failed is listed with an address that it has not
    links = (
        Link(found["NetworkID"], found["IPAddress"] if runs else "", tuple(sorted(aliases.get(key, ()))))
        for key, found in (listed["NetworkSettings"]["Networks"] or {}).items()
        if found["NetworkID"] and key not in ("host", "none")
    )
    ports = {
        Port(port["PublicPort"], port["PrivatePort"], port["Type"], "" if port["IP"] in EVERYWHERE else port["IP"])
        for port in listed["Ports"]
        if port.get("PublicPort")
    }
    return Container(
        listed["Id"], name, listed["Image"], listed["State"], health[1] if health else "", int(ended[1]) if ended else None,
        _trouble(details["State"], listed["State"]), listed["Created"], listed["Labels"] or {}, tuple(links), tuple(sorted(ports)), shares,
        process=details["State"]["Pid"] if runs else 0, finding=beside.findings.get(listed["Id"], "") if runs else "",
    )  # fmt: skip


def _trouble(found: Mapping[str, Any], state: str) -> str:
    if found.get("OOMKilled"):
        return "a program in it was killed for want of memory" if state == "running" else "killed for want of memory"
    why = str(found.get("Error") or "").strip().removesuffix(": unknown").split(": ")
    return "" if state in ("running", "paused") else ": ".join(why[-2:])


def _network(found: Mapping[str, Any]) -> Network:
    subnets = [setting.get("Subnet", "") for setting in found["IPAM"]["Config"] or ()]
    return Network(found["Id"], found["Name"], found["Driver"], subnets[0] if subnets else "")
