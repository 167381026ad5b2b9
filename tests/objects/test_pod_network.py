"""Pods of several machines on one network: each reaches every other one by its own address, and a Service leads to all of them."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from lab import machines
from lab.box.instances.box import Box
from lab.objects import pod_network
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.labels import OWNER
from lab.objects.node import Node
from lab.objects.service import Service
from lab.objects.service_controller import ServiceController
from tests.objects.manifests import DEPLOYMENT_PROBED
from tests.objects.test_service import PATIENCE_S, SERVICE, answered
from tests.support.course import until

pytestmark = [pytest.mark.above, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
"""docker-py leaks its socket where nobody listens any more."""
FOUR = DEPLOYMENT_PROBED.replace("replicas: 3", "replicas: 4")
LOGS = "docker ps -q --filter label=course.pod.part=app | xargs -n 1 docker logs 2>&1"
WHO_ASKED = f"{LOGS} | sed -n 's/^[^ ]* \\([0-9.]*\\) GET \\/from-afar .*/\\1/p'"


@pytest.fixture
def pair(box: Box) -> Iterator[tuple[Node, ...]]:
    """Two machines, each with room for two of the pods; nothing of them is left on the box."""
    far = machines.create("far")
    client = far.docker
    before = box.sh("iptables-save -t filter; ip route; docker network ls -q", check=True).stdout
    nodes = pod_network.make(*(Node(name, machine, cpu="8", memory="40Mi") for name, machine in (("near", box), ("far", far))))
    yield nodes
    try:
        left = nodes[:1]
        Deployment("web", *left).delete()
        Service("web", *left).delete()
        with Controller(*left):
            until("all pods to be gone", lambda: not box.docker.api.containers(all=True, filters={"label": OWNER}), timeout_s=PATIENCE_S)
        ServiceController(*left).remove()
        pod_network.remove(*left)
        pod_network.remove(*left)
        assert lines(box.sh("iptables-save -t filter; ip route; docker network ls -q", check=True).stdout) == lines(before)
    finally:
        client.close()
        machines.delete("far")
        with warnings.catch_warnings(action="ignore"):  # of those, or the next test is blamed
            gc.collect()


def lines(text: str) -> set[str]:
    """Without comments and counters."""
    return {line.split(" [")[0] for line in text.splitlines() if not line.startswith("#")}


def test_a_pod_on_another_node_is_an_endpoint_like_any_other(box: Box, pair: tuple[Node, ...]) -> None:
    assert pod_network.make(*pair) == pair
    web, service = Deployment.apply(FOUR, *pair), Service.apply(SERVICE, *pair)
    with Controller(*pair), ServiceController(*pair):
        pods = {one.pod: one.node for one in service.wait(ready=4, timeout_s=PATIENCE_S).ready}
        assert sorted(pods.values()) == ["far", "far", "near", "near"]
        for node in pair:
            assert answered(node.machine, f"http://{service.address}/") == set(pods)
            inside = node.machine.sh(
                "docker run --rm --network pods tools sh -c 'for n in 1 2 3 4 5 6 7 8; do curl -sf -m 5 http://web/; done'"
            )
            assert inside.code == 0, inside
        there = {one.node: one.address for one in service.endpoints()}
        client = "docker run --rm --network pods tools sh -c 'hostname -i; curl -s -m 5 http://{}:8080/from-afar'"
        asker = box.sh(client.format(there["far"]), check=True).stdout.splitlines()[0]
        assert asker.strip() in pair[1].machine.sh(WHO_ASKED, check=True).stdout.split()  # its own address: nobody has replaced it
        pair[1].machine.stop()
        assert {one.node for one in service.wait(ready=2, timeout_s=PATIENCE_S).ready} == {"near"}
        assert answered(box, f"http://{service.address}/", times=10) <= set(pods)
        assert web.status().ready == 2
