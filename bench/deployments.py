"""What a Deployment costs beside what it stands on, and beside others that do the same: the bare engine, compose, Swarm.

The engine's events tell when something happened, to the nanosecond.  Who is compared takes turns.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

from bench.rows import Row
from lab.box.machine import Machine
from lab.box.parallel import AT_ONCE
from lab.box.wait import wait_until
from lab.objects import options
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.deployment_spec import read_deployment
from lab.objects.engine import inspect
from lab.objects.labels import OWNER, UID
from lab.objects.node import Node
from lab.objects.options import PART, Identity
from tests.objects.manifests import DEPLOYMENT, DEPLOYMENT_PROBED

MANY, FEW, CROWD = 20, 5, 100
IDLE_S = 20.0
PATIENCE_S = 300.0
SMALL = DEPLOYMENT.replace('image: "app:v1"', 'image: base, command: [sleep, "100000"]').replace("PeriodSeconds: 1", "PeriodSeconds: 0")
COMPOSE = """
mkdir -p /tmp/bench-compose && cd /tmp/bench-compose
echo '{services: {app: {image: "app:v1"}}}' > compose.yaml
docker compose up -d --scale app=%d
"""
COMPOSE_DOWN = "cd /tmp/bench-compose && docker compose down -t 0; rm -r /tmp/bench-compose"
SWARM = "docker swarm init --advertise-addr 127.0.0.1; docker service create -d --no-resolve-image --restart-delay 0s --name bench {image}"
NO_SWARM = "docker swarm leave --force; until docker network rm docker_gwbridge; do sleep 0.2; done"


def sized(manifest: str, replicas: int) -> str:
    return manifest.replace("replicas: 3", f"replicas: {replicas}")


@contextmanager
def deployed(node: Node, manifest: str, replicas: int) -> Iterator[Deployment]:
    """A Deployment that is as it is wanted, with a controller; nothing is left of it."""
    with Controller(node):
        web = Deployment.apply(sized(manifest, replicas), node)
        try:
            web.wait(PATIENCE_S)
            yield web
        finally:
            web.delete()
            gone(node.machine, OWNER)


def gone(machine: Machine, label: str) -> None:
    wait_until("all to be gone", lambda: not machine.docker.api.containers(all=True, filters={"label": label}), timeout_s=PATIENCE_S)


def bare(api: Any, manifest: str, number: int) -> None:
    """The calls of the engine alone that so many pods take, with the same options as a Deployment's."""
    spec = read_deployment(manifest)

    def one(_: int) -> None:
        pod = Identity(spec.pod(f"bare-{secrets.token_hex(3)}", {OWNER: "bare", UID: "bare"}), secrets.token_hex(3), "bare")
        pause = api.create_container(**options.pause(pod, "bridge"))["Id"]
        with ThreadPoolExecutor(2) as pool:
            started = pool.submit(api.start, pause)
            (app,) = (api.create_container(**options.member(pod, it))["Id"] for it in pod.spec.containers)
            started.result()
        api.start(app)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(number)))


def removed(api: Any) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda it: api.remove_container(it["Id"], force=True), api.containers(all=True)))


def timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def many(kind: str, node: Node, turns: int) -> Iterator[Row]:
    """Twenty replicas from nothing."""
    machine, manifest = node.machine, sized(DEPLOYMENT, MANY)

    def ours() -> float:
        with Controller(node):
            spent = timed(lambda: Deployment.apply(manifest, node).wait(PATIENCE_S))
            Deployment("web", node).delete()
            gone(machine, OWNER)
        return spent

    def engine() -> float:
        spent = timed(lambda: bare(machine.docker.api, manifest, MANY))
        removed(machine.docker.api)
        return spent

    def compose() -> float:
        spent = timed(lambda: machine.sh(COMPOSE % MANY, check=True, timeout=PATIENCE_S))
        machine.sh(COMPOSE_DOWN, check=True, timeout=PATIENCE_S)
        return spent

    ours_s, bare_s, compose_s = in_turns(turns, ours, engine, compose)
    yield Row(f"{kind}: bare engine calls for {MANY} pods of one container and pause", bare_s, "s")
    yield Row(f"{kind}: docker compose up --scale, {MANY} containers", compose_s, "s")
    yield Row(f"{kind}: {MANY} replicas are ready by deployment.py", ours_s, "s")
    yield Row(f"{kind}: … as a multiple of the bare calls", round(ours_s / bare_s, 2), "times", 1.2)


def in_turns(turns: int, *actions: Callable[[], float]) -> list[float]:
    """The median of what each returns, after one turn to warm up."""
    figures = [[action() for action in actions] for _ in range(turns + 1)][1:]
    return [round(median(column), 3) for column in zip(*figures, strict=True)]


def events(machine: Machine, since: str) -> list[dict[str, Any]]:
    """The engine's events of containers since a moment of the machine's clock."""
    return list(machine.docker.api.events(since=since, until=clock(machine), filters={"type": "container"}, decode=True))


def clock(machine: Machine) -> str:
    return machine.sh("date +%s.%N", check=True).stdout.strip()


def from_kill(machine: Machine, container: str, until: str, again: Callable[[], object]) -> float:
    """Seconds from the death of a container that is killed to an event of another one.

    Args:
        machine: that it is on.
        container: its id.
        until: the event: the first ``create``, or the last ``start``.
        again: returns when all is as it was before.
    """
    since = clock(machine)
    machine.docker.api.kill(container)
    again()
    seen = events(machine, since)
    died = next(it["timeNano"] for it in seen if it["Action"] == "die" and it["Actor"]["ID"] == container)
    after = [it["timeNano"] for it in seen if it["Action"] == until and it["Actor"]["ID"] != container and it["timeNano"] > died]
    return float((after[0] if until == "create" else after[-1]) - died) / 1e9


def from_death(node: Node, until: str) -> float:
    """Likewise, of an app of the Deployment ``web``, which is replaced with its pod."""
    api, app = node.machine.docker.api, an_app(node.machine)

    def again() -> None:
        wait_until("a pod to be gone", lambda: not inspect(api, app), timeout_s=PATIENCE_S, every_s=0.1)
        Deployment("web", node).wait(PATIENCE_S)

    return from_kill(node.machine, app, until, again)


def an_app(machine: Machine) -> str:
    """The id of the youngest app of a Deployment's pod."""
    return str(machine.docker.api.containers(filters={"label": [OWNER, f"{PART}=app"]})[0]["Id"])


def self_heal(kind: str, node: Node, turns: int) -> Iterator[Row]:
    """From the death of one of five to the start of the one in its place."""
    machine = node.machine
    image = machine.docker.api.inspect_image("app:v1")["Id"]
    machine.sh(SWARM.format(image=image), check=True)

    def services() -> list[dict[str, Any]]:
        return list(machine.docker.api.containers(filters={"label": "com.docker.swarm.service.name=bench"}))

    def swarm() -> float:
        wait_until("the Swarm's container", services, timeout_s=PATIENCE_S)
        before = services()[0]["Id"]

        def again() -> None:  # it keeps the dead one
            wait_until("another one", lambda: {it["Id"] for it in services()} - {before}, timeout_s=PATIENCE_S, every_s=0.1)

        return from_kill(machine, before, "start", again)

    def engine() -> float:
        spent = timed(lambda: bare(machine.docker.api, DEPLOYMENT, 1))
        machine.sh(f"docker rm -f $(docker ps -aq --filter label={UID}=bare)", check=True)
        return spent

    try:
        with deployed(node, DEPLOYMENT, FEW):
            ours_s, bare_s, swarm_s = in_turns(turns, lambda: from_death(node, "start"), engine, swarm)
    finally:
        machine.sh(NO_SWARM, check=True)
    yield Row(f"{kind}: bare engine calls for one pod", bare_s, "s")
    yield Row(f"{kind}: from the death of a Swarm's container to the start of another, without its delay of 5 s", swarm_s, "s")
    yield Row(f"{kind}: from the death of a replica to the start of another, pause before it", ours_s, "s", round(1.3 * bare_s + 0.1, 3))


def idle(kind: str, node: Node) -> Iterator[Row]:
    """The processor time of this process while all is as it is wanted, and nothing changes."""
    with deployed(node, DEPLOYMENT_PROBED, FEW):
        time.sleep(2)
        before = time.process_time()
        time.sleep(IDLE_S)
        yield Row(
            f"{kind}: processor time of an idle controller in {IDLE_S:g} s", round((time.process_time() - before) * 1000, 1), "ms", 10
        )


def reaction(kind: str, node: Node, turns: int) -> Iterator[Row]:
    """From the death of a pod to the first thing that is done about it, with few pods and with many."""
    figures: dict[int, list[float]] = {FEW: [], CROWD: []}
    with deployed(node, SMALL, FEW) as web:
        for number in (FEW, CROWD, FEW):
            web.scale(number)
            web.wait(PATIENCE_S)
            for _ in range(turns):
                figures[number].append(from_death(node, "create"))
    few, crowd = (round(median(figures[number]) * 1000, 1) for number in (FEW, CROWD))
    yield Row(f"{kind}: from the death of one of {FEW} pods to the creation of another", few, "ms")
    yield Row(f"{kind}: from the death of one of {CROWD}", crowd, "ms", round(1.2 * few, 1))


def figures(kind: str, machine: Machine, turns: int) -> Iterator[Row]:
    node = Node("bench", machine, cpu="1000", memory="1000Gi")
    yield from many(kind, node, turns)
    yield from self_heal(kind, node, turns)
    yield from idle(kind, node)
    yield from reaction(kind, node, turns)
