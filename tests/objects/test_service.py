"""A Service on a real machine: it leads to the pods that are ready, by every way, and to nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.box.instances.box import Box
from lab.box.machine import Machine
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.labels import OWNER
from lab.objects.node import Node
from lab.objects.reverse_proxy import ReverseProxy
from lab.objects.roster import roster
from lab.objects.service import Service
from lab.objects.service_controller import ServiceController
from lab.objects.store import SERVICES, WISHES, Store
from tests.objects.manifests import DEPLOYMENT_PROBED
from tests.objects.test_deployment import node
from tests.support.course import until

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""
HEADLESS = SERVICE.replace("name: web", "name: all").replace("  selector", "  clusterIP: None\n  selector")
UNREADY = DEPLOYMENT_PROBED.replace("app:v1", "app:broken").replace("name: web}", "name: broken}").replace("app: web", "app: broken")
ASK = "for n in $(seq {times}); do curl -s -m 5 {url} | sed -n 's/^container: //p'; done"
KEEP_ASKING = """
rm -f /tmp/enough; asked=0
while [ ! -e /tmp/enough ]; do curl -sf -m 5 -o /dev/null {url} || echo "failed: $?"; asked=$((asked + 1)); done
echo "asked: $asked"
"""
PATIENCE_S = 90.0


@pytest.fixture
def it(box: Box) -> Iterator[Node]:
    """A node with a Deployment of three, and a controller; nothing of them is left."""
    Deployment.apply(DEPLOYMENT_PROBED, node(box))
    with Controller(node(box)):
        yield node(box)
        for name in Store(box, SERVICES).all():
            Service(name, node(box)).delete()
        for name in Store(box, WISHES).all():
            Deployment(name, node(box)).delete()
        until("all pods to be gone", lambda: not box.docker.api.containers(all=True, filters={"label": OWNER}), timeout_s=PATIENCE_S)
    ServiceController(node(box), also=[ReverseProxy(node(box), "web", port) for port in (8091, 8092)]).remove()
    assert "COURSE-" not in box.sh("iptables-save").stdout
    until("the name server to end", lambda: not box.sh("pgrep -x dnsmasq").stdout, timeout_s=PATIENCE_S)


def answered(machine: Machine, url: str, times: int = 30) -> set[str]:
    """Who answers requests, by the pods' names."""
    return set(machine.sh(ASK.format(times=times, url=url), timeout=PATIENCE_S).stdout.split())


@contextmanager
def kept_asking(box: Box, url: str) -> Iterator[Callable[[], str]]:
    """Requests one after the other, while the ``with`` block lasts; afterwards, what came of them."""
    said = list[str]()
    thread = threading.Thread(target=lambda: said.append(box.sh(KEEP_ASKING.format(url=url), timeout=2 * PATIENCE_S).stdout))
    thread.start()
    try:
        yield lambda: "".join(said)
    finally:
        box.sh("touch /tmp/enough")
        thread.join()


def test_it_leads_to_the_ready_pods_by_address_by_name_and_by_roster(box: Box, it: Node) -> None:
    web, whole = Service.apply(SERVICE, it), Service.apply(HEADLESS, it)
    with ServiceController(it):
        pods = {one.pod for one in web.wait(ready=3, timeout_s=PATIENCE_S).ready}
        whole.wait(ready=3, timeout_s=PATIENCE_S)
        assert answered(box, f"http://{web.address}/") == pods
        assert answered(box, "http://web.default.svc.cluster.local/") == pods
        inside = box.sh("docker run --rm tools sh -c 'curl -s -m 5 http://web/; dig +short all'", check=True).stdout
        assert "greeting: Hello, world." in inside
        assert {one.address for one in web.endpoints()} == set(inside.splitlines()[-3:])
        assert {one.pod for one in roster(box, "web")} == pods
        Deployment("web", it).scale(1)
        left = {one.pod for one in web.wait(ready=1, timeout_s=PATIENCE_S).ready}
        assert left < pods
        assert answered(box, f"http://{web.address}/", times=6) == left
    assert answered(box, f"http://{web.address}/", times=3) == left  # without a controller it leads where it led


def test_who_is_not_ready_is_left_out_and_whoever_asks_is_refused_at_once(box: Box, it: Node) -> None:
    Deployment.apply(UNREADY, it)
    service = Service.apply(SERVICE.replace("name: web", "name: broken").replace("app: web", "app: broken"), it)
    with ServiceController(it):

        def all_left_out() -> bool:
            return set(next(iter(service.wait(ready=0).ports.values())).left_out.values()) == {"is not ready"}

        until("all to be left out", all_left_out, timeout_s=PATIENCE_S)
        assert "broken:80 leads nowhere." in repr(service.status())
        assert box.sh(f"curl -s -m 5 http://{service.address}/").code == 7
        assert len(Deployment("broken", it).pods()) == 3  # nobody is restarted for it
        with pytest.raises(WaitTimeout, match="is not ready"):
            service.wait(ready=1, timeout_s=0.1)


def test_no_request_is_lost_when_pods_leave_and_come(box: Box, it: Node) -> None:
    web, deployment = Service.apply(SERVICE, it), Deployment("web", it)
    proxy = ReverseProxy(it, "web", port=8091)
    with ServiceController(it, also=[proxy]):
        web.wait(ready=3, timeout_s=PATIENCE_S)
        until("the proxy to answer", lambda: answered(box, "http://127.0.0.1:8091/", 1), timeout_s=PATIENCE_S)
        container = proxy.container
        for url in (f"http://{web.address}/", "http://127.0.0.1:8091/"):
            with kept_asking(box, url) as came:
                deployment.scale(1)
                deployment.wait(PATIENCE_S)
                deployment.scale(3)
                deployment.wait(PATIENCE_S)
                web.wait(ready=3, timeout_s=PATIENCE_S)
            assert came().startswith("asked: "), came()
        assert answered(box, "http://127.0.0.1:8091/") == {one.pod for one in web.endpoints()}
        assert proxy.container == container
        box.sh(f"docker kill {container}; docker start {container}", check=True)
        until("the proxy to know everybody", lambda: len(answered(box, "http://127.0.0.1:8091/", 6)) == 3, timeout_s=PATIENCE_S)
    proxy.remove()
    assert not proxy.container


def test_a_port_of_every_node_is_chosen_once_and_leads_there(box: Box, it: Node) -> None:
    outside = SERVICE.replace("  selector", "  type: NodePort\n  selector")
    first, second = Service.apply(outside, it), Service.apply(outside.replace("name: web", "name: two"), it)
    ports = [service.spec.ports[0].node for service in (first, second)]
    assert len(set(ports)) == 2
    assert all(30000 <= (port or 0) <= 32767 for port in ports)
    assert Service.apply(outside, it).spec.ports[0].node == ports[0]
    with pytest.raises(UsageError, match=f"{ports[0]} is the Service web's"):
        Service.apply(outside.replace("name: web", "name: two").replace("port: 80", f"nodePort: {ports[0]}, port: 80"), it)
    with ServiceController(it):
        pods = {one.pod for one in first.wait(ready=3, timeout_s=PATIENCE_S).ready}
        host = box.sh("hostname -I").stdout.split()[0]
        assert answered(box, f"http://{host}:{ports[0]}/") == pods


def test_what_can_not_be_is_said(box: Box, it: Node) -> None:
    web = Service.apply(SERVICE, it)
    with pytest.raises(CourseError, match="leads nowhere yet"):
        web.status()
    taken = SERVICE.replace("name: web", "name: other").replace("  selector", f"  clusterIP: {web.address}\n  selector")
    with pytest.raises(UsageError, match="is the Service web's"):
        Service.apply(taken, it)
    with pytest.raises(UsageError, match="can't be had"):
        Service.apply(taken.replace(web.address, "10.20.0.1"), it)
    nobody = Service.apply(SERVICE.replace("name: web", "name: nobody").replace("app: web", "app: nobody"), it)
    with ServiceController(it):
        assert "nobody:80 leads nowhere." in repr(nobody.wait(ready=0, timeout_s=PATIENCE_S))
        with pytest.raises(UsageError, match="Another controller is at work"):
            ServiceController(it).start()
    box.sh("docker run -d --name taker -p 8092:8080 app:v1", check=True)
    with pytest.raises(CourseError, match="port is already allocated"):
        ReverseProxy(it, "web", port=8092).follow([])
    box.sh("docker rm -f taker", check=True)
    with pytest.raises(UsageError, match="no mode nginx"):
        ServiceController(it, mode="nginx")


def test_the_kernels_own_balancer_leads_there_where_there_is_one(box: Box, it: Node) -> None:
    web = Service.apply(SERVICE, it)
    with ServiceController(it, mode="ipvs") as controller:
        if not box.own_kernel:
            with pytest.raises(CourseError, match="has no IPVS"):
                controller.reconcile()
            return
        pods = {one.pod for one in web.wait(ready=3, timeout_s=PATIENCE_S).ready}
        assert answered(box, f"http://{web.address}/", times=6) == pods
        assert web.address not in box.sh("ip addr; ss -Hltn").stdout
        assert "greeting: " in box.sh("docker run --rm tools curl -s -m 5 http://web/").stdout
        controller.remove()
        assert not box.sh("ipvsadm --save").stdout
