"""services.proxy on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from autograder.checks.services import proxy
from autograder.testing import Graded, graded, hints, oks

if TYPE_CHECKING:
    from lab.box.instances.box import Box

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
REPLICAS = """
docker network create $network
for number in 1 2 3; do
  docker run -d --name $service-$number --network $network --network-alias $service -e GREETING=$greeting app:v1
done
"""
ENTRY = "docker run -d --name $entry --network $network -p $port:8080 -e UPSTREAM=$service:8080 proxy\n"
COMPOSE = """
mkdir -p /root/$service && cd /root/$service && cat > compose.yaml <<END
services:
  $service:
    image: app:v1
    environment: {GREETING: $greeting}
    scale: 3
  $entry:
    image: proxy
    environment: {UPSTREAM: "$service:8080"}
    ports: ["$port:8080"]
networks:
  default: {name: $network}
END
docker compose up -d 2>&1
"""
SETTINGS = """
cat > /root/$service.cfg <<END
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  retries 1
  balance roundrobin
listen entry
  bind :$port
END
for number in 1 2 3; do
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $service-$number)
  echo "  server s$number $address:8080 check inter 500ms fall 2" >> /root/$service.cfg
done
"""
ON_THE_BOX = "sleep 2; haproxy -D -p /run/$service-pid -f /root/$service.cfg; sleep 1\n"
"""HAProxy itself, without a container."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What never comes need not be waited for so long."""
    if "microvm" not in request.node.name:
        monkeypatch.setattr(proxy, "STARTS_S", 6)
        monkeypatch.setattr(proxy, "WITHIN_S", 8)
        monkeypatch.setattr(proxy, "BACK_S", 8)


@pytest.fixture
def ended(box: Box) -> Iterator[None]:
    """HAProxy on the box ends with the test."""
    yield
    box.sh("kill $(cat /run/*-web-pid); rm -f /run/*-web-pid")


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.proxy")
    assert verdict.score == 0
    assert {len(list(filter(None, fact.hints))) for fact in verdict.facts} == {3}


@pytest.mark.parametrize("way", [REPLICAS + ENTRY, pytest.param(COMPOSE, marks=pytest.mark.full)], ids=["docker run", "compose"])
def test_an_entry_with_a_share_for_each(graded: Graded, way: str) -> None:
    verdict = graded("services.proxy", way)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
@pytest.mark.usefixtures("ended")
def test_a_proxy_of_the_box_itself(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + SETTINGS + ON_THE_BOX)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
@pytest.mark.usefixtures("ended")
def test_an_entry_that_draws_lots(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + SETTINGS.replace("roundrobin", "random") + ON_THE_BOX)
    assert verdict.score == 1, verdict.text()


@pytest.mark.usefixtures("ended")
def test_an_entry_that_never_asks_whether_anybody_is_there(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + SETTINGS.replace("check inter 500ms fall 2", "") + ON_THE_BOX)
    assert oks(verdict) == [True, True, True, False], verdict.text()
    assert "Does the entry ever ask" in hints(verdict)


@pytest.mark.full
@pytest.mark.usefixtures("ended")
def test_an_entry_that_chooses_by_the_client(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + SETTINGS.replace("roundrobin", "source") + ON_THE_BOX)
    assert oks(verdict) == [True, False, False, False], verdict.text()
    assert "who is the same one here" in hints(verdict)


@pytest.mark.full
@pytest.mark.usefixtures("ended")
def test_an_entry_that_knows_two_of_three(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + SETTINGS.replace("in 1 2 3", "in 1 3") + ON_THE_BOX)
    assert oks(verdict) == [True, False, True, True], verdict.text()
    assert "2 replicas answered" in hints(verdict)


@pytest.mark.full
@pytest.mark.usefixtures("ended")
def test_a_replica_that_hardly_gets_anything(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + SETTINGS + "sed -i '/server s[12]/s/$/ weight 9/' /root/$service.cfg\n" + ON_THE_BOX)
    assert oks(verdict) == [True, False, True, True], verdict.text()
    assert "one gets much less" in hints(verdict)


@pytest.mark.full
def test_replicas_that_are_published_themselves(graded: Graded) -> None:
    published = REPLICAS.replace("app:v1", "-p 800$number:8080 app:v1")
    verdict = graded("services.proxy", published + ENTRY)
    assert oks(verdict) == [True, True, False, True], verdict.text()
    assert "Port 8001 of the box leads to the app past the entry" in hints(verdict)


def test_a_replica_that_is_published_is_no_entry(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + "docker run -d --name $entry -p $port:8080 -e GREETING=$greeting app:v1")
    assert oks(verdict) == [True, False, False, False], verdict.text()
    assert "Is a replica published itself?" in hints(verdict)


@pytest.mark.full
def test_an_entry_in_another_network_reaches_nobody(graded: Graded) -> None:
    verdict = graded("services.proxy", REPLICAS + ENTRY.replace("--network $network", ""))
    assert verdict.score == 0
    assert "it reaches no replica" in hints(verdict)


@pytest.mark.full
def test_an_entry_that_is_one_of_the_replicas_dies_with_it(graded: Graded) -> None:
    joined = "docker run -d --name $entry --network container:$service-1 -v /root/$service.cfg:/etc/haproxy/haproxy.cfg proxy"
    settings = SETTINGS.replace("bind :$port", "bind :80")
    one = REPLICAS.replace(
        "for number",
        "docker run -d --name $service-1 --network $network --network-alias $service -p $port:80 -e GREETING=$greeting app:v1\nfor number",
    ).replace("in 1 2 3", "in 2 3")
    verdict = graded("services.proxy", one + settings + joined)
    assert oks(verdict) == [True, True, True, False], verdict.text()
    assert "the entry must not die with a replica" in hints(verdict)
