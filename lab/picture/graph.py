"""The graph that is drawn: what is inside what, and what leads where.  No input and no output: the same snapshot gives the same graph.

Nodes have a ``kind`` (computer, box, pod, container, namespace, network, deployment, group, service) and these attributes, always all of
them:

===========  ========================================================================================================
``parent``   the node that it is drawn in; empty at the top
``label``    its name, for people
``state``    of a container the engine's word, such as running; of a pod or a deployment the states of its containers; ``gone`` for a
             box that does not run any more, and for what was on it; else empty
``note``     what else there is to say, such as an exit code, why it did not start, or how many copies there are
``image``    of a container
``address``  of a pod, a namespace, or a container that stands alone: its addresses; of a network its subnet; of a Service where it is found
``ports``    of a pod or a container that stands alone: the published ones, such as ``80→8080``; of a Service those of every machine
``walls``    of a container: by kind, from whom no wall separates it: ``the box`` or a container's name; kinds with a wall are left out
``version``  of a pod, a group, or a container that stands alone: ``old`` or ``new``, whether it is of the template that is wanted
``process``  of a container that runs: its first process; else 0
``inner``    of every container of a pod but the first: by kind, whether a wall stands between it and those before it in the pod
===========  ========================================================================================================

Edges have a ``kind``: ``attached`` (pod, container or namespace → network), ``named`` (service → pod or container), ``endpoint`` and
``left out`` (Service → pod or container) and ``published`` (box → pod or container).  What leads to a pod in a group leads to the group as
well.

Containers that share a network namespace are a **pod**.  A **namespace** is one for networks that has a name, and no container in it.  A
**service** is a name on a network to which more than one of them answers, or a Service that the machine keeps.  A **deployment** is a
label that several have: ``deployment``, or what Docker Compose and Swarm write.  A **group** is many pods of one deployment that are alike.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

import networkx as nx

from lab.objects.labels import OWNER, POD, TEMPLATE
from lab.observe.namespace import WALLS
from lab.picture.groups import group_pods, lead_to_groups
from lab.picture.nodes import COMPUTER, THE_BOX, Graph, add, count
from lab.picture.services import add_services
from lab.picture.snapshot import BOX, Box, Container, Snapshot, Wished

DEPLOYMENT = "deployment"
LABELS = (DEPLOYMENT, OWNER, "com.docker.compose.service", "com.docker.swarm.service.name")
"""The first that a container has decides.  Compose labels single containers as well; those are a deployment once there are two."""
NO_NETWORKS = ("host", "none")
"""Every engine lists them among its networks."""


def graph(snapshot: Snapshot) -> Graph[str]:
    """The graph of a snapshot; see the module for its attributes."""
    result: Graph[str] = nx.DiGraph()
    add(result, COMPUTER, "computer", "", "your computer")
    pods: dict[str, str] = {}
    for box in snapshot.boxes:
        pods |= _draw(result, box)
    add_services(result, snapshot.boxes, pods)
    lead_to_groups(result)
    return result


def _draw(result: Graph[str], box: Box) -> dict[str, str]:
    """Add a box with all that is in it.  Returns the nodes of its pods, and of its containers that stand alone, by their names."""
    if box.end_reason:
        box = replace(box, containers=tuple(replace(it, state="gone", health="", exit_code=None, trouble="") for it in box.containers))
    here = f"box:{box.name}"
    note = f"since {box.ended}: {box.end_reason}" if box.end_reason else count(len(box.containers), "container")
    add(result, here, "box", COMPUTER, box.name, state="gone" if box.end_reason else "", note=note)
    units = _units(box.containers)
    deployed = _deployments(units)
    wishes = {wish.name: wish for wish in box.wishes}
    versions = {root: _version(wishes.get(name), units[root]) for name, roots in deployed.items() for root in roots}
    parents: dict[str, str] = {}
    for name in dict.fromkeys([*deployed, *wishes]):
        pods = {root: units[root] for root in deployed.get(name, ())}
        state = _states(container for members in pods.values() for container in members) if pods else ""
        note = _fulfilled(wishes[name], pods.values()) if name in wishes else count(len(pods), "copy", "copies")
        deployment = f"deployment:{box.name}/{name}"
        add(result, deployment, "deployment", here, name, state=state, note=note)
        parents |= group_pods(result, deployment, pods, versions)
    names = {container.id: container.name for container in box.containers} | {BOX: THE_BOX}
    nodes = {
        root: _unit(result, root, members, parents.get(root, here), names, version=versions.get(root, ""))
        for root, members in units.items()
    }
    for root, members in units.items():
        if ports := _ports(members):
            result.add_edge(here, nodes[root], kind="published", ports=ports)
    for one in box.namespaces:
        node = f"namespace:{box.name}/{one.name}"
        note = ", ".join(one.cards) or "without a network card"
        state = "gone" if box.end_reason else ""
        add(result, node, "namespace", here, one.name, state=state, note=note, address=", ".join(one.addresses))
    _networks(result, box, here, {container.id: nodes[root] for root, members in units.items() for container in members})
    return {result.nodes[nodes[root]]["label"]: nodes[root] for root in units}


def _units(containers: Sequence[Container]) -> dict[str, list[Container]]:
    """Containers by the one whose network namespace they are in: a pod where there are several."""
    by_id = {container.id: container for container in containers}
    units: defaultdict[str, list[Container]] = defaultdict(list)
    for container in containers:
        root, seen = container.id, set[str]()
        while root in by_id and root not in seen and by_id[root].shares.get("net", BOX) != BOX:
            seen.add(root)
            root = by_id[root].shares["net"]
        units[root].append(container)
    return {root: sorted(members, key=lambda one, root=root: one.id != root) for root, members in units.items()}  # type: ignore[misc]


def _deployments(units: Mapping[str, Sequence[Container]]) -> dict[str, list[str]]:
    """The units that carry the same label, by its value."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for root, members in units.items():
        labels = ((label, container.labels[label]) for label in LABELS for container in members if container.labels.get(label))
        if first := next(labels, None):
            found[first].append(root)
    deployed: defaultdict[str, list[str]] = defaultdict(list)
    for (label, value), roots in found.items():
        if label in (DEPLOYMENT, OWNER) or len(roots) > 1:
            deployed[value] += roots
    return deployed


def _fulfilled(wish: Wished, pods: Collection[Sequence[Container]]) -> str:
    """How far a Deployment is, in words: who can be asked, and which templates there are where it is not the wanted one alone."""
    ready = sum(all(member.ready for member in members) for members in pods)
    templates = Counter(members[0].labels.get(TEMPLATE, "") for members in pods)
    words = [f"{ready} of {wish.replicas} ready"]
    if set(templates) - {wish.template}:
        words += [f"{number} of template {one}" + (" (wanted)" if one == wish.template else "") for one, number in templates.items()]
    return ", ".join(words)


def _version(wish: Wished | None, members: Sequence[Container]) -> str:
    """Whether a pod is of the template that is wanted: new or old; nothing where nobody has said what is wanted."""
    template = members[0].labels.get(TEMPLATE, "")
    return "" if not (wish and template) else "new" if template == wish.template else "old"


def _unit(result: Graph[str], root: str, members: Sequence[Container], parent: str, names: Mapping[str, str], *, version: str) -> str:
    """Add a pod with its containers, or a container that stands alone.  Returns the node that has the address."""
    alone = len(members) == 1
    addresses = ", ".join(link.address for member in members for link in member.links if link.address)
    shown = {"address": addresses, "ports": _ports(members), "version": version}
    node = f"container:{root}" if alone and members[0].id == root else f"pod:{root}"
    if not node.startswith("container:"):
        note = count(len(members), "container") + (f", {version} template" if version == "old" else "")
        add(result, node, "pod", parent, _pod_name(members), state=_states(members), note=note, **shown)
    for number, member in enumerate(members):
        if node == f"container:{member.id}":
            _container(result, member, parent, names, shown)
        else:
            _container(result, member, node, names, {"inner": _inner(member, members[:number])})
    return node


def _inner(it: Container, above: Sequence[Container]) -> dict[str, bool]:
    """By kind, whether a wall stands between a container and those before it in its pod; two that use a third one's have none."""
    if not above:
        return {}
    theirs = {(kind, owner) for other in above for kind in WALLS for owner in (other.id, other.shares.get(kind, other.id))}
    return {kind: (kind, it.shares.get(kind, it.id)) not in theirs for kind in WALLS}


def _container(result: Graph[str], it: Container, parent: str, names: Mapping[str, str], shown: Mapping[str, object]) -> None:
    walls = {kind: names.get(it.shares[kind], "one that is gone") for kind in WALLS if kind in it.shares}
    code = "" if it.exit_code is None else f"code {it.exit_code}"
    notes = [f"by {it.runtime}" if it.runtime else "", it.health, it.finding, code, it.trouble]
    note = ", ".join(filter(None, notes))
    more = {"state": it.state, "note": note, "image": it.image, "walls": walls, "process": it.process}
    add(result, f"container:{it.id}", "container", parent, it.name, **more, **shown)


def _pod_name(members: Sequence[Container]) -> str:
    """What its label says, else the words that the names of its containers begin with, else the first one's name."""
    if name := members[0].labels.get(POD):
        return name
    words = zip(*(re.split("[-_.]", member.name) for member in members), strict=False)
    common = takewhile(lambda column: len(set(column)) == 1, words)
    return "-".join(column[0] for column in common) or members[0].name


def _networks(result: Graph[str], box: Box, here: str, nodes: Mapping[str, str]) -> None:
    named: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    attached = {(link.network, nodes[one.id]): None for one in box.containers for link in one.links}
    attached |= {(link.network, f"namespace:{box.name}/{one.name}"): None for one in box.namespaces for link in one.links}
    used = {network for network, _ in attached}
    for network in box.networks:
        if network.name in NO_NETWORKS or (network.name == "bridge" and network.id not in used):
            continue
        add(result, _network(box, network.id), "network", here, network.name, address=network.subnet, note=network.driver)
    for network_id, node in attached:
        if _network(box, network_id) in result:
            result.add_edge(node, _network(box, network_id), kind="attached")
    for container in box.containers:
        for link in container.links:
            for alias in link.aliases if link.address else ():
                named[link.network, alias][nodes[container.id]] = None
    for (network_id, alias), members in named.items():
        if len(members) > 1:
            service = f"service:{box.name}/{network_id[:12]}/{alias}"
            add(result, service, "service", here, alias, note=f"a name for {len(members)}")
            result.add_edges_from(((service, member) for member in members), kind="named")


def _network(box: Box, network: str) -> str:
    return f"network:{box.name}/{network}"


def _ports(members: Sequence[Container]) -> str:
    return ", ".join(str(port) for member in members for port in member.ports)


def _states(members: Iterable[Container]) -> str:
    """One word where all are alike, else how many there are of each."""
    found = Counter(member.state for member in members)
    return next(iter(found)) if len(found) == 1 else ", ".join(f"{number} {state}" for state, number in sorted(found.items()))
