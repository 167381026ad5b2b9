"""Some nodes, and what happens to pods on them: they are placed, moved away, and made anew elsewhere when their node is gone.

What a pod was asked to be is remembered here, and not only on its node: a machine that is gone can't tell what ran on it.  Kubernetes keeps
that in its API server; this is a variable of yours, and what runs is found again on the machines by its labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.box.errors import CourseError, UsageError
from lab.objects.engine import together
from lab.objects.node import Node, Plan, schedule
from lab.objects.pod import Pod, pods
from lab.objects.spec import PodSpec, read

ANSWER_S = 5.0
WELL = ("Running", "Succeeded")


class Cluster:
    """Nodes and their pods; those that run there already are found.

    Args:
        nodes: whose machines answer.
    """

    def __init__(self, *nodes: Node) -> None:
        schedule((), nodes)  # refuses two of one name
        self.nodes = {node.name: node for node in nodes}
        self.drained: set[str] = set()
        self.waiting: dict[str, PodSpec] = {}
        found = together(lambda node: pods(node.machine, node=node.name), nodes)
        self.pods = {pod.spec.name: pod for there in found for pod in there}

    def on(self, name: str) -> list[Pod]:
        """The pods of a node, by name."""
        return sorted((pod for pod in self.pods.values() if pod.node == name), key=lambda pod: pod.spec.name)

    def run(self, *manifests: str | Mapping[str, Any] | PodSpec) -> Plan:
        """Place pods, and those that wait, and start them side by side.

        Args:
            manifests: one a pod; none to try again those that wait.

        Raises:
            UsageError: a manifest is wrong, or a pod of that name is there.
            CourseError: a node could not start one; the others are started, and what waited before still does.
        """
        wanted = [it if isinstance(it, PodSpec) else read(it) for it in manifests]
        if twin := next((it.name for it in wanted if it.name in self.pods or it.name in self.waiting), ""):
            raise UsageError(
                f"There is a pod {twin} already.", "Pods are told apart by their names.", f'cluster.delete("{twin}"), or another name'
            )
        everyone = {it.name: it for it in (*self.waiting.values(), *wanted)}
        plan = self._plan([*self.waiting.values(), *wanted])
        self.waiting |= {name: everyone[name] for name in plan.pending}
        together(lambda name: self._start(everyone[name], plan.placements[name]), plan.placements)
        return plan

    def drain(self, name: str) -> Plan:
        """Empty a node: each pod runs elsewhere before it ends here, one at a time.

        Returns:
            Where they went, and why others stay; the node takes no new ones.

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
        """Nodes are gone: their pods are made anew elsewhere.  What fits nowhere waits.

        Raises:
            UsageError: there is no such node.
            CourseError: another node could not start one, which waits; the others are started.
        """
        for name in names:
            self.waiting |= {pod.spec.name: pod.spec for pod in self.on(self._known(name))}
            self.pods = {pod.spec.name: pod for pod in self.pods.values() if pod.node != name}
            del self.nodes[name]
            self.drained.discard(name)
        return self.run()

    def recover(self) -> Plan:
        """Ask every node whether it is there, and make anew elsewhere what ran on those that are not."""
        answers = zip(self.nodes, together(answers_still, self.nodes.values()), strict=True)
        return self.lost(*(name for name, there in answers if not there))

    def add(self, node: Node) -> Plan:
        """A node more, or one that was drained or lost: it takes what waits, and ends what runs elsewhere by now."""
        self.nodes[node.name] = node
        self.drained.discard(node.name)
        ours = {pod.container() for pod in self.on(node.name)}
        together(Pod.delete, [pod for pod in pods(node.machine, node=node.name) if pod.container() not in ours])
        return self.run()

    def delete(self, *names: str) -> None:
        """Remove pods side by side, and forget those that wait; all of them where none is named."""
        for name in names or tuple(self.waiting):
            self.waiting.pop(name, None)
        going = [self.pods.pop(name) for name in names or tuple(self.pods) if name in self.pods]
        together(Pod.delete, going)

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
    if (seen := pod.status()).phase not in WELL:
        raise CourseError(f"The pod {pod.spec.name} does not run on {pod.node}.", repr(seen), "mend its manifest")


def answers_still(node: Node) -> bool:
    """Whether a node's engine answers within some seconds."""
    try:
        return node.machine.sh("docker ps --quiet", timeout=ANSWER_S).code == 0
    except (CourseError, OSError):
        return False
