"""Who can connect to whom is tried for real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.box.errors import CourseError, UsageError
from lab.picture.reach import reach

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
TWO_NETWORKS = """
set -e
docker network create front > /dev/null; docker network create back > /dev/null
docker run -d --name web --network front -p 8097:8080 app:v1
docker run -d --name db --network back app:v1
docker run -d --name both --network front base sleep 1000; docker network connect back both
docker run -d --name quiet --network front app:v1 python3 -c \
  "import socket, time; s = socket.create_server(('127.0.0.1', 8080)); time.sleep(1000)"
docker run -d --name helper --network container:web base sleep 1000
docker run -d --name alone --network none base sleep 1000
for name in web db; do
  until nsenter --net --target $(docker inspect -f '{{.State.Pid}}' $name) ss -Hltn | grep -q 8080; do sleep 0.1; done
done
"""


def test_what_networks_and_rules_and_listening_addresses_come_to(bare: Box) -> None:
    bare.sh(TWO_NETWORKS, check=True)
    found = reach(bare)
    assert {door.owner for door in found.doors if door.port == 8080} == {"web", "db"}  # the one on localhost alone is no door
    assert found.open("both", "web", 8080)
    assert found.open("both", "db", 8080)
    assert found.open("quiet", "web", 8080)
    assert not found.open("quiet", "db", 8080)  # another network, and Docker keeps them apart
    assert found.open("the box", "db", 8080)
    assert found.open("quiet", "the box", 8097)  # what is published is open to everybody
    assert "alone" not in found.tried
    assert "helper" not in found.tried  # it is in web's network
    with pytest.raises(CourseError, match="web:8080"):
        found.open("web", "nosuch", 1)


def test_a_rule_that_drops_is_silence_and_one_that_rejects_a_refusal(bare: Box) -> None:
    bare.sh(TWO_NETWORKS, check=True)
    rule = "iptables -I INPUT -p tcp --dport 8097 -j"
    for target, word in (("DROP", "silent"), ("REJECT --reject-with tcp-reset", "refused")):
        bare.sh(f"{rule} {target}", check=True)
        found = reach(bare)
        bare.sh(f"{rule.replace('-I', '-D')} {target}", check=True)
        number = next(at for at, door in enumerate(found.doors) if door.owner == "the box" and door.port == 8097)
        assert found.tried["quiet"][number] == word
        assert found.tried["the box"][number] == "open"  # its own packets are turned to the container before that rule


def test_an_address_that_is_named_is_tried_although_nobody_listens_on_it(bare: Box) -> None:
    bare.sh(TWO_NETWORKS, check=True)
    rule = "PREROUTING -d 10.96.0.10 -p tcp --dport 80 -j DNAT --to-destination"
    where = bare.sh("docker inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' web", check=True).stdout.strip()
    bare.sh(f"iptables -t nat -A {rule} {where}:8080", check=True)
    found = reach(bare, also={"group": "10.96.0.10:80"})
    bare.sh(f"iptables -t nat -D {rule} {where}:8080", check=True)
    assert [str(door) for door in found.doors][-1] == "group:80"
    assert found.open("quiet", "group", 80)
    assert not found.open("db", "group", 80)  # an address in the place of another opens no way that is closed
    for wrong in ("10.96.0.10", "10.96.0.10:http"):
        with pytest.raises(UsageError, match="no address with a port"):
            reach(bare, also={"group": wrong})


def test_it_is_a_table_with_words(bare: Box) -> None:
    bare.sh(TWO_NETWORKS, check=True)
    found = reach(bare)
    text, page = repr(found), found._repr_html_()
    assert "web:8080" in text.splitlines()[0]
    assert 'scope="row">quiet</th>' in page
    assert "yes" in text
    assert "silent" in text


def test_where_nobody_listens_that_is_said(bare: Box) -> None:
    found = reach(bare)
    assert "the box" in found.tried
    assert all(door.owner == "the box" for door in found.doors)
