"""A virtual address on real machines: every right way is worth all, and each common mistake is told what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autograder.checks.services.networks import Connection, parse_connections
from autograder.testing import Graded, graded, hints, oks
from tests.support.entries import HAPROXY, THREE

if TYPE_CHECKING:
    from lab.box.instances.box import Box

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("as_before"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
CHAIN = """
iptables -t nat -N $service
for chain in PREROUTING OUTPUT; do iptables -t nat -A $chain -d $address -p tcp --dport $port -j $service; done
"""
CHOICE = """
for number in 1 2 3; do
  chance=$(awk "BEGIN {print 1 / (4 - $number)}")
  iptables -t nat -A $service -p tcp -m statistic --mode random --probability $chance -j DNAT --to-destination $(address $number):8080
done
"""
RULES = THREE + CHAIN + CHOICE
NFT = f"""{THREE}
choose="ip daddr $address tcp dport $port dnat ip to numgen inc mod 3 map {{ 0 : $(address 1), 1 : $(address 2), 2 : $(address 3) }}:8080"
nft -f - <<END
table ip course-test {{
  chain from-containers {{ type nat hook prerouting priority -110; $choose; }}
  chain from-the-box {{ type nat hook output priority -110; $choose; }}
}}
END
"""
IPVS = f"""{THREE}
ip route add local $address dev lo
ipvsadm -A -t $address:$port -s rr
for number in 1 2 3; do ipvsadm -a -t $address:$port -r $(address $number):8080 -m; done
"""


def has_ipvs(box: Box) -> bool:
    return not box.sh("modprobe ip_vs; ipvsadm -Ln").code


def test_nothing_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.vip")
    assert verdict.score == 0
    assert "There are 0 containers" in hints(verdict)


def test_replicas_without_a_rule_are_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.vip", THREE)
    assert verdict.score == 0
    assert "leads nowhere" in hints(verdict)


@pytest.mark.parametrize("way", [RULES, NFT], ids=["iptables", "nft"])
def test_rules_of_the_kernel(graded: Graded, way: str) -> None:
    verdict = graded("services.vip", way)
    assert verdict.score == 1, verdict.text()


def test_replicas_in_a_network_of_their_own(graded: Graded) -> None:
    own = THREE.replace("docker run", "docker run --network $service")
    verdict = graded("services.vip", "docker network create $service", own + CHAIN + CHOICE)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_ipvs(graded: Graded, box: Box) -> None:
    if not has_ipvs(box):
        pytest.skip("This kernel has no IPVS.")
    verdict = graded("services.vip", IPVS)
    assert verdict.score == 1, verdict.text()


def test_rules_for_the_box_alone(graded: Graded) -> None:
    verdict = graded("services.vip", RULES.replace("PREROUTING OUTPUT", "OUTPUT"))
    assert oks(verdict) == [True, False, True, True]
    assert "what comes from a container passes PREROUTING" in hints(verdict)


@pytest.mark.full
def test_rules_for_containers_alone(graded: Graded) -> None:
    verdict = graded("services.vip", RULES.replace("PREROUTING OUTPUT", "PREROUTING"))
    assert oks(verdict) == [False, True, True, True]
    assert "What the box itself sends passes OUTPUT" in hints(verdict)


def test_a_third_of_what_is_left_is_no_third(graded: Graded) -> None:
    uneven = CHOICE.replace("1 / (4 - $number)", "$number < 3 ? 0.33 : 1")
    verdict = graded("services.vip", THREE + CHAIN + uneven)
    assert oks(verdict) == [False, False, True, True]
    assert "a rule sees only what those before it have left" in hints(verdict)


@pytest.mark.full
def test_a_last_rule_that_leaves_some(graded: Graded) -> None:
    verdict = graded("services.vip", THREE + CHAIN + CHOICE.replace("1 / (4 - $number)", "0.5"))
    assert oks(verdict) == [False, False, True, True]
    assert "the last rule is to take all" in hints(verdict)


@pytest.mark.full
def test_rules_without_chance(graded: Graded) -> None:
    verdict = graded("services.vip", RULES.replace("-m statistic --mode random --probability $chance", ""))
    assert oks(verdict) == [False, False, True, True]
    assert "the first rule that matches ends the matter" in hints(verdict)


def test_an_address_on_an_interface_with_a_proxy_at_it(graded: Graded) -> None:
    verdict = graded("services.vip", THREE + HAPROXY + "ip addr add $address/32 dev lo")
    assert oks(verdict) == [True, True, False, False]
    assert "is on lo of" in hints(verdict)
    assert "haproxy has a connection of its own" in hints(verdict)


def test_rules_that_lead_to_published_ports(graded: Graded) -> None:
    published = THREE.replace("docker run", "docker run -p 900$number:8080")
    to_the_box = CHOICE.replace("$(address $number):8080", "$(hostname -I | cut -d' ' -f1):900$number")
    verdict = graded("services.vip", published + CHAIN + to_the_box)
    assert oks(verdict) == [True, True, True, False], verdict.text()
    assert "Docker has published" in hints(verdict)


def test_connections_are_read_whatever_their_family() -> None:
    printed = (
        '0      0      172.17.0.1:40022  172.17.0.2:8080  users:(("haproxy",pid=7,fd=9))\n'
        "0      0      [::ffff:10.0.0.1]:80%lo   [::ffff:10.0.0.2]:4242\n"
    )
    assert parse_connections(printed) == {
        Connection("172.17.0.1:40022", "172.17.0.2:8080", "haproxy"),
        Connection("10.0.0.1:80", "10.0.0.2:4242"),
    }
