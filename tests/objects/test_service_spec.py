"""What is read from a Service's manifest, and which pods are its endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.box.errors import UsageError
from lab.objects.rollout import Replica
from lab.objects.service_spec import Candidate, Endpoint, ServicePort, endpoints, read_service
from lab.objects.spec import read

WEB = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
  - {port: 80, targetPort: 8080}
"""
ALL = """
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: front}}
spec:
  type: NodePort
  selector: {app: web}
  clusterIP: 10.96.0.10
  ipFamilies: [IPv4]
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}
  publishNotReadyAddresses: true
  ports:
  - {name: http, port: 80, targetPort: http, nodePort: 30080}
  - {name: dns, port: 53, protocol: UDP}
status: {loadBalancer: {}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web-1, labels: {app: web}}
spec:
  containers: [{name: app, image: "app:v1", ports: [{name: http, containerPort: 8080}]}]
"""
SERVICE = read_service(WEB)


def pod(name: str, **more: Any) -> Candidate:
    return replace(Candidate(read(POD.replace("web-1", name)), Replica(name, "t", "n1", ready_since=1.0), f"10.0.0.{len(name)}"), **more)


def test_defaults_are_those_of_kubernetes() -> None:
    assert SERVICE.ports == (ServicePort(80, 8080),)
    assert (SERVICE.address, SERVICE.sticky_s, SERVICE.unready_too) == ("", 0, False)
    assert read_service(WEB.replace(", targetPort: 8080", "")).ports == (ServicePort(80, 80),)
    assert read_service(WEB.replace("  ports:", "  clusterIP: None\n  ports:")).address == "None"
    assert read_service(WEB.replace("  ports:", "  sessionAffinity: ClientIP\n  ports:")).sticky_s == 10800


def test_all_that_is_read() -> None:
    found = read_service(ALL)
    assert found.ports == (ServicePort(80, "http", "TCP", "http", 30080), ServicePort(53, 53, "UDP", "dns"))
    assert (found.address, found.sticky_s, found.unready_too) == ("10.96.0.10", 60, True)


def test_ready_pods_with_the_labels_are_endpoints_and_others_are_left_out_with_a_reason() -> None:
    stranger = replace(pod("other"), spec=read(POD.replace("app: web", "app: shop")))
    waiting = pod("waiting", replica=Replica("waiting", "t"))
    there = [pod("b"), pod("aa"), waiting, pod("ending", ending=True), pod("homeless", address=""), stranger]
    found = endpoints(SERVICE, SERVICE.ports[0], there)
    assert found.ready == (Endpoint("aa", "10.0.0.2", 8080, "n1"), Endpoint("b", "10.0.0.1", 8080, "n1"))
    assert found.left_out == {"waiting": "is not ready", "ending": "is about to end", "homeless": "does not run"}
    early = endpoints(replace(SERVICE, unready_too=True), SERVICE.ports[0], there)
    assert {one.pod for one in early.ready} == {"aa", "b", "waiting"}


def test_a_port_may_be_meant_by_its_name() -> None:
    http = ServicePort(80, "http")
    assert [one.port for one in endpoints(SERVICE, http, [pod("a")]).ready] == [8080]
    other = endpoints(SERVICE, ServicePort(80, "metrics"), [pod("a")])
    assert other.left_out == {"a": "has no port called metrics"}


def test_a_selector_that_matches_nobody_has_no_endpoint() -> None:
    assert endpoints(replace(SERVICE, selector={"app": "nobody"}), SERVICE.ports[0], [pod("a")]).ready == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("selector: {app: web}", "selector: {}", "spec.selector .line 6. is missing"),
        ("  ports:\n  - {port: 80, targetPort: 8080}\n", "", "spec.ports .line 5. is missing"),
        ("port: 80,", "port: 0,", "0 is out of range"),
        ("targetPort: 8080", "targetPort: 99999", "99999 is out of range"),
        ("targetPort: 8080", "targetPort: eight_thousand", "can't be a name"),
        ("targetPort: 8080", "nodePort: 30080", "nodePort .line 8. has no place here"),
        ("  ports:", "  type: NodePort\n  ports:\n  - {port: 81, name: a, nodePort: 80}", "80 is out of range. *\nIt can be from 30000"),
        ("  ports:", "  ports:\n  - {port: 81}", "a port has no name"),
        ("- {port: 80, targetPort: 8080}", "- {port: 80, name: a}\n  - {port: 80, name: b}", "two ports are 80/TCP"),
        ("- {port: 80, targetPort: 8080}", "- {port: 80, name: a}\n  - {port: 81, name: a}", "two ports are called a"),
        ("  ports:", "  type: LoadBalancer\n  ports:", "LoadBalancer is not supported here"),
        ("  ports:", "  clusterIP: 10.96.0\n  ports:", "10.96.0 is no address"),
        ("  ports:", "  externalName: example.com\n  ports:", "spec.externalName .line 7. is a field of Kubernetes that is not supported"),
        ("name: web}", "name: 1web}", "can't be a Service's name"),
        ("name: web}", "name: web.front}", "can't be a Service's name"),
        ("kind: Service", "kind: Ingress", "This is a Ingress of v1, and not a Service"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_line(old: str, new: str, said: str) -> None:
    assert old in WEB
    with pytest.raises(UsageError, match=f"(?s){said}"):
        read_service(WEB.replace(old, new, 1))
