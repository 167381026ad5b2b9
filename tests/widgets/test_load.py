"""Requests are really made, who answered is counted, and what travels in the picture is what the app has in its log."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from lab.box.errors import CourseError, UsageError
from lab.cleanup import clean
from lab.objects.node import Node
from lab.objects.pod import Pod
from lab.objects.service import Service
from lab.objects.service_controller import ServiceController
from lab.observe.web import APP, localhost, page
from lab.widgets.load import load
from lab.widgets.topology import TopologyView
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

PORT = 8099
POD = """
apiVersion: v1
kind: Pod
metadata: {name: load-pod, labels: {app: load}}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: app, image: "app:v1"}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: load}
spec: {selector: {app: load}, ports: [{port: 80, targetPort: 8080}]}
"""


@pytest.fixture
def web(box: Box) -> Iterator[str]:
    clean(box, "load-")
    box.sh(f"docker run -d --name load-web -p {PORT}:8080 app:v1", check=True)
    page(box, PORT)
    yield box.url(PORT)
    clean(box, "load-")


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_pulse_is_a_request_that_the_app_has_in_its_log(box: Box, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pulses = []
    monkeypatch.setattr(TopologyView, "send", lambda _, content, *__: pulses.append(content) if content["t"] == "pulse" else None)
    view = TopologyView(box)
    try:
        until("the first look", lambda: any("load-web" in str(label) for _, label in view.graph.nodes(data="label")))
        made = load(web, 12)
    finally:
        view.close()
    log = box.sh("docker logs load-web").stdout
    container = box.docker.containers.get("load-web").id
    assert made.answered == {str(container)[:12]: 12}
    assert {pulse["request"] for pulse in pulses} == {request.id for request in made.requests}
    assert all(request.id in log for request in made.requests)
    assert {(pulse["id"], pulse["failed"]) for pulse in pulses} == {(f"container:{container}", False)}


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_where_no_container_answers_the_machine_pulses_that_did(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    pulses = []
    monkeypatch.setattr(TopologyView, "send", lambda _, content, *__: pulses.append(content) if content["t"] == "pulse" else None)
    box.put(APP, "/root/load-server.py")
    box.sh(f"PORT={PORT} setsid python3 /root/load-server.py > /root/load-log 2>&1 < /dev/null &", check=True)
    view, name = TopologyView(box), box.status().name
    try:
        page(box, PORT)
        until("the first look", lambda: f"box:{name}" in view.graph)
        made = load(box.url(PORT), 6)
        log = box.sh("cat /root/load-log").stdout
    finally:
        view.close()
        box.sh("pkill -f [l]oad-server.py")
        clean(box, "load-")
    assert made.answered == {name: 6}
    assert {(pulse["id"], pulse["request"]) for pulse in pulses} == {(f"box:{name}", request.id) for request in made.requests}
    assert all(request.id in log for request in made.requests)


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_pulse_goes_through_the_proxy_or_the_service_that_the_address_leads_to(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    pulses: list[dict[str, Any]] = []
    monkeypatch.setattr(TopologyView, "send", lambda _, content, *__: pulses.append(content) if content["t"] == "pulse" else None)
    node, name = Node("n1", box, cpu="8", memory="1Gi"), box.status().name
    clean(box, "load-")
    box.sh("docker network create load-net", check=True)
    address = Pod.create(box, POD, node="n1", network="load-net").start().address
    service = Service.apply(SERVICE, node)
    box.sh(f"docker run -d --name load-proxy --network load-net -p {PORT}:8080 -e UPSTREAM={address}:8080 proxy", check=True)
    view, controller = TopologyView(box), ServiceController(node)
    try:
        with controller:
            service.wait(timeout_s=60)
            until(
                "an endpoint to be drawn", lambda: f"service:{name}/load" in view.graph and view.graph[f"service:{name}/load"], timeout_s=30
            )
            page(box, PORT)
            proxy, pod = (box.docker.containers.get("load-proxy").id, next(one for one in view.graph if one.startswith("pod:")))
            for url, by, first in (
                (box.url(PORT), None, f"container:{proxy}"),
                (f"http://{service.address}", (box, "load-proxy"), f"service:{name}/load"),
                ("http://load", (box, "load-proxy"), f"service:{name}/load"),
            ):
                pulses.clear()
                assert load(url, 3, by=by).answered == {"load-pod": 3}
                assert {(one["id"], one["way"][0]) for one in pulses} == {(pod, first)}
            assert view.graph.nodes[pod]["label"] == "load-pod"
    finally:
        view.close()
        service.delete()
        controller.remove()
        clean(box, "load-")


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_what_fails_is_counted_by_its_reason(box: Box, web: str) -> None:
    assert load(f"{web}/nowhere", 3).failed == {"404 Not Found": 3}
    assert "404 Not Found" in repr(load(f"{web}/nowhere", 1))
    box.sh("docker rm -f load-web", check=True)
    assert load(web, 3).failed == {"refused: nobody listens there": 3}


@pytest.fixture
def group(box: Box) -> Iterator[tuple[Box, str]]:
    """Two apps that go by one name, on a network without a way out, and a client there that runs no more than pause."""
    clean(box, "load-")
    box.sh("docker network create --internal load-net; docker run -d --name load-client --network load-net pause", check=True)
    for name in ("load-1", "load-2"):
        box.sh(f"docker run -d --name {name} --network load-net --network-alias load-group app:v1", check=True)
        localhost(box, name)
    yield box, "load-client"
    clean(box, "load-")


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_a_container_sends_requests_to_where_only_it_gets(group: tuple[Box, str]) -> None:
    box, client = group
    ids = {name: box.docker.containers.get(name).short_id for name in ("load-1", "load-2")}
    log = box.docker.containers.get("load-1").logs

    made = load("http://load-1:8080", 8, by=group)
    assert made.answered == {ids["load-1"]: 8}
    assert all(request.id in log().decode() for request in made.requests)
    assert set(load([f"http://{name}:8080" for name in ids], 60, by=group).answered) == set(ids.values())
    assert set(load("http://load-group:8080", 60, by=group).answered) == set(ids.values())

    assert load("http://load-1:8080/nowhere", 2, by=group).failed == {"404 Not Found": 2}
    assert load("http://load-1:9", 2, by=group).failed == {"refused: nobody listens there": 2}
    assert load("http://load-3", 2, by=group).failed == {"there is no such name": 2}
    box.sh(f"docker stop -t 0 {client}", check=True)
    with pytest.raises(CourseError, match="load-client does not run"):
        load("http://load-1:8080", 1, by=group)


@contextmanager
def serving(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of somebody who does this with whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection = listener.accept()[0]
                    with connection:
                        answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def says(status: str) -> Callable[[socket.socket], object]:
    return lambda connection: (connection.recv(1000), connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says("503 Service Unavailable"), "503 Service Unavailable"),
        (lambda connection: connection.recv(1000), "closed without an answer"),
        (
            lambda connection: connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
            "reset: it was broken off",
        ),
        (lambda _: time.sleep(0.6), "no answer within 0.3 s"),
    ],
    ids=["5xx", "closed", "reset", "silent"],
)
def test_each_way_to_fail_has_its_words(answer: Callable[[socket.socket], object], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.widgets.load.TIMEOUT_S", 0.3 if "0.3" in why else 9.0)
    with serving(answer) as address:
        assert load(address, 1).failed == {why: 1}


def test_nobody_there_and_no_such_name_have_theirs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert load(f"http://127.0.0.1:{port}", 2).failed == {"refused: nobody listens there": 2}
    assert load("http://nosuch.invalid", 1).failed == {"there is no such name": 1}


@pytest.mark.parametrize(("n", "at_once"), [(0, 1), (-1, 1), (10**6, 1), (1, 0)])
def test_a_number_that_makes_no_sense_is_refused(n: int, at_once: int) -> None:
    with pytest.raises(UsageError, match="can't be sent"):
        load("http://127.0.0.1:9", n, at_once=at_once)


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_requests_are_sent_for_as_long_as_something_else_takes(web: str) -> None:
    made = load(web, during=lambda: time.sleep(1))
    assert 2 <= len(made.requests) <= 21  # at most 20 in a second, the first one at once
    assert not made.failed
    assert len(load(web, during=lambda: None).requests) >= 1
    with pytest.raises(ZeroDivisionError):
        load(web, during=lambda: 1 // 0)


def test_many_at_once_have_one_line_that_tells_how_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[Any] = []

    class Shown:
        def __init__(self, text: Any, **_: Any) -> None:
            time.sleep(0.05)  # so that others come to it meanwhile
            lines.append(text)

        def update(self, text: Any, **_: Any) -> None:
            lines[0] = text

    monkeypatch.setattr("lab.widgets.load.display", Shown)
    monkeypatch.setattr("lab.widgets.load.SHOWN_AFTER_S", 0.0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        load(f"http://127.0.0.1:{nobody.getsockname()[1]}", 40, at_once=16)
    assert len(lines) == 1
    assert "40 requests in" in lines[0]["text/plain"]
