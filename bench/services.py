"""What the ways to a Service add to a request, what an update loses of them, and how long ``reach`` takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import asker
from bench.deployments import PATIENCE_S, deployed, removed, sized
from bench.rows import Row, seconds
from lab.box.machine import Machine
from lab.objects.deployment import Deployment
from lab.objects.node import Node
from lab.objects.service import Service
from lab.objects.service_controller import ServiceController
from lab.picture.reach import reach
from tests.objects.manifests import DEPLOYMENT_PROBED

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""
ROUNDS, FEW, TEN, CROWD = 1500, 3, 10, 30
RATE = {"container": 200, "emulated": 20}
OVER = "/run/bench-over"
PROXY = """
docker run --rm --entrypoint cat proxy /etc/haproxy/haproxy.cfg | sed '/server-template/d' > /tmp/bench-haproxy.cfg
for at in {ready}; do echo "    server s-${{at%:*}} $at check" >> /tmp/bench-haproxy.cfg; done
docker run -d --name bench-proxy -v /tmp/bench-haproxy.cfg:/etc/haproxy/haproxy.cfg:ro proxy > /dev/null
docker inspect -f '{{{{.NetworkSettings.IPAddress}}}}' bench-proxy
"""
NO_PROXY = "docker rm -f bench-proxy; rm -f /tmp/bench-haproxy.cfg"


def asked(machine: Machine, *args: object) -> Any:
    """What the program ``asker`` says that runs on the machine."""
    said = machine.sh(f"python3 -I - {' '.join(map(str, args))}", stdin=Path(asker.__file__).read_bytes(), timeout=PATIENCE_S, check=True)
    return json.loads(said.stdout)


@contextmanager
def served(node: Node, replicas: int) -> Iterator[tuple[Deployment, Service]]:
    """A Deployment behind a Service; nothing is left of either."""
    with ServiceController(node) as controller, deployed(node, DEPLOYMENT_PROBED, replicas) as web:
        service = Service.apply(SERVICE, node)
        try:
            service.wait(replicas, PATIENCE_S)
            yield web, service
        finally:
            service.delete()
    controller.remove()


def ways(kind: str, node: Node) -> Iterator[Row]:
    """One request to a pod, by its own address, by the virtual one, and by a proxy."""
    machine = node.machine
    with served(node, FEW) as (_, service):
        ready = [str(one) for one in service.endpoints()]
        try:
            proxy = machine.sh(PROXY.format(ready=" ".join(ready)), check=True).stdout.split()[-1]
            machine.sh(f"curl -sf --retry 50 --retry-connrefused --retry-delay 1 http://{proxy}:8080/", check=True, timeout=PATIENCE_S)
            targets = (f"direct={','.join(ready)}", f"virtual={service.address}:80", f"proxy={proxy}:8080")
            times = asked(machine, "latency", ROUNDS if kind == "container" else ROUNDS // 10, *targets)
        finally:
            machine.sh(NO_PROXY)
    direct, virtual, proxied = (median(times[name]) * 1000 for name in ("direct", "virtual", "proxy"))
    yield Row(f"{kind}: a request to a pod, directly", round(direct, 3), "ms")
    yield Row(f"{kind}: … by a virtual address", round(virtual, 3), "ms", round(1.05 * direct, 3))
    yield Row(f"{kind}: … by a proxy", round(proxied, 3), "ms")


def update(kind: str, node: Node) -> Iterator[Row]:
    """A rolling update of ten, while requests come by the virtual address."""
    machine = node.machine
    machine.sh(f"rm -f {OVER}", check=True)
    with served(node, TEN) as (web, service), ThreadPoolExecutor(1) as pool:
        asking = pool.submit(asked, machine, "steady", RATE[kind], OVER, f"{service.address}:80")
        try:
            Deployment.apply(sized(DEPLOYMENT_PROBED, TEN).replace("app:v1", "app:v2"), node)
            took = seconds(lambda: web.wait(PATIENCE_S), 1)
        finally:
            machine.sh(f"touch {OVER}", check=True)
        told = asking.result()
    machine.sh(f"rm -f {OVER}", check=True)
    yield Row(f"{kind}: a rolling update of {TEN} replicas", took, "s")
    yield Row(
        f"{kind}: requests meanwhile, by its virtual address",
        round(told["sent"] / told["seconds"]),
        "a second",
        0.95 * RATE[kind],
        at_least=True,
    )
    why = f" ({', '.join(told['failed'])})" if told["failed"] else ""
    yield Row(f"{kind}: … of {told['sent']}, lost{why}", sum(told["failed"].values()), "requests", 0)


def who_reaches_whom(kind: str, machine: Machine) -> Iterator[Row]:
    api = machine.docker.api
    machine.sh(f"for n in $(seq {CROWD}); do docker run -d app:v1; done", check=True, timeout=PATIENCE_S)
    try:
        yield Row(f"{kind}: reach of {CROWD} containers", seconds(lambda: reach(machine), 3), "s", 3 if kind == "container" else None)
    finally:
        removed(api)


def figures(kind: str, machine: Machine) -> Iterator[Row]:
    node = Node("bench", machine, cpu="1000", memory="1000Gi")
    yield from ways(kind, node)
    yield from update(kind, node)
    yield from who_reaches_whom(kind, machine)
