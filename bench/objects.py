"""What a pod, and what stands on pods, costs beside the bare engine calls that it needs, issued as well as possible, in the same run.

``python -m bench.objects`` prints a table, ``--json`` the same as rows ``{name, value, unit, limit, ok}``.  A row without a limit is there
to compare with.  Ours and bare take turns, because a machine's speed changes while one waits.  The exit code is always 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

from bench import deployments, services
from bench.box import home
from bench.rows import Row, on_an_engine, options, seconds, show
from lab.box import lifecycle
from lab.box.machine import Machine
from lab.objects.cluster import Cluster
from lab.objects.node import Node
from lab.objects.pod import Pod
from lab.objects.spec import read
from tests.objects.manifests import one, pod, sized

TURNS = 7
SLEEP = ["sleep", "1000"]
THREE = pod(one("app"), one("sidecar"), one("agent"))
EIGHT = [sized(f"p-{number}") for number in range(8)]


def bare_pod(api: Any, name: str, members: int) -> None:
    """Pause is made; it starts while those that join it are made; they start together.  No check, no label, no look."""
    pause = api.create_container("pause", name=f"{name}-pause", host_config=api.create_host_config(ipc_mode="shareable"))["Id"]
    joined = f"container:{pause}"

    def member(number: int) -> str:
        host = api.create_host_config(network_mode=joined, ipc_mode=joined)
        return str(api.create_container("base", SLEEP, name=f"{name}-{number}", host_config=host)["Id"])

    with ThreadPoolExecutor(8) as pool:
        started = pool.submit(api.start, pause)
        made = list(pool.map(member, range(members)))
        started.result()
        list(pool.map(api.start, made))


def bare_pods(api: Any, number: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bare_pod(api, name, 1), [f"bare-{one_of}" for one_of in range(number)]))


def removed(api: Any) -> None:
    """All containers, side by side."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda it: api.remove_container(it["Id"], force=True), api.containers(all=True)))


def compared(machine: Machine, ours: Callable[[], object], bare: Callable[[], object], turns: int) -> tuple[float, float]:
    """The median seconds of both, after one turn of each to warm up."""
    times: list[tuple[float, float]] = []
    for _ in range(turns + 1):
        both = []
        for action in (ours, bare):
            both.append(seconds(action, 1))
            removed(machine.docker.api)
        times.append((both[0], both[1]))
    return round(median(it[0] for it in times[1:]), 3), round(median(it[1] for it in times[1:]), 3)


def figures(kind: str, machine: Machine, turns: int) -> Iterator[Row]:
    api, spec, specs = machine.docker.api, read(THREE), [read(it) for it in EIGHT]
    ours, bare = compared(machine, lambda: Pod.create(machine, spec).start(), lambda: bare_pod(api, "bare", 3), turns)
    yield Row(f"{kind}: bare engine calls for a pod of three containers and pause", bare, "s")
    yield Row(f"{kind}: the pod by pod.py", ours, "s")
    yield Row(f"{kind}: … as a multiple", round(ours / bare, 2), "times", 1.15)

    def placed() -> None:
        Cluster(*(Node(f"node-{number}", machine, "1", "96Mi") for number in range(3))).run(*specs)

    ours, bare = compared(machine, placed, lambda: bare_pods(api, len(specs)), turns)
    yield Row(f"{kind}: bare engine calls for eight pods of one container and pause", bare, "s")
    yield Row(f"{kind}: the eight on three nodes by node.py and cluster.py", ours, "s")
    yield Row(f"{kind}: … as a multiple", round(ours / bare, 2), "times", 1.3)
    it = Pod.create(machine, spec).start()
    yield Row(f"{kind}: a pod of three containers is deleted", seconds(lambda: it.delete(grace_s=0), 1), "s")


def everything(kind: str, machine: Machine, turns: int) -> Iterator[Row]:
    yield from figures(kind, machine, turns)
    yield from deployments.figures(kind, machine, turns)
    yield from services.figures(kind, machine)


@contextmanager
def a_box(backend: str) -> Iterator[Machine]:
    state = home(backend)
    try:
        yield lifecycle.up(backend, installation=state)
    finally:
        lifecycle.down(state)


def on_containers() -> Iterator[Row]:
    with a_box("container") as box:
        yield from everything("container", box, TURNS)


def rows() -> Iterator[Row]:
    """``--microvm`` adds the emulated figures, which take some minutes."""
    yield from on_an_engine(on_containers)
    if options().microvm:
        with a_box("microvm") as box:
            yield from everything("emulated", box, 3)


if __name__ == "__main__":
    show(rows())
