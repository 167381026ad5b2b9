"""Where a request goes first, and how it comes from there to who answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.picture.nodes import Graph
from lab.picture.way import answering, between, entrance
from tests.picture.boxes import drawn, shop

PROXY, SERVICE, NETWORK = f"container:{'p' * 64}", "service:box-1/web", "network:box-1/pods"
POD = f"pod:{'v1-0'.rjust(64, '0')}"


@pytest.fixture
def found() -> Graph[str]:
    box = shop(("v1", 2, 0))
    (service,) = box.services
    return drawn(replace(box, services=(replace(service, ports=(replace(service.ports[0], node=30_080),)),)))


def address(box: str, port: int) -> str:
    return f"http://box:secret@127.0.0.1:{20_000 + port}" if box == "box:box-1" else ""


@pytest.mark.parametrize(
    ("url", "first"),
    [
        ("http://10.96.0.10", SERVICE),
        ("http://10.96.0.10:80/ready", SERVICE),
        ("http://10.96.0.10:81", ""),
        ("http://web", SERVICE),
        ("http://web.default.svc.cluster.local/", SERVICE),
        ("http://web:8080", ""),
        ("http://box:secret@127.0.0.1:20080/slow", PROXY),
        ("http://box:secret@127.0.0.1:20081", ""),
        ("http://box:secret@127.0.0.1:50080", SERVICE),
        ("http://10.244.1.1:8080", ""),
        ("http://nobody:none", ""),
    ],
)
def test_an_address_leads_to_a_service_or_to_who_publishes_the_port(found: Graph[str], url: str, first: str) -> None:
    assert entrance(found, url, address) == first


def test_a_pod_a_container_and_a_machine_are_known_by_what_they_call_themselves(found: Graph[str]) -> None:
    assert answering(found, "web-v1-0") == [POD]
    assert answering(found, "p" * 12) == answering(found, "p" * 64) == [PROXY]
    assert answering(found, "box-1") == ["box:box-1"]
    assert answering(found, "") == answering(found, "p" * 11) == []


def test_from_a_service_the_way_is_to_the_pod_and_from_a_proxy_over_the_network_that_both_are_on(found: Graph[str]) -> None:
    assert between(found, SERVICE, POD) == [SERVICE]
    assert between(found, PROXY, POD) == [PROXY, NETWORK]
    assert between(found, PROXY, PROXY) == []
    assert between(found, POD, f"container:{'v1-0'.rjust(64, '0')}") == []
    assert between(found, "", POD) == []
