"""What others than Docker have made is drawn as what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.node import Node
from lab.objects.service import Service
from lab.objects.service_controller import ServiceController
from lab.picture.camera import snapshot
from lab.picture.feed import Subscriber, follow, leave
from lab.picture.graph import graph
from lab.picture.nodes import Graph
from lab.picture.snapshot import Snapshot
from lab.picture.svg import svg
from lab.picture.text import text
from lab.widgets.inspect import details
from tests.objects.manifests import DEPLOYMENT_PROBED
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
BY_HAND = """
set -e
ip netns add red; ip netns add blue; ip netns add alone
ip link add v-red type veth peer name eth0 netns red
ip -n red link add x type veth peer name y netns blue
ip link add br9 type bridge; ip link set v-red master br9; ip link set br9 up
ip addr add 10.9.0.254/24 dev br9; ip -n red addr add 10.9.0.1/24 dev eth0
ip -n red link set eth0 up; ip -n red link set lo up; ip link set v-red up
"""
NO_MORE_BY_HAND = """
ip link delete br9; ip link delete v-red; ip -n red link delete x
for name in red blue alone; do ip netns delete $name; done
"""
PODMAN = """
set -e
docker save app:v1 | podman load -q > /dev/null
podman pod create --name crew > /dev/null
podman run -d --name in-crew --pod crew app:v1
podman run -d --name single app:v1
podman run --name over app:v1 true
podman create --name never app:v1
podman pause single
"""
NO_MORE_PODMAN = "podman pod rm -f -t 0 crew; podman unpause single; podman rm -f -t 0 single over never; podman rmi -f app:v1"
RUNTIMES = """
set -e
docker save base | ctr images import - > /dev/null
ctr run -d --cni --snapshotter native "$(ctr images list -q | grep base)" task sleep 1000
mkdir -p /tmp/bundle/rootfs; docker create --name source base > /dev/null; docker export source | tar -x -C /tmp/bundle/rootfs
docker rm source > /dev/null; cd /tmp/bundle; crun spec
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"sleep", "1000"/' config.json
setsid crun run by-hand < /dev/null > /dev/null 2>&1 &
until crun list | grep -q running; do sleep 0.1; done
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30081}]}
"""
NO_MORE_RUNTIMES = """
crun delete -f by-hand; ctr tasks delete --force task; ctr containers delete task
rm -rf /tmp/bundle; ip link delete cni0
"""


def drawn(box: Box) -> Graph[str]:
    return graph(snapshot(box))


def lines(box: Box) -> dict[str, str]:
    """By kind and name, the line that tells of a node, without its branch of the tree."""
    told = (line.lstrip(" │├└─") for line in text(drawn(box)).splitlines()[2:])
    return {" ".join(line.split()[:2]): line for line in told}


def details_of(box: Box, found: Graph[str], label: str) -> dict[str, str]:
    (node,) = (one for one, shown in found.nodes(data="label") if shown == label)
    return dict(details({one: box for one in found if one.startswith("box:")}, found, node)[1])


@pytest.fixture
def by_hand(bare: Box) -> Iterator[Box]:
    bare.sh(BY_HAND, check=True)
    yield bare
    bare.sh(NO_MORE_BY_HAND)


def test_a_box_without_any_of_it_has_docker_s_alone(bare: Box) -> None:
    (box,) = snapshot(bare).boxes
    assert not box.namespaces
    assert {network.name for network in box.networks} == {"bridge", "host", "none"}


def test_namespaces_and_bridges_that_were_made_by_hand(by_hand: Box) -> None:
    found = lines(by_hand)
    assert found["namespace red"] == "namespace red  (eth0 ↔ v-red, x ↔ y in blue)  10.9.0.1  on br9"
    assert found["namespace blue"] == "namespace blue  (y ↔ x in red)"
    assert found["namespace alone"] == "namespace alone  (without a network card)"
    assert found["network br9"] == "network br9  (a bridge, not Docker's)  10.9.0.0/24"
    assert "namespace red" in svg(drawn(by_hand))


def test_a_namespace_tells_who_listens_in_it_and_what_is_dropped(by_hand: Box) -> None:
    server = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000, bind='10.9.0.1')"
    by_hand.sh(f'ip netns exec red python3 -c "{server}" > /dev/null 2>&1 & echo $! > /run/server')
    by_hand.sh("iptables -A FORWARD -s 10.9.0.1 -j DROP; iptables -A FORWARD -s 10.9.0.2 -j DROP; ip netns exec red iptables -P INPUT DROP")
    by_hand.sh("until ip netns exec red ss -Hltn | grep -q 8000; do sleep 0.1; done", check=True)
    told = details_of(by_hand, drawn(by_hand), "red")
    by_hand.sh("kill $(cat /run/server); rm /run/server; iptables -D FORWARD -s 10.9.0.1 -j DROP; iptables -D FORWARD -s 10.9.0.2 -j DROP")
    assert told["Who listens, in its network"].startswith("10.9.0.1:8000 ")
    here, there = told["Firewall rules that drop"].splitlines()
    assert here.startswith("in its network: INPUT: whatever no rule accepts  (")
    assert there == "on the machine: -A FORWARD -s 10.9.0.1/32 -j DROP  (0 packets so far)"


def test_a_namespace_that_is_a_name_for_a_container_is_that_container(bare: Box) -> None:
    bare.sh("docker run -d --name web app:v1", check=True)
    bare.sh("ip netns attach named $(docker inspect -f '{{.State.Pid}}' web)", check=True)
    found = lines(bare)
    bare.sh("ip netns delete named", check=True)
    assert "container web" in found
    assert "namespace named" not in found


@pytest.mark.full
def test_containers_of_podman(bare: Box) -> None:
    bare.sh(PODMAN, check=True, timeout=200)
    try:
        told, found = lines(bare), drawn(bare)
        process = details_of(bare, found, "single")["Its process"]
        assert bare.sh(f"cat /proc/{process}/cmdline").stdout.startswith("python3")
        assert "0.0.0.0:8080 " in details_of(bare, found, "single")["Who listens, in its network"]
        assert list(details_of(bare, found, "over")) == ["In words"]
    finally:
        bare.sh(NO_MORE_PODMAN, timeout=100)
    assert re.match(r"container single  \(paused, by Podman\)  \S+/app:v1  10\.88\.0\.", told["container single"])
    assert told["container single"].endswith("on podman0")
    assert told["container over"].startswith("container over  (exited, by Podman)")
    assert told["container never"].startswith("container never  (created, by Podman)")
    assert "no wall for net, ipc, uts to " in told["container in-crew"]
    assert told["network podman0"].endswith("10.88.0.0/16")


@pytest.mark.full
def test_containers_of_containerd_and_of_a_runtime_alone(bare: Box) -> None:
    bare.sh(RUNTIMES, check=True, timeout=200)
    try:
        told = lines(bare)
        until("it to be listed", lambda: "container by-hand" in lines(bare))
    finally:
        bare.sh(NO_MORE_RUNTIMES, timeout=100)
    assert told["container task"].startswith("container task  (running, by containerd)  docker.io/library/base:latest  10.24.0.")
    assert told["container by-hand"].startswith("container by-hand  (running, by crun)")
    assert told["network cni0"].endswith("10.24.0.0/24")


def test_a_deployment_and_what_its_probes_say(bare: Box) -> None:
    web = Deployment.apply(DEPLOYMENT_PROBED.replace("path: /ready", "path: /nowhere"), Node("n1", bare, cpu="8", memory="1Gi"))
    try:
        with Controller(Node("n1", bare, cpu="8", memory="1Gi")):
            until("all to be there", lambda: "(running, 0 of 3 ready)" in lines(bare)["deployment web"], timeout_s=90)
            until("their probes to say", lambda: "not ready: HTTP 404" in text(drawn(bare)), timeout_s=30)
            web.delete()
            until("it to be gone", lambda: "deployment web" not in lines(bare), timeout_s=60)
    finally:
        web.delete()


def test_a_service_and_whom_it_leaves_out_are_heard_of_without_asking(bare: Box) -> None:
    node = Node("n1", bare, cpu="8", memory="1Gi")
    web, service = Deployment.apply(DEPLOYMENT_PROBED.replace("replicas: 3", "replicas: 2"), node), Service.apply(SERVICE, node)
    told: list[str] = []
    subscriber: Subscriber = lambda seen: told.append(text(graph(Snapshot((seen.box,)))) if seen.box else "")  # noqa: E731
    follow(bare, subscriber)
    controller = ServiceController(node)
    try:
        until("the Service", lambda: told and "service web  (nobody has looked for its pods yet)" in told[-1], timeout_s=30)
        with Controller(node), controller:
            until("both to be ready", lambda: "service web  (2 of 2 ready)" in told[-1], timeout_s=90)
            (line,) = (line for line in told[-1].splitlines() if "service web" in line)
            names = {one.replica.name for one in web.pods()}
            assert f"  {service.address}:80, published 30081→80" in line.replace("  published", ", published")
            assert all(name in line for name in names)
            bare.sh("kill -STOP $(docker inspect -f '{{.State.Pid}}' $(docker ps -qf name=-app-) | head -1)", check=True)
            until("one to be left out", lambda: "left out of web: is not ready" in told[-1], timeout_s=60)
            assert "service web  (1 of 2 ready, left out: " in told[-1]
            service.delete()
            until("it to be gone", lambda: "service web" not in told[-1], timeout_s=30)
            web.delete()
            until("all to be gone", lambda: "deployment web" not in told[-1], timeout_s=60)
    finally:
        leave(bare, subscriber)
        service.delete()
        web.delete()
        controller.remove()
