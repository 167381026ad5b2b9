"""What is on a machine that Docker has not made, and knows nothing of.

That is: containers of Podman, of containerd (``ctr``), and of the runtimes themselves (``runc``, ``crun``); network namespaces with a name
(``ip netns``); and bridges.  All of it is read where it is kept: the runtimes list their containers, Podman's store has names and images,
and the kernel has network cards.  Nothing is changed.

The course's own objects are looked at in passing: what its kubelet has found out, the Deployments and Services that are wished for, and
the endpoints of those.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lab.box.machine import Machine
from lab.objects import store
from lab.objects.kubelet import orders
from lab.observe.namespace import LOOK_S, namespaces
from lab.picture.snapshot import NOT_READY, Container, Link, Network, NetworkNamespace, Service, ServicePort, Wished

STORE = "/var/lib/containers/storage/overlay-containers"
"""Podman's."""
FINDINGS, KEPT = str(orders.HOME), f"{store.HOME}/{store.WISHES}"
"""What the course's own kubelet has found out, and the Deployments that are wished for."""
SERVICES, ENDPOINTS = f"{store.HOME}/{store.SERVICES}", f"{store.HOME}/{store.ENDPOINTS}"
"""The Services that are wished for; and where Services lead, which more machines are told than keep the Services."""
ROUTER = "uplink"
"""A bridge that each machine of the course has, and that is none: it leads to a router which is not there."""
LOOK = rf"""
cd /run
if ls crun | grep -q .; then echo "== crun"; crun --root crun list -f json; fi
for root in runc containerd/runc/*; do
  if ls $root | grep -q .; then
    echo "== runc $root"; runc --root $root list -f json
    [ $root = runc ] || {{ echo "== images"; ctr --namespace ${{root##*/}} containers list; }}
  fi
done
echo "== podman"; cat {STORE}/containers.json
echo "== started"; ls -d {STORE}/*/userdata/config.json
echo "== cards"; ip -d -j addr
echo "== findings"; cat {FINDINGS}/*.json
echo "== wishes"; cat {KEPT}/*.json
echo "== services"; cat {SERVICES}/*.json
echo "== endpoints"; cat {ENDPOINTS}/*.json
for name in $(ls netns); do echo "== cards $(stat -Lc %i netns/$name) $name"; ip -n $name -d -j addr; done
"""
"""Prints sections, each below a line with its kind, and words that say more about it."""
CARDS = 'for process in %s; do echo "== cards $(stat -Lc %%i /proc/$process/ns/net)"; nsenter -t $process -n ip -d -j addr; done'
STATES = "/run/crun /run/runc /run/containerd/runc"
"""Where runtimes keep what they know of their containers, but for Docker's."""
DOCKERS_OWN = r" (veth[0-9a-f]{7}|br-[0-9a-f]{12}|docker0)[@:]"
WATCH = rf"""
mkdir -p /run/netns {STATES} {STORE} {FINDINGS} {KEPT} {SERVICES} {ENDPOINTS}
inotifywait -mq -e create,delete --format changed /run/netns {STORE} &
inotifywait -mq -e moved_to,delete --format changed {FINDINGS} {KEPT} {SERVICES} {ENDPOINTS} &
inotifywait -mqr -e create,delete,moved_to --format changed {STATES} &
ip -o monitor link address | grep --line-buffered -Ev '{DOCKERS_OWN}'
"""
"""Prints a line whenever something of it changes, until it is ended.  Docker's own network cards come and go without one."""


@dataclass(frozen=True)
class BesideDocker:
    """What was found.

    Args:
        containers: of other runtimes, the oldest first; whose namespaces they share is not told yet.
        numbers: by a container's id and by kind, the kernel's number for its namespaces, where it runs.
        outside: the machine's own numbers; empty where no such container runs.
        bridges: all that there are, Docker's among them.
        namespaces: all that have a name, those of containers among them.
        findings: what probes say, by the id of a container of Docker's.
        wishes: the Deployments that the machine keeps.
        services: the Services that it keeps, or was told of.
    """

    containers: tuple[Container, ...] = ()
    numbers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    outside: Mapping[str, str] = field(default_factory=dict)
    bridges: tuple[Network, ...] = ()
    namespaces: tuple[NetworkNamespace, ...] = ()
    findings: Mapping[str, str] = field(default_factory=dict)
    wishes: tuple[Wished, ...] = ()
    services: tuple[Service, ...] = ()


@dataclass(frozen=True)
class _Card:
    """A network card: ``peer`` is the number of a virtual one's other end, ``bridge`` what it is plugged into; 0 and empty for none."""

    name: str
    number: int
    peer: int
    bridge: str
    kind: str
    addresses: tuple[str, ...]

    @property
    def plain_addresses(self) -> tuple[str, ...]:
        return tuple(address.partition("/")[0] for address in self.addresses)


Cards = Mapping[str, tuple[_Card, ...]]
"""By the kernel's number for the namespace that they are in; the machine's own are under ``""``."""
Section = tuple[list[str], str]


def look(machine: Machine) -> BesideDocker:
    """What is on a machine beside what Docker has made there.

    Raises:
        CourseError: the machine does not answer.
    """
    sections = list(_sections(machine.sh(LOOK, timeout=LOOK_S).stdout))
    containers = sorted(_containers(sections), key=lambda one: one.created)
    cards = _cards(sections)
    processes = {one.id: one.process for one in containers if one.process}
    seen = namespaces(machine, *processes.values()) if processes else {}
    numbers = {name: seen[process] for name, process in processes.items() if process in seen}
    outside = seen.get(1, {})
    if unseen := [processes[name] for name, own in numbers.items() if own["net"] not in {*cards, outside["net"]}]:
        cards |= _cards(list(_sections(machine.sh(CARDS % " ".join(map(str, unseen)), timeout=LOOK_S).stdout)))
    return BesideDocker(
        tuple(replace(one, links=tuple(_links(cards.get(numbers.get(one.id, {}).get("net", "-"), ()), cards))) for one in containers),
        numbers,
        outside,
        tuple(_bridge(card) for card in cards.get("", ()) if card.kind == "bridge" and card.name != ROUTER),
        tuple(_namespaces(sections, cards)),
        {one["id"]: "ready" if one["ready"] else one["why"] or NOT_READY for one in _lines(sections, "findings")},
        tuple(Wished(one["name"], one["replicas"], one["hash"]) for one in _lines(sections, "wishes")),
        tuple(_services(sections)),
    )


def _sections(printed: str) -> Iterator[Section]:
    for section in printed.split("== ")[1:]:
        heading, _, text = section.partition("\n")
        yield heading.split(), text


def _of_kind(sections: list[Section], kind: str) -> Iterator[Section]:
    return ((words[1:], text) for words, text in sections if words[0] == kind)


def _lines(sections: list[Section], kind: str) -> Iterator[dict[str, Any]]:
    """What files hold that have a JSON object each."""
    return (json.loads(line) for _, text in _of_kind(sections, kind) for line in text.splitlines())


def _services(sections: list[Section]) -> Iterator[Service]:
    """Those that the machine keeps, and then those of whose endpoints alone it was told."""
    wished = {one["name"]: one for one in _lines(sections, "services")}
    found = {one["name"]: one for one in _lines(sections, "endpoints")}
    for name, told in (wished | found).items():
        ports = found.get(name, {}).get("ports", ())
        yield Service(name, told.get("address", ""), tuple(map(_service_port, ports)), kept=name in wished)


def _service_port(told: Mapping[str, Any]) -> ServicePort:
    ready = {one["pod"]: f"{one['address']}:{one['port']}" for one in told["ready"]}
    return ServicePort(told["port"], told["protocol"], ready, told["left_out"], told.get("node_port"))


def _json(text: str) -> list[dict[str, Any]]:
    """A list, as a program has printed it; an empty one where it printed none, because what it was about is gone."""
    try:
        return list(json.loads(text) or ())
    except ValueError:
        return []


def _containers(sections: list[Section]) -> Iterator[Container]:
    store = {one["id"]: one for _, text in _of_kind(sections, "podman") for one in _json(text)}
    started = {line.split("/")[-3] for _, text in _of_kind(sections, "started") for line in text.splitlines()}
    images = dict(line.split()[:2] for _, text in _of_kind(sections, "images") for line in text.splitlines()[1:])
    running = {one["id"]: one for _, text in _of_kind(sections, "crun") for one in _json(text)}
    for key, one in store.items():
        yield _of_podman(one, running.pop(key, None), has_run=key in started)
    for one in running.values():
        yield _of_runtime("crun", one)
    for (root,), text in _of_kind(sections, "runc"):
        runtime = "runc" if root == "runc" else "containerd"
        for one in _json(text):
            yield _of_runtime(runtime, one, images.get(one["id"], ""))


def _of_podman(stored: Mapping[str, Any], found: Mapping[str, Any] | None, *, has_run: bool) -> Container:
    told = json.loads(stored.get("metadata") or "{}")
    state = "exited" if has_run else "created"
    return Container(
        f"podman/{stored['id']}", stored["names"][0], told.get("image-name", ""), found["status"] if found else state,
        created=int(told.get("created-at", 0)), runtime="Podman", process=_process(found or {}),
    )  # fmt: skip


def _of_runtime(runtime: str, found: Mapping[str, Any], image: str = "") -> Container:
    created = int(datetime.fromisoformat(found["created"]).timestamp())
    state = "exited" if found["status"] == "stopped" else found["status"]
    return Container(f"{runtime}/{found['id']}", found["id"], image, state, created=created, runtime=runtime, process=_process(found))


def _process(found: Mapping[str, Any]) -> int:
    return int(found["pid"]) if found.get("status") in ("running", "paused") else 0


def _cards(sections: list[Section]) -> dict[str, tuple[_Card, ...]]:
    found = ((words[0] if words else "", _json(text)) for words, text in _of_kind(sections, "cards"))
    return {number: tuple(_card(one) for one in listed if one.get("link_type") != "loopback") for number, listed in found}


def _card(found: Mapping[str, Any]) -> _Card:
    kind = found.get("linkinfo", {}).get("info_kind", "")
    addresses = tuple(f"{one['local']}/{one['prefixlen']}" for one in found.get("addr_info", ()) if one["family"] == "inet")
    return _Card(found["ifname"], found["ifindex"], found.get("link_index", 0), found.get("master", ""), kind, addresses)


def _other_end(card: _Card, cards: Cards, own: tuple[_Card, ...]) -> tuple[str, _Card] | None:
    """The namespace in which a virtual card's other end is, and that end.  Each names the other's number, and so they find each other."""
    if card.kind != "veth":
        return None
    ends = ((number, end) for number, listed in cards.items() if listed is not own for end in listed)
    return next(((number, end) for number, end in ends if (end.number, end.peer) == (card.peer, card.number)), None)


def _links(own: tuple[_Card, ...], cards: Cards) -> Iterator[Link]:
    for card in own:
        number, end = _other_end(card, cards, own) or ("-", card)
        if not number and end.bridge:
            yield Link(_bridge_id(end.bridge), next(iter(card.plain_addresses), ""))


def _bridge_id(name: str) -> str:
    return f"bridge {name}"


def _bridge(card: _Card) -> Network:
    subnets = [str(ipaddress.ip_interface(address).network) for address in card.addresses]
    return Network(_bridge_id(card.name), card.name, "a bridge, not Docker's", subnets[0] if subnets else "")


def _namespaces(sections: list[Section], cards: Cards) -> Iterator[NetworkNamespace]:
    names = {words[0]: words[1] for words, _ in _of_kind(sections, "cards") if words[1:]}
    for number, name in names.items():
        own = cards[number]
        told = tuple(_told(card, _other_end(card, cards, own), names) for card in own)
        addresses = tuple(address for card in own for address in card.plain_addresses)
        yield NetworkNamespace(name, number, told, addresses, tuple(_links(own, cards)))


def _told(card: _Card, end: tuple[str, _Card] | None, names: Mapping[str, str]) -> str:
    if not end:
        return card.name
    number, other = end
    return f"{card.name} ↔ {other.name}" + (f" in {names.get(number, 'another')}" if number else "")
