"""services.dns on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autograder.checks.services import dns
from autograder.testing import Graded, graded, hints, oks

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
NETWORK = "docker network create $network\n"
ALIAS = "--network-alias $service"


def replicas(count: int = 3, options: str = ALIAS) -> str:
    """A script that starts replicas in the network; those whose names are taken stay as they are."""
    run = f"docker run -d --name $service-$number --network $network {options} -e GREETING=$greeting app:v1"
    return f"for number in $(seq {count}); do {run}; done\n"


COMPOSE = """
mkdir -p /root/$service && cd /root/$service && cat > compose.yaml <<END
services:
  $service:
    image: app:v1
    environment: {GREETING: $greeting}
    scale: 3
networks:
  default: {name: $network}
END
docker compose up -d 2>&1
"""
PODS = """
for number in 1 2 3; do
  docker run -d --name $service-$number --hostname pod-$number --network $network --network-alias $service pause
  docker run -d --name $service-$number-app --network container:$service-$number -e GREETING=$greeting app:v1
done
"""


def by_sdk(machine: Machine, task: Task) -> None:
    """One network, and containers that get their alias when they are connected to it."""
    network = machine.docker.networks.create(task.network)
    for number in range(3):
        made = machine.docker.containers.create("app:v1", name=f"{task.key}-{number}", environment={"GREETING": task.greeting})
        network.connect(made, aliases=[task.service])
        made.start()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What never comes need not be waited for so long."""
    if "microvm" not in request.node.name:
        monkeypatch.setattr(dns, "STARTS_S", 4)
        monkeypatch.setattr(dns, "FOLLOWS_S", 5)


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.dns")
    assert verdict.score == 0
    assert {len(list(filter(None, fact.hints))) for fact in verdict.facts} == {3}


def test_three_that_go_by_one_alias(graded: Graded) -> None:
    verdict = graded("services.dns", NETWORK + replicas())
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
@pytest.mark.parametrize("way", [by_sdk, COMPOSE, NETWORK + PODS], ids=["sdk", "compose", "pods"])
def test_other_ways_to_one_name(graded: Graded, way: str) -> None:
    verdict = graded("services.dns", way)
    assert verdict.score == 1, verdict.text()


def test_one_that_lacks_the_alias_is_named(graded: Graded) -> None:
    verdict = graded("services.dns", NETWORK + replicas(2) + replicas(3, ""))
    assert oks(verdict) == [True, False, True, True], verdict.text()
    assert "-3 serves, and does not have the name" in hints(verdict)


def test_names_of_their_own_are_not_one_name(graded: Graded) -> None:
    verdict = graded("services.dns", NETWORK + replicas(3, ""))
    assert oks(verdict) == [True, False, False, False]
    assert "goes by the name" in hints(verdict)


@pytest.mark.full
def test_two_replicas_are_not_three(graded: Graded) -> None:
    verdict = graded("services.dns", NETWORK + replicas(2))
    assert oks(verdict) == [False, True, True, True], verdict.text()
    assert "three containers of app:v1" in hints(verdict)


@pytest.mark.full
def test_the_network_that_containers_get_by_themselves_knows_no_names(graded: Graded) -> None:
    verdict = graded("services.dns", replicas().replace("--network $network --network-alias $service", "") + NETWORK)
    assert verdict.score == 0
    assert "the engine knows no names" in hints(verdict)


WRITTEN_DOWN = """
for one in $service-1 $service-2 $service-3; do
  records="$records --host-record=$service,$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $one)"
done
dnsmasq --no-hosts --no-resolv --bind-interfaces --listen-address=10.20.0.1 --pid-file=/root/$service-dnsmasq $records
"""
"""A name server on the box, which containers ask for what the engine does not know, with a list that nobody keeps."""


@pytest.mark.full
def test_a_list_that_is_written_down_does_not_follow(graded: Graded, box: Box) -> None:
    try:
        verdict = graded("services.dns", NETWORK + replicas(3, "") + WRITTEN_DOWN)
    finally:
        box.sh("kill $(cat /root/*-dnsmasq)")
    assert oks(verdict) == [True, True, False, False], verdict.text()
    assert "Who is to strike it out?" in hints(verdict)


@pytest.mark.full
def test_a_proxy_that_has_the_name_is_told_from_replicas(graded: Graded) -> None:
    proxy = "docker run -d --name $service --network $network -e UPSTREAM=group:8080 proxy; sleep 3"
    verdict = graded("services.dns", NETWORK + replicas(3, "--network-alias group") + proxy)
    assert oks(verdict) == [True, False, False, False], verdict.text()
    assert "as a proxy" in hints(verdict)


@pytest.mark.full
def test_another_greeting_and_a_replica_that_does_not_listen(graded: Graded) -> None:
    verdict = graded("services.dns", NETWORK + replicas(2) + "greeting=hello;" + replicas(3))
    assert "-3 says something else" in hints(verdict)
    verdict = graded("services.dns", NETWORK + replicas(2) + replicas(3, f"{ALIAS} -e PORT=80"))
    assert "-3 is in the network, and does not answer on port 8080" in hints(verdict)
