"""Groups: what keeps a Deployment of hundreds of pods readable.

As long as a Deployment has few pods each is drawn.  From then on those that are alike, which is of one template and ready or not, are a
group, which says how many they are, and is drawn in their place until somebody unfolds it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from lab.objects.labels import TEMPLATE
from lab.picture.nodes import Graph, add
from lab.picture.snapshot import NOT_READY, Container

MOST_PODS = 30
"""Pods of a Deployment that are drawn one by one."""
PAUSE = "pause"
Pods = Mapping[str, Sequence[Container]]
"""Each pod's containers, by the id of the one that owns its network."""


def group_pods(graph: Graph[str], deployment: str, pods: Pods, versions: Mapping[str, str]) -> dict[str, str]:
    """Add the groups that a Deployment needs.  Returns what each of its pods is drawn in: the Deployment or a group, by the pod's root.

    Args:
        graph: to add them to.
        deployment: its node.
        pods: its pods.
        versions: by root, whether a pod is of the template that is wanted, as ``lab.picture.graph`` has it.
    """
    if len(pods) <= MOST_PODS:
        return dict.fromkeys(pods, deployment)
    groups: defaultdict[tuple[str, bool], list[str]] = defaultdict(list)
    for root, members in pods.items():
        groups[members[0].labels.get(TEMPLATE, ""), all(it.ready for it in members)].append(root)
    within: dict[str, str] = {}
    for (template, ready), roots in groups.items():
        word = "ready" if ready else NOT_READY
        node = f"group:{deployment.partition(':')[2]}/{template}/{word}"
        _group(graph, node, deployment, {root: pods[root] for root in roots}, (template, versions[roots[0]], word))
        within |= dict.fromkeys(roots, node)
    return within


def _group(graph: Graph[str], node: str, deployment: str, pods: Pods, alike: tuple[str, str, str]) -> None:
    template, version, word = alike
    images = {it.image: None for members in pods.values() for it in members if it.image != PAUSE or len(members) == 1}
    why = Counter(_why_not_ready(members) for members in pods.values()) if word == NOT_READY else {}
    wanted = {"new": " (wanted)", "old": " (old)"}.get(version, "")
    notes = [*(f"{number} {reason}" for reason, number in why.items()), f"template {template}{wanted}" if template else ""]
    label = f"{', '.join(images) or 'pods'}: {len(pods)} {word}"
    add(graph, node, "group", deployment, label, note=", ".join(filter(None, notes)), version=version)


def _why_not_ready(members: Sequence[Container]) -> str:
    it = next(it for it in members if not it.ready)
    finding = it.finding.removeprefix(NOT_READY).lstrip(": ")
    return (finding or it.health or "no answer yet") if it.state == "running" else it.state


def lead_to_groups(graph: Graph[str]) -> None:
    """Let what leads to a pod in a group, and what a pod in one leads to, be so for the group as well."""
    grouped = {pod: shown["parent"] for pod, shown in graph.nodes(data=True) if shown["parent"].startswith("group:")}
    for pod, group in grouped.items():
        for lane, edge in list(graph.adj[pod].items()):
            graph.add_edge(group, lane, kind=edge["kind"])
        for lane, edge in list(graph.pred[pod].items()):
            graph.add_edge(lane, group, kind=edge["kind"])
