"""A pod, made by hand: containers that share some of their namespaces, and are removed together.

A container called *pause*, whose program does nothing, makes it one thing.  Pause owns the network, the shared memory and message queues
(ipc), the published ports and, on request, the process tree (pid).  Every other container joins pause's namespaces and has none of these
for itself.  So the containers reach each other on localhost, and each of them can end and start again while the pod keeps its address.

Docker can't share the namespace of the host name (uts) between containers, because its option ``--uts`` takes only ``host``.  The host name
is the same in all of them nevertheless: a container that joins another one's network gets that one's host name.

What goes on while it runs, such as probes, is the work of a ``kubelet`` on the machine, which is there if a pod asks for something of it.

Some things that Kubernetes does are left out, beside the fields that are refused.  If pause dies, nobody makes the pod anew.  When all
other containers have ended, pause stays until the pod is deleted.  Docker waits 0.1 s before the first restart of a container,
then 0.2 s, 0.4 s; a kubelet does not wait before the first, and then 10 s, 20 s.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.box.parallel import AT_ONCE, in_parallel
from lab.objects import options, volumes
from lab.objects.engine import in_words, inspect, refuse_root, remove, remove_volume
from lab.objects.env import is_late
from lab.objects.kubelet import client as kubelet
from lab.objects.kubelet.orders import KEY, LEAST_GRACE_S
from lab.objects.options import MANIFEST, NAME, NODE, PART, Identity
from lab.objects.spec import PodSpec, read
from lab.objects.status import PodStatus, pod_status
from lab.observe.namespace import Between, between
from lab.observe.process import pid

if TYPE_CHECKING:
    from lab.box.machine import Machine
    from lab.objects.container import ContainerSpec

INIT_S = 60.0
"""Seconds that a pod's init containers have together."""
MEND = "pod.delete(), mend the container's command, and create the pod again"


class Pod:
    """A pod on a machine; ``Pod.create`` makes one, ``Pod.find`` finds one that is there.

    Args:
        machine: that it is on.
        identity: what tells it from all other pods.
    """

    def __init__(self, machine: Machine, identity: Identity) -> None:
        self.machine, self.spec, self.node = machine, identity.spec, identity.node
        self._identity = identity
        self._api: Any = machine.docker.api

    @classmethod
    def create(cls, machine: Machine, manifest: str | Mapping[str, Any] | PodSpec, *, node: str = "", network: str = "bridge") -> Pod:
        """Make a pod: pause runs, the other containers are ready to be started.

        Args:
            machine: to make it on.
            manifest: YAML text, the mapping that it stands for, or the ``PodSpec`` that was read from it.
            node: the name of the node that it is on; with it the pod is found again.
            network: of the machine's engine, that the pod is connected to.

        Raises:
            UsageError: the manifest asks for what is not supported, or a pod of that name is there.
            CourseError: the engine refuses; nothing is left behind.
        """
        spec = manifest if isinstance(manifest, PodSpec) else read(manifest)
        pod = cls(machine, Identity(spec, secrets.token_hex(3), node))
        with in_words(pod._api, spec.name):
            if pod._listed(f"{NAME}={spec.name}", f"{NODE}={node}"):
                hint = f"Pod.find(box, {spec.name!r}).delete(), or choose another name"
                why = "A machine knows its pods by their names, whatever the namespace."
                raise UsageError(f"There is a pod {spec.name} already.", why, hint)
            try:
                pod._make(network)
            except BaseException:
                pod.delete(grace_s=0)
                raise
        return pod

    @classmethod
    def find(cls, machine: Machine, name: str, *, node: str = "") -> Pod:
        """The pod of that name, whoever made it.

        Raises:
            CourseError: there is none.
        """
        there = {pod.spec.name: pod for pod in pods(machine, node=node)}
        if name not in there:
            raise CourseError(f"There is no pod {name}.", f"There are: {', '.join(there) or 'none'}.", "Pod.create(box, manifest)")
        return there[name]

    def container(self, name: str = "") -> str:
        """The name that the engine has for one of its containers; for pause where none is named."""
        return self._identity.name(name)

    @property
    def key(self) -> str:
        """No other pod has it, whatever their names."""
        return self._identity.key

    @property
    def walls(self) -> Between:
        """The walls between pause and its containers, as the kernel has them.

        Raises:
            CourseError: one of them does not run.
        """
        names = (self.spec.pause, *(it.name for it in self.spec.containers))
        return between(self.machine, {name: pid(self.machine, self.container(name)) for name in names})

    @property
    def address(self) -> str:
        """Its IPv4 address, which is pause's; empty while pause does not run.

        Raises:
            CourseError: pause is gone.
        """
        with in_words(self._api, self.spec.name):
            networks = self._api.inspect_container(self.container())["NetworkSettings"]["Networks"].values()
        return next((str(its["IPAddress"]) for its in networks), "")

    def start(self, timeout_s: float = INIT_S) -> Pod:
        """Run the init containers one after the other, then all others side by side.

        Each init container is run to its end.  A sidecar goes on running; if it has a startup probe, that is waited for.

        Args:
            timeout_s: seconds that the init containers have together.

        Raises:
            WaitTimeout: an init container has not ended; with what it printed last.
            CourseError: it failed and is not to be tried again, or the engine can't start a container.  The pod stays, to be looked at.
        """
        until = time.monotonic() + timeout_s
        with in_words(self._api, self.spec.name):
            if self._orders():
                kubelet.begin(self.machine)
            for it in self.spec.init:
                if it.sidecar:
                    self._begin(it, until)
                else:
                    self._run_to_its_end(it, until)
            in_parallel(self._api.start, [self.container(it.name) for it in self.spec.containers])
        return self

    def status(self) -> PodStatus:
        """The state of the pod and of each container, now.

        Raises:
            CourseError: nothing of it is left.
        """
        ids = self._parts()
        answers = zip(ids, in_parallel(lambda one: inspect(self._api, one), ids.values()), strict=True)
        seen = {name: answer for name, answer in answers if answer}
        if not seen:
            raise CourseError(f"There is no pod {self.spec.name} any more.", "It was deleted.", "Pod.create(box, manifest)")
        probed = [str(ids[it.name]) for it in self.spec.everyone if it.probes and it.name in ids]
        return pod_status(self.spec, seen, kubelet.findings(self.machine, probed))

    def logs(self, container: str = "", tail: int = 50) -> str:
        """The last lines that a container has printed.

        Args:
            container: its name in the manifest; it need not be named where there is one alone.
            tail: how many lines.

        Raises:
            UsageError: there is no such container, or several and none is named.
            CourseError: it is gone.
        """
        names = [it.name for it in self.spec.everyone]
        name = container or (self.spec.containers[0].name if len(self.spec.containers) == 1 else "")
        if name not in names:
            what = f"no container {name}" if name else "more than one container"
            raise UsageError(
                f"There is {what} in the pod {self.spec.name}.", f"Its containers: {', '.join(names)}.", f"pod.logs({names[-1]!r})"
            )
        with in_words(self._api, self.spec.name):
            return str(self._api.logs(self.container(name), tail=tail).decode(errors="replace"))

    def delete(self, grace_s: int | None = None) -> None:
        """Remove the pod, or what is left of it.

        First go the containers, side by side, then the sidecars, the last one first, then pause, and then the volumes.

        Args:
            grace_s: seconds that a container has to end by itself before it is killed; as the manifest says, if it is not given.

        Raises:
            CourseError: the engine refuses.
        """
        grace = self.spec.grace_s if grace_s is None else grace_s
        with in_words(self._api, self.spec.name):
            ids = self._parts()
            last = [name for name in (*(it.name for it in reversed(self.spec.sidecars)), self.spec.pause) if name in ids]
            in_parallel(lambda name: self._end(name, ids[name], grace), ids.keys() - set(last))
            for name in last:
                self._end(name, ids[name], 0 if name == self.spec.pause else grace)
            left = self._api.volumes(filters={"label": f"{KEY}={self._identity.key}"})["Volumes"] or ()
            in_parallel(lambda one: remove_volume(self._api, one["Name"]), left)

    def __repr__(self) -> str:
        return f"<pod {self.spec.name}: {', '.join(it.name for it in self.spec.containers)}>"

    def _make(self, network: str) -> None:
        for it in self.spec.everyone:
            if it.security.non_root and it.security.user is None:
                refuse_root(self._api, it.name, it.image)
        directories = volumes.make(self._api, self._identity)
        pause = self._api.create_container(**options.pause(self._identity, network))
        with ThreadPoolExecutor(AT_ONCE) as pool:  # pause can start while the others are made
            started = pool.submit(self._api.start, pause["Id"])
            filled = pool.submit(volumes.fill, self.machine, self._identity, directories) if directories else started
            address = ""
            if any(is_late(it.texts) for it in self.spec.everyone):
                started.result()
                address = self.address
            members = [options.member(self._identity, it.filled_late(address, self.node)) for it in self.spec.everyone]
            made = [pool.submit(self._api.create_container, **made_with) for made_with in members]
        for each in (started, filled, *made):
            each.result()

    def _orders(self) -> bool:
        """Whether there is anything for the machine's kubelet to do."""
        return any(options.kubelet_label(self._identity, it) for it in self.spec.everyone)

    def _end(self, name: str, container: str, grace_s: int) -> None:
        """Remove a container, after its hook."""
        began = time.monotonic()
        hooked = any(it.name == name and it.pre_stop for it in self.spec.everyone)
        if hooked and grace_s:
            with suppress(WaitTimeout):
                kubelet.hook(self.machine, container, grace_s)
            grace_s = max(LEAST_GRACE_S, grace_s - int(time.monotonic() - began))
        remove(self._api, container, grace_s)

    def _begin(self, it: ContainerSpec, until: float) -> None:
        """Start a sidecar, and wait for its startup probe.

        Raises:
            WaitTimeout: that has not succeeded in time.
        """
        self._api.start(self.container(it.name))
        if "startup" in it.probes and not kubelet.wait(self.machine, self._parts()[it.name], max(0.1, until - time.monotonic())):
            what = f"The sidecar {it.name} did not start in time, so the pod {self.spec.name} does not start."
            raise WaitTimeout(what, self._last_words(it), MEND)

    def _run_to_its_end(self, it: ContainerSpec, until: float) -> None:
        state = self._api.inspect_container(self.container(it.name))["State"]
        if state["Status"] == "exited" and state["ExitCode"] == 0:  # in an earlier start
            return
        code = -1
        while code:
            self._api.start(self.container(it.name))  # nothing happens where the engine is about to start it again
            code = self._exit_code(it, until)
            if code and self.spec.restart == "Never":
                what = f"The init container {it.name} ended with {code}, so the pod {self.spec.name} does not start."
                raise CourseError(what, self._last_words(it), MEND)

    def _exit_code(self, it: ContainerSpec, until: float) -> int:
        """The exit code of a container's present run, as soon as it ends."""
        try:
            return int(self._api.wait(self.container(it.name), timeout=max(0.01, until - time.monotonic()))["StatusCode"])
        except OSError:  # no answer in time
            if time.monotonic() < until - 0.1:
                raise
            what = f"The init container {it.name} did not end with 0 in time, so the pod {self.spec.name} does not start."
            raise WaitTimeout(what, self._last_words(it), MEND) from None

    def _last_words(self, it: ContainerSpec) -> str:
        printed = self.logs(it.name, tail=8).strip()
        return f"It printed last:\n{printed}" if printed else "It printed nothing."

    def _listed(self, *labels: str) -> list[dict[str, Any]]:
        return list(self._api.containers(all=True, filters={"label": list(labels)}))

    def _parts(self) -> dict[str, str]:
        """The ids of the containers that are there, by their names in the manifest."""
        return {it["Labels"][PART]: it["Id"] for it in self._listed(f"{KEY}={self._identity.key}", PART)}


def pods(machine: Machine, *, node: str = "") -> list[Pod]:
    """The pods on a machine, sorted by name.

    Args:
        machine: to look on.
        node: only those of this node; all of them where none is named.  A machine can stand for several nodes.
    """
    listed = machine.docker.api.containers(all=True, filters={"label": [MANIFEST, KEY, f"{NODE}={node}" if node else NODE]})
    labels = {it["Labels"][KEY]: it["Labels"] for it in listed}
    found = [Pod(machine, Identity(read(json.loads(its[MANIFEST])), key, its[NODE])) for key, its in labels.items()]
    return sorted(found, key=lambda pod: pod.spec.name)
