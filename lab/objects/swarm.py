"""Docker Swarm: several nodes under a real scheduler, to be compared with the one of ``lab.objects.node``.

Only its placement is used.  A *service* with one copy stands for a pod.  What the pod requests is *reserved* for the service, and nothing
else decides where it goes.  Networks between the machines are left out, because not every computer's kernel has what they need.

A Swarm takes services as they come and spreads them: of the nodes with room it takes the one with the fewest tasks.  It can't be told to
pack.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import ContainerSpec as Runs
from docker.types import Resources as Reserved
from docker.types import ServiceMode, TaskTemplate

from lab.box.errors import CourseError, UsageError
from lab.box.parallel import in_parallel
from lab.box.wait import wait_for, wait_until
from lab.objects.node import Node, Plan, schedule
from lab.objects.placement import NANOS_PER_MILLI, Placement, Share, placement
from lab.objects.quantity import Resources
from lab.objects.spec import PodSpec, read

POD = "course.swarm.pod"
"""The label that has the pod's name."""
POOL = "10.22.0.0/16"
PORT = 2377
BRIDGE = "docker_gwbridge"
"""A network that an engine makes when it joins a Swarm, and does not remove when it leaves."""
NS_PER_S = 10**9
FORMED_S, DECIDED_S, RUNS_S, GONE_S = 90.0, 60.0, 180.0, 90.0
"""Seconds until a Swarm has formed, has decided about a pod, all that is placed runs, and something that is removed has gone."""
ENDED = ("complete", "failed", "rejected")
"""The states of a task that has ended by itself."""


class Swarm:
    """Nodes that have formed a Swarm; ``form`` makes it.

    Args:
        nodes: of the Swarm; the first one manages it.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)
        self._api: Any = nodes[0].machine.docker.api
        self._names = {node.machine.docker.api.info()["Swarm"]["NodeID"]: node.name for node in nodes}
        found = [it["Description"]["Resources"] for it in self._api.nodes()]
        reported = Resources(min(it["NanoCPUs"] for it in found) // NANOS_PER_MILLI, min(it["MemoryBytes"] for it in found))
        self._share = Share(nodes[0].capacity, reported)
        self._specs: dict[str, PodSpec] = {}

    def place(self, *manifests: str | Mapping[str, Any] | PodSpec) -> Placement:
        """Have the Swarm place pods, one after the other, and wait until those that have a place run.

        Returns:
            Where all pods are, those that were there before among them.

        Raises:
            UsageError: a manifest is wrong, or a pod of that name is there.
            CourseError: the Swarm refuses one, or it does not run; the others stay.
        """
        specs = [it if isinstance(it, PodSpec) else read(it) for it in manifests]
        if same := next((it.name for it in specs if it.name in self._specs), ""):
            raise UsageError(f"There is a pod {same} already.", "Pods are told apart by their names.", "swarm.remove(), or another name")
        schedule(specs, self.nodes)  # refuses two of one name
        with _in_words():
            ids = {spec.name: self._image(spec.containers[0].image) for spec in specs}
            for spec in specs:
                service = self._create(spec, ids[spec.name])
                self._specs[spec.name] = spec
                wait_until(f"the Swarm to decide about {spec.name}", partial(self._decided, service), timeout_s=DECIDED_S, every_s=0.1)
            return self._await_all()

    def placements(self) -> dict[str, list[str]]:
        """The names of the pods that are on each node now, by the node's name."""
        with _in_words():
            tasks = [(name, task) for name, task in self._tasks().items() if task.get("NodeID") in self._names]
        there = {node.name: [name for name, task in tasks if self._names[task["NodeID"]] == node.name] for node in self.nodes}
        return {node: sorted(pods) for node, pods in there.items()}

    def remove(self, *names: str) -> None:
        """Remove pods side by side; all of them where none is named."""
        with _in_words():
            going = [service for service, name in self._pods().items() if not names or name in names]
            in_parallel(self._remove, going)
        self._specs = {name: spec for name, spec in self._specs.items() if names and name not in names}

    def leave(self) -> None:
        """Dissolve the Swarm, and remove its pods and networks; it is no error if that was done already."""
        first, *others = [node.machine.docker.api for node in self.nodes]
        with _in_words():
            in_parallel(_leave, others)
            _leave(first)
        self._specs = {}

    def __repr__(self) -> str:
        return "\n".join(f"{node}: {', '.join(pods) or 'empty'}" for node, pods in self.placements().items())

    def _pods(self) -> dict[str, str]:
        """The pod's name, by the service's id."""
        return {it["ID"]: it["Spec"]["Labels"][POD] for it in self._api.services({"label": POD})}

    def _tasks(self) -> dict[str, dict[str, Any]]:
        """The task of each pod's service that runs, or is to run, by the pod's name."""
        pods = self._pods()
        return {pods[it["ServiceID"]]: it for it in self._api.tasks({"desired-state": "running"}) if it["ServiceID"] in pods}

    def _image(self, name: str) -> str:
        """The id of an image that all nodes have.  An engine asks a registry for an image that it is told by name, even if it has it."""
        found = ""
        for node in self.nodes:
            try:
                found = str(node.machine.docker.api.inspect_image(name)["Id"])
            except NotFound:
                hint = "name one that all nodes have: docker images lists them"
                raise CourseError(f"There is no image {name} on {node.name}.", "A machine fetches none.", hint) from None
        return found

    def _create(self, spec: PodSpec, image: str) -> str:
        it, (nano, memory) = spec.containers[0].filled_late("", ""), self._share.reserved(spec)
        where, grace = it.working_dir or None, spec.grace_s * NS_PER_S
        runs = Runs(image, list(it.command) or None, list(it.args) or None, env=dict(it.env), workdir=where, stop_grace_period=grace)
        task = TaskTemplate(runs, Reserved(cpu_reservation=nano, mem_reservation=memory))
        name = f"{spec.name}-{secrets.token_hex(2)}"
        return str(self._api.create_service(task, name, {POD: spec.name}, ServiceMode("replicated", 1))["ID"])

    def _remove(self, service: str) -> None:
        """Remove a service, and wait until its tasks are gone, because they keep what was reserved for them."""
        with suppress(NotFound):
            self._api.remove_service(service)
        wait_until(
            "the tasks of a service to be gone",
            lambda: not any(it["ServiceID"] == service for it in self._api.tasks()),
            timeout_s=GONE_S,
            every_s=0.2,
        )

    def _decided(self, service: str) -> bool:
        """Whether the Swarm has looked for a node for a service, and has said which one, or why there is none."""
        return any(it.get("NodeID") or it["Status"].get("Err") for it in self._api.tasks({"service": service}))

    def _await_all(self) -> Placement:
        placements, pending = wait_for("what is placed to run", self._placed, timeout_s=RUNS_S, every_s=0.2)
        return placement(Plan(placements, pending), list(self._specs.values()), self.nodes, self._share)

    def _placed(self) -> tuple[dict[str, str], dict[str, str]]:
        """Where the pods are, and why others wait, by their names.

        A Swarm shuts a task down, and makes another one elsewhere, when it has not heard of its node for some seconds.  So only what ended
        by itself is an error.

        Raises:
            BlockingIOError: one that is placed does not run yet.
            CourseError: one has ended.
        """
        placements, pending, pods = {}, {}, self._pods()
        for task in self._api.tasks():
            name, status = pods.get(task["ServiceID"], ""), task["Status"]
            if name and status["State"] in ENDED:
                what = f"Swarm has placed the pod {name}, and it does not run."
                why = f"{status['State']}: {status.get('Err') or status['Message']}."
                raise CourseError(what, why, "swarm.remove(), and mend its manifest")
            if not name or task["DesiredState"] != "running":
                continue
            if not task.get("NodeID"):
                pending[name] = str(status.get("Err") or status["State"])
            elif status["State"] != "running":
                raise BlockingIOError(f"{name} is {status['State']}")
            else:
                placements[name] = self._names[task["NodeID"]]
        return placements, pending


def form(*nodes: Node) -> Swarm:
    """Make one Swarm of several nodes, each a machine of ``lab.machines``; the first manages it.

    Raises:
        UsageError: fewer than two, or their capacities differ.
        CourseError: one is in a Swarm already, or they do not find each other; nothing is left behind.
    """
    schedule((), nodes)  # refuses two of one name
    if len(nodes) < 2 or len({node.capacity for node in nodes}) > 1:
        why = "A Swarm reads how much room a node has from its kernel, so all are taken for alike."
        raise UsageError("A Swarm takes two or more nodes of the same capacity here.", why, "give each node the same cpu and memory")
    apis: list[Any] = [node.machine.docker.api for node in nodes]
    manager, *others = apis
    with _in_words():
        if busy := [node.name for node, api in zip(nodes, apis, strict=True) if api.info()["Swarm"]["LocalNodeState"] != "inactive"]:
            hint = f"swarm.leave(), or docker swarm leave --force on {busy[0]}"
            raise CourseError(f"{', '.join(busy)} is in a Swarm already.", "An engine is in one at most.", hint)
        try:
            address = _address(nodes[0])
            manager.init_swarm(address, f"0.0.0.0:{PORT}", default_addr_pool=[POOL], subnet_size=24)
            token = manager.inspect_swarm()["JoinTokens"]["Worker"]
            in_parallel(
                lambda node: node.machine.docker.api.join_swarm([f"{address}:{PORT}"], token, advertise_addr=_address(node)), nodes[1:]
            )
            wait_for("all nodes to be ready", lambda: _all_ready(manager, len(nodes)), timeout_s=FORMED_S, every_s=0.2)
            return Swarm(nodes)
        except BaseException:
            in_parallel(_leave, others)
            _leave(manager)
            raise


def _address(node: Node) -> str:
    machine: Any = node.machine
    return str(machine.address)


def _all_ready(manager: Any, count: int) -> None:
    states = [it["Status"]["State"] for it in manager.nodes()]
    if states.count("ready") < count:
        raise BlockingIOError(f"{len(states)} of {count} have joined: {', '.join(states)}")


def _leave(api: Any) -> None:
    """Have an engine leave its Swarm, which ends what runs there for it, and remove the network that it then leaves behind."""

    def remove_bridge() -> None:
        with suppress(NotFound):
            api.remove_network(BRIDGE)

    with suppress(APIError):  # it is in none
        api.leave_swarm(force=True)
    # The engine has answered, and still takes the containers off that network; its refusals are OSErrors.
    wait_for(f"{BRIDGE} to be removed", remove_bridge, timeout_s=GONE_S, every_s=0.2)


@contextmanager
def _in_words() -> Iterator[None]:
    """The engines' complaints, as sentences.

    Raises:
        CourseError: one complained, or does not answer.
    """
    try:
        yield
    except APIError as error:
        raise CourseError("The Swarm refuses something.", f"{error.explanation}.", "swarm.leave(), and form it again") from None
    except OSError as error:
        what = "A machine of the Swarm does not answer."
        raise CourseError(what, f"{type(error).__name__}: {error}.", "swarm.leave(), and form it with those that do") from None
