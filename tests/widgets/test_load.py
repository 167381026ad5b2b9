"""Requests are really made, who answered is counted, and what travels in the picture is what the app has in its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.box.errors import UsageError
from lab.cleanup import clean
from lab.observe.web import APP, page
from lab.widgets.load import load
from lab.widgets.topology import TopologyView
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

PORT = 8099


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
def test_what_fails_is_counted_by_its_reason(box: Box, web: str) -> None:
    assert load(f"{web}/nowhere", 3).failed == {"404 Not Found": 3}
    assert "404 Not Found" in repr(load(f"{web}/nowhere", 1))
    box.sh("docker rm -f load-web", check=True)
    gone = load(web, 3)
    assert (gone.answered, sum(gone.failed.values())) == ({}, 3)


@pytest.mark.parametrize(("n", "at_once"), [(0, 1), (-1, 1), (10**6, 1), (1, 0)])
def test_a_number_that_makes_no_sense_is_refused(n: int, at_once: int) -> None:
    with pytest.raises(UsageError, match="can't be sent"):
        load("http://127.0.0.1:9", n, at_once=at_once)
