"""A cluster: pods are placed on nodes, moved away from one, and made anew elsewhere when their node is lost.

The cluster keeps the specification of each pod, because a machine that is lost can't tell any more what ran on it.  Kubernetes keeps the
specifications in its API server; here they are in a Python object.  If that is lost, the pods that run are found again by their labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.box.errors import CourseError, UsageError
from lab.box.parallel import in_parallel
from lab.objects.node import Node, Plan, schedule
from lab.objects.pod import Pod, pods
from lab.objects.spec import PodSpec, read

ANSWER_S = 5.0
"""Seconds that a node's engine has to answer."""
STARTED = ("Running", "Succeeded")
"""The phases of a pod that has started well."""


class Cluster:
    """Nodes and their pods; pods that are on the nodes already are found.

    Args:
        nodes: their machines must answer.
    """

    def __init__(self, *nodes: Node) -> None:
        schedule((), nodes)  # refuses two of one name
        self.nodes = {node.name: node for node in nodes}
        self.drained: set[str] = set()
        self.waiting: dict[str, PodSpec] = {}
        found = in_parallel(lambda node: pods(node.machine, node=node.name), nodes)
        self.pods = {pod.spec.name: pod for there in found for pod in there}

    def on(self, name: str) -> list[Pod]:
        """The pods of a node, sorted by name."""
        return sorted((pod for pod in self.pods.values() if pod.node == name), key=lambda pod: pod.spec.name)

    def run(self, *manifests: str | Mapping[str, Any] | PodSpec) -> Plan:
        """Place pods, and those that wait for a place, and start them side by side.

        Args:
            manifests: one for each pod; none to try only those that wait.

        Returns:
            Where they went, and why others wait.

        Raises:
            UsageError: a manifest is wrong, or a pod of that name is there.
            CourseError: a node could not start one of them; the others are started.
        """
        wanted = [it if isinstance(it, PodSpec) else read(it) for it in manifests]
        if same := next((it.name for it in wanted if it.name in self.pods or it.name in self.waiting), ""):
            raise UsageError(
                f"There is a pod {same} already.", "Pods are told apart by their names.", f'cluster.delete("{same}"), or another name'
            )
        everyone = {it.name: it for it in (*self.waiting.values(), *wanted)}
        plan = self._plan([*self.waiting.values(), *wanted])
        self.waiting |= {name: everyone[name] for name in plan.pending}
        in_parallel(lambda name: self._start(everyone[name], plan.placements[name]), plan.placements)
        return plan

    def drain(self, name: str) -> Plan:
        """Move all pods away from a node, one after the other: each runs elsewhere before it ends here.  The node takes no new ones.

        Returns:
            Where they went, and why others stay.

        Raises:
            UsageError: there is no such node.
        """
        self.drained.add(self._known(name))
        moved: dict[str, str] = {}
        stay: dict[str, str] = {}
        for old in self.on(name):
            plan = self._plan([old.spec])
            try:
                if not plan.pending:
                    self._start(old.spec, plan.placements[old.spec.name])
                    old.delete()
            except CourseError as error:
                stay[old.spec.name] = str(error)
            moved.update(plan.placements if old.spec.name not in stay else {})
            stay.update(plan.pending)
        return Plan(moved, stay)

    def lost(self, *names: str) -> Plan:
        """Give up nodes that are gone, and make their pods anew elsewhere; pods that fit nowhere wait.

        Raises:
            UsageError: there is no such node.
            CourseError: another node could not start one of them, which then waits; the others are started.
        """
        for name in names:
            self.waiting |= {pod.spec.name: pod.spec for pod in self.on(self._known(name))}
            self.pods = {pod.spec.name: pod for pod in self.pods.values() if pod.node != name}
            del self.nodes[name]
            self.drained.discard(name)
        return self.run()

    def recover(self) -> Plan:
        """Ask every node whether it answers, and give up those that do not; see ``lost``."""
        found = zip(self.nodes, in_parallel(answers, self.nodes.values()), strict=True)
        return self.lost(*(name for name, there in found if not there))

    def add(self, node: Node) -> Plan:
        """Add a node, or take back one that was drained or lost; pods that wait can go there.

        What still runs there of pods that were made anew elsewhere is removed.
        """
        self.nodes[node.name] = node
        self.drained.discard(node.name)
        ours = {pod.container() for pod in self.on(node.name)}
        in_parallel(Pod.delete, [pod for pod in pods(node.machine, node=node.name) if pod.container() not in ours])
        return self.run()

    def delete(self, *names: str) -> None:
        """Remove pods, side by side, those that wait as well; all of them where none is named."""
        for name in names or tuple(self.waiting):
            self.waiting.pop(name, None)
        going = [self.pods.pop(name) for name in names or tuple(self.pods) if name in self.pods]
        in_parallel(Pod.delete, going)

    def __repr__(self) -> str:
        lines = [f"{name}: {', '.join(pod.spec.name for pod in self.on(name)) or 'empty'}" for name in self.nodes]
        return "\n".join([*lines, *(f"{name} waits" for name in self.waiting)])

    def _plan(self, specs: Iterable[PodSpec]) -> Plan:
        takers = [node for name, node in self.nodes.items() if name not in self.drained]
        return schedule(list(specs), takers, {node.name: [pod.spec for pod in self.on(node.name)] for node in takers})

    def _start(self, spec: PodSpec, name: str) -> None:
        """Make a pod on a node, and count on it once it runs; one that does not run is removed."""
        pod = Pod.create(self.nodes[name].machine, spec, node=name)
        try:
            _must_run(pod.start())
        except BaseException:
            pod.delete(grace_s=0)
            raise
        self.pods[spec.name] = pod
        self.waiting.pop(spec.name, None)

    def _known(self, name: str) -> str:
        if name not in self.nodes:
            raise UsageError(f"There is no node {name}.", f"There are: {', '.join(self.nodes) or 'none'}.", "name one of those")
        return name


def _must_run(pod: Pod) -> None:
    if (seen := pod.status()).phase not in STARTED:
        raise CourseError(f"The pod {pod.spec.name} does not run on {pod.node}.", repr(seen), "mend its manifest")


def answers(node: Node) -> bool:
    """Whether a node's engine answers within some seconds."""
    try:
        return node.machine.sh("docker ps --quiet", timeout=ANSWER_S).code == 0
    except (CourseError, OSError):
        return False
