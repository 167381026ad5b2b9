"""A virtual address leads to each endpoint in its turn, is nobody's own, and leaves no rule behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.objects.service_spec import Endpoint, ServicePort
from lab.objects.virtual_address import HAIRPIN, Address, removal, rules

if TYPE_CHECKING:
    from lab.box.instances.box import Box

on_both = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
VIP = "10.96.0.10"
ASK = f"for n in $(seq %d); do curl -s -m 5 http://{VIP}/ | sed -n 's/^container: //p'; done"


def address(*ready: Endpoint, sticky_s: int = 0, node: int | None = None) -> Address:
    return Address("web", VIP, ServicePort(80, 8080, node=node), ready, sticky_s)


@pytest.fixture
def three(box: Box) -> Iterator[list[Endpoint]]:
    """Three apps, as endpoints; their host names are their containers' ids."""
    made = box.sh("for n in 1 2 3; do docker run -d --name vip-$n app:v1; done", check=True).stdout.split()
    found = [box.docker.api.inspect_container(one)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for one in made]
    for one in found:
        box.sh(f"curl -s --retry 50 --retry-connrefused --retry-delay 1 http://{one}:8080/ready", check=True)
    yield [Endpoint(name[:12], one, 8080) for name, one in zip(made, found, strict=True)]
    box.sh("docker rm -f vip-1 vip-2 vip-3", check=True)
    take_away(box)
    assert "COURSE-" not in box.sh("iptables-save").stdout


def put(box: Box, *addresses: Address) -> None:
    box.sh("iptables-restore --noflush", check=True, stdin=rules(addresses, saved(box)).encode())


def take_away(box: Box) -> None:
    box.sh("iptables-restore --noflush", check=True, stdin=removal(saved(box)).encode())


def saved(box: Box) -> str:
    return box.sh("iptables-save", check=True).stdout


def asked(box: Box, times: int) -> Counter[str]:
    return Counter(box.sh(ASK % times, timeout=120).stdout.split())


@on_both
def test_each_endpoint_gets_its_share_and_nobody_has_the_address(box: Box, three: list[Endpoint]) -> None:
    put(box, address(*three))
    answered = asked(box, 90)
    assert set(answered) == {one.pod for one in three}
    assert min(answered.values()) >= 10
    assert VIP not in box.sh("ip addr; ss -Hltn").stdout
    inside = box.sh(f"docker run --rm base sh -c 'for n in $(seq 12); do wget -qO- http://{VIP}/; done'", check=True).stdout
    assert len({line for line in inside.splitlines() if line.startswith("container: ")}) > 1


@on_both
def test_an_endpoint_that_left_is_asked_no_more_and_without_any_the_answer_is_no(box: Box, three: list[Endpoint]) -> None:
    put(box, address(*three))
    put(box, address(*three[1:]))
    assert set(asked(box, 30)) == {one.pod for one in three[1:]}
    put(box, address())
    done = box.sh(f"curl -sS -m 5 http://{VIP}/")
    assert done.code == 7  # refused, and not waited for
    put(box, address(*three[:1]))
    assert set(asked(box, 3)) == {three[0].pod}


@on_both
def test_a_client_stays_with_its_endpoint_where_that_is_wanted(box: Box, three: list[Endpoint]) -> None:
    put(box, address(*three, sticky_s=60))
    assert len(asked(box, 20)) == 1


@on_both
def test_an_endpoint_reaches_itself_and_a_port_of_the_node_leads_there(box: Box, three: list[Endpoint]) -> None:
    put(box, address(three[0], node=30080))
    box.sh(HAIRPIN, check=True)
    ask = f"import urllib.request as r; print(r.urlopen('http://{VIP}/', timeout=5).read().decode())"
    own = box.sh(f'docker exec vip-1 python3 -c "{ask}"')
    assert three[0].pod in own.stdout, own
    host = box.sh("hostname -I").stdout.split()[0]
    assert three[0].pod in box.sh(f"curl -s -m 5 http://{host}:30080/").stdout


def test_of_those_that_are_left_each_takes_its_part() -> None:
    text = rules([address(*(Endpoint(f"p{n}", f"10.0.0.{n}", 8080) for n in (1, 2, 3)))], "")
    assert [line.partition("--probability ")[2][:8] for line in text.splitlines() if "statistic" in line] == ["0.333333", "0.500000"]


def test_the_jumps_are_made_once_and_stay_first() -> None:
    text = rules([address()], "")
    jumps = {part.split("\n")[0]: [line for line in part.splitlines() if line.startswith("-I ")] for part in text.split("*")[1:]}
    assert {table: len(lines) for table, lines in jumps.items()} == {"nat": 3, "filter": 3}
    there = "".join(
        "\n".join([f"*{table}", *(f"-A {line.split()[1]} -j {line.split()[-1]}" for line in lines), "COMMIT\n"])
        for table, lines in jumps.items()
    )
    assert "-I " not in rules([address()], there)
    behind = there.replace("-A FORWARD", "-A FORWARD -j DOCKER-USER\n-A FORWARD")
    assert [line for line in rules([address()], behind).splitlines() if line.startswith(("-I ", "-D "))] == [
        "-D FORWARD -j COURSE-NOBODY", "-I FORWARD 1 -j COURSE-NOBODY",
    ]  # fmt: skip


@on_both
def test_what_the_machine_itself_sends_comes_from_where_it_can_be_answered(box: Box, three: list[Endpoint]) -> None:
    box.sh("ip address add 10.97.0.1/32 dev lo; ip route add 10.96.0.0/16 dev docker0 src 10.97.0.1", check=True)
    put(box, address(*three))
    seen = box.sh(f"curl -s -m 5 http://{VIP}/; for n in 1 2 3; do docker logs --tail 1 vip-$n; done").stdout
    box.sh("ip route delete 10.96.0.0/16; ip address delete 10.97.0.1/32 dev lo", check=True)
    assert "container: " in seen
    assert "10.97.0.1" not in seen
