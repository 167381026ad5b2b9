"""A client that stays with its backend, on real machines: every right way is worth all, and each common mistake is told what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autograder.testing import Graded, graded, hints, oks
from tests.support.entries import CONFIG, HAPROXY, IN_THE_BACKGROUND, START, THREE

if TYPE_CHECKING:
    from lab.box.instances.box import Box

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("as_before"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
BY_ADDRESS = CONFIG.replace("balance roundrobin", "balance source")
REMEMBERS = CONFIG.replace("balance roundrobin", "balance roundrobin\n  stick-table type ip size 1k expire 10m\n  stick on src")
COOKIE = CONFIG.replace("balance roundrobin", "balance roundrobin\n  cookie BACKEND insert")
FIRST = CONFIG.replace("balance roundrobin", "balance first")
PUBLISHED = """
docker run -d --name $service-proxy -p $port:8080 -v /root/$service.cfg:/etc/haproxy/haproxy.cfg proxy
"""
RULES = """
cat > /root/$service-loop <<END
chain=$service port=$port replicas="$(address 1) $(address 2) $(address 3)"
END
cat >> /root/$service-loop <<'END'
iptables -t nat -N $chain
for hook in PREROUTING OUTPUT; do iptables -t nat -A $hook -p tcp --dport $port -m addrtype --dst-type LOCAL -j $chain; done
write() {
  left=$#
  echo "*nat"; echo ":$chain - [0:0]"
  for it in $*; do echo ":$chain-${it##*.} - [0:0]"; done
  for it in $*; do echo "-A $chain -m recent --name $chain-${it##*.} --rcheck --seconds 600 -j $chain-${it##*.}"; done
  for it in $*; do
    echo "-A $chain -m statistic --mode random --probability $(awk "BEGIN {print 1 / $left}") -j $chain-${it##*.}"
    echo "-A $chain-${it##*.} -p tcp -m recent --name $chain-${it##*.} --set -j DNAT --to-destination $it:8080"
    left=$((left - 1))
  done
  echo COMMIT
}
while :; do
  there=
  for it in $replicas; do curl -sf --max-time 1 http://$it:8080/ready > /dev/null && there="$there $it"; done
  [ "$there" = "$before" ] || write $there | iptables-restore --noflush
  before=$there
  sleep 0.5
done
END
"""
LOOP = RULES + IN_THE_BACKGROUND


def test_nothing_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.sticky")
    assert verdict.score == 0
    assert "There are 0 containers" in hints(verdict)


@pytest.mark.full
def test_replicas_without_an_entry_are_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.sticky", THREE)
    assert verdict.score == 0
    assert "Nobody answers with the greeting" in hints(verdict)


@pytest.mark.parametrize(
    "way",
    [
        THREE + BY_ADDRESS + START,
        THREE + LOOP,
        pytest.param(THREE + REMEMBERS + START, marks=pytest.mark.full),
        THREE + BY_ADDRESS.replace(":$port", ":8080") + PUBLISHED,
    ],
    ids=["source", "rules", "table", "published"],
)
def test_a_client_stays_with_its_backend_and_survives_it(graded: Graded, way: str) -> None:
    verdict = graded("services.sticky", way)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_a_check_leaves_the_replicas_as_they_were(graded: Graded, box: Box) -> None:
    verdict = graded("services.sticky", THREE + BY_ADDRESS + START)
    assert len(verdict.facts) == 4
    running = box.sh("docker ps --filter name=sticky- --format '{{.Names}}'").stdout.split()
    assert sorted(name[-2:] for name in running) == ["-1", "-2", "-3"]


def test_an_entry_that_takes_them_in_turn(graded: Graded) -> None:
    verdict = graded("services.sticky", THREE + HAPROXY)
    assert oks(verdict) == [True, False, False]
    assert "for each connection the entry chooses anew" in hints(verdict)


def test_an_entry_with_a_cookie(graded: Graded) -> None:
    verdict = graded("services.sticky", THREE + COOKIE + START)
    assert oks(verdict) == [True, False, False]
    assert "to keep a cookie" in hints(verdict)


def test_an_entry_that_sends_everybody_to_the_same(graded: Graded) -> None:
    verdict = graded("services.sticky", THREE + FIRST + START)
    assert oks(verdict) == [True, False, False]
    assert "though each has an address of its own" in hints(verdict)


@pytest.mark.full
def test_an_entry_behind_which_all_clients_look_alike(graded: Graded) -> None:
    hidden = "iptables -t nat -I INPUT -p tcp --dport $port -m comment --comment sticky-test -j SNAT --to-source 198.51.100.1"
    verdict = graded("services.sticky", THREE + BY_ADDRESS + START + hidden)
    assert oks(verdict) == [True, False, False]
    assert "Does the entry see it" in hints(verdict)


def test_an_entry_that_is_loyal_to_the_dead(graded: Graded) -> None:
    verdict = graded("services.sticky", THREE + BY_ADDRESS.replace("check inter 1s", "no-check") + START)
    assert oks(verdict) == [True, True, False, False]
    assert "its clients are still sent there" in hints(verdict)
