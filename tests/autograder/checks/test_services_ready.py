"""A replica that is not ready, on real machines: every right way is worth all, and each common mistake is told what it is."""

from __future__ import annotations

import pytest

from autograder.testing import Graded, graded, hints, oks
from tests.support.entries import CONFIG, HAPROXY, IN_THE_BACKGROUND, START, THREE

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("as_before"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
LOOP = f"""{THREE}
cat > /root/$service-loop <<END
chain=$service port=$port probe=$probe replicas="$(address 1) $(address 2) $(address 3)"
END
cat >> /root/$service-loop <<'END'
iptables -t nat -N $chain
for hook in PREROUTING OUTPUT; do iptables -t nat -A $hook -p tcp --dport $port -m addrtype --dst-type LOCAL -j $chain; done
while :; do
  ready=
  for it in $replicas; do curl -sf --max-time 2 http://$it:8080$probe > /dev/null && ready="$ready $it"; done
  [ "$ready" = "$before" ] || write $ready
  before=$ready
  sleep 0.5
done
END
{IN_THE_BACKGROUND}
"""
"""A loop of somebody's own that writes rules; how is yet to be said."""
CHOICES = """
choices() {
  left=$#
  for it in $*; do
    echo "-A $chain -p tcp -m statistic --mode random --probability $(awk "BEGIN {print 1 / $left}") -j DNAT --to-destination $it:8080"
    left=$((left - 1))
  done
}
"""
AT_ONCE = f"""{CHOICES}
write() {{ {{ echo "*nat"; echo ":$chain - [0:0]"; choices $*; echo COMMIT; }} | iptables-restore --noflush; }}
"""
ONE_BY_ONE = f"""{CHOICES}
write() {{ iptables -t nat -F $chain; sleep 1; choices $* | while read rule; do iptables -t nat $rule; done; }}
"""
RESTART = f"""
cat > /root/$service-loop <<'END'
while :; do
  for it in $(docker ps -qf name=$service-); do docker exec $it wget -q -O /dev/null http://127.0.0.1:8080$probe || docker restart $it; done
  sleep 0.5
done
END
sed -i "1i service=$service probe=$probe" /root/$service-loop
{IN_THE_BACKGROUND}
"""
PUBLISHED = """
docker run -d --name $service-proxy -p $port:8080 -v /root/$service.cfg:/etc/haproxy/haproxy.cfg proxy
"""


def loop(write: str) -> str:
    return LOOP.replace("iptables -t nat -N", f"{write}iptables -t nat -N")


def test_nothing_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.ready")
    assert verdict.score == 0
    assert "There are 0 containers" in hints(verdict)


def test_replicas_without_an_entry_are_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.ready", THREE)
    assert verdict.score == 0
    assert "Nobody answers with the greeting" in hints(verdict)


@pytest.mark.parametrize(
    "way",
    [
        THREE + HAPROXY,
        loop(AT_ONCE),
        pytest.param(THREE + CONFIG.replace(":$port", ":8080") + PUBLISHED, marks=pytest.mark.full),
    ],
    ids=["haproxy", "rules", "published"],
)
def test_who_is_not_ready_leaves_and_comes_back(graded: Graded, way: str) -> None:
    verdict = graded("services.ready", way)
    assert verdict.score == 1, verdict.text()


def test_an_entry_that_asks_for_a_connection_alone(graded: Graded) -> None:
    verdict = graded("services.ready", THREE + CONFIG.replace("option httpchk GET ${probe:-/ready}", "") + START)
    assert oks(verdict) == [True, False, False, False, True]
    assert "nobody asks it there" in hints(verdict)


@pytest.mark.full
@pytest.mark.parametrize("path", ["/healthz", "/ready"])
def test_an_entry_that_asks_elsewhere(graded: Graded, path: str) -> None:
    verdict = graded("services.ready", THREE + CONFIG.replace("${probe:-/ready}", path) + START)
    assert oks(verdict) == [True, False, False, False, True]
    assert f"was asked at {path}, where this image always says yes" in hints(verdict)


@pytest.mark.full
def test_an_image_that_nobody_can_tell(graded: Graded) -> None:
    verdict = graded("services.ready", THREE.replace("${image:-app:v1}", "app:v1") + CONFIG.replace("${probe:-/ready}", "/ready") + START)
    assert oks(verdict) == [True, False, False, False, True]
    assert "is not of the image" in hints(verdict)


def test_who_is_not_ready_is_restarted(graded: Graded) -> None:
    verdict = graded("services.ready", THREE + HAPROXY + RESTART)
    assert oks(verdict)[:1] + oks(verdict)[2:4] == [True, False, False], verdict.text()
    assert "a livenessProbe has it restarted" in hints(verdict)


@pytest.mark.full
def test_who_was_not_ready_never_comes_back(graded: Graded) -> None:
    verdict = graded("services.ready", THREE + CONFIG.replace("inter 1s", "inter 1s rise 99") + START)
    assert oks(verdict) == [True, True, True, False, True]
    assert "again, and 15 s later it still gets no request" in hints(verdict)


def test_rules_that_are_removed_before_they_are_written_again(graded: Graded) -> None:
    verdict = graded("services.ready", loop(ONE_BY_ONE))
    assert oks(verdict) == [True, True, True, True, False], verdict.text()
    assert "Requests were lost while the group changed" in hints(verdict)


@pytest.mark.full
def test_an_entry_that_knows_two_of_three(graded: Graded) -> None:
    verdict = graded("services.ready", THREE + CONFIG.replace("1 2 3", "1 2") + START)
    assert oks(verdict) == [False, True, True, True, True]
    assert "got no request at the entry" in hints(verdict)
