"""Which rules drop what somebody sends or is sent."""

from __future__ import annotations

import pytest

from lab.observe.firewall import dropping

SAVED = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [4:240]
[3:180] -A DOCKER-USER -d 10.20.0.2/32 -p tcp -m tcp --dport 80 -j DROP
[0:0] -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
[2:80] -A DOCKER-ISOLATION-STAGE-2 -o br-abc -j DROP
[1:60] -A FORWARD -i docker0 -j REJECT --reject-with icmp-port-unreachable
[0:0] -A FORWARD ! -s 10.20.0.0/24 -o docker0 -j DROP
[0:0] -A FORWARD -m comment --comment "-j DROP of 10.20.0.2" -j ACCEPT
COMMIT
++
"""
POLICY = "FORWARD: whatever no rule accepts  (4 packets so far)"
NAMED = "-A DOCKER-USER -d 10.20.0.2/32 -p tcp -m tcp --dport 80 -j DROP  (3 packets so far)"
CARD = "-A FORWARD -i docker0 -j REJECT --reject-with icmp-port-unreachable  (1 packet so far)"
ELSEWHERE = "-A FORWARD ! -s 10.20.0.0/24 -o docker0 -j DROP  (0 packets so far)"
ISOLATED = "-A DOCKER-ISOLATION-STAGE-2 -o br-abc -j DROP  (2 packets so far)"
NFT = """\
table inet shop {
	chain arrives {
		type filter hook input priority filter; policy drop;
		ip saddr 10.20.0.0/24 tcp dport 80 counter packets 7 bytes 420 drop
		iifname "br-abc" reject with icmp port-unreachable
		tcp dport 22 accept
	}
}
table inet netavark {
	chain NETAVARK-ISOLATION-2 {
		drop
	}
}
"""


@pytest.mark.parametrize(
    ("addresses", "cards", "found"),
    [
        (["10.20.0.2"], ["docker0"], [POLICY, NAMED, CARD]),
        (["10.20.0.3"], ["docker0"], [POLICY, CARD]),
        (["172.18.0.3"], ["br-abc"], [POLICY, ISOLATED]),
        (["172.18.0.3", "10.20.0.9"], ["br-abc", "docker0"], [POLICY, ISOLATED, CARD, ELSEWHERE]),
        ([], [], [POLICY]),
        (None, None, [POLICY, NAMED, ISOLATED, CARD, ELSEWHERE]),
    ],
)
def test_a_rule_concerns_those_whom_it_names(addresses: list[str] | None, cards: list[str] | None, found: list[str]) -> None:
    assert dropping(SAVED, addresses, cards) == found


def test_rules_of_nft_are_read_too() -> None:
    policy = "inet shop arrives: type filter hook input priority filter; policy drop;"
    named = "inet shop arrives: ip saddr 10.20.0.0/24 tcp dport 80 counter packets 7 bytes 420 drop  (7 packets so far)"
    card = 'inet shop arrives: iifname "br-abc" reject with icmp port-unreachable'
    assert dropping(f"++\n{NFT}", ["10.20.0.2"], ["docker0"]) == [policy, named]
    assert dropping(f"++\n{NFT}", ["172.18.0.2"], ["br-abc"]) == [policy, card]


def test_where_nothing_is_printed_nothing_drops() -> None:
    assert dropping("") == []
