"""services.stale on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

import pytest

from autograder.checks.services import stale
from autograder.testing import Graded, graded, hints, oks

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
RESOLVERS = """
cat >> $config <<END
resolvers engine
    nameserver docker 127.0.0.11:53
    hold valid 1s
END
sed -i 's/^    server .*/& check inter 1s resolvers engine init-addr none/' $config
docker restart $entry
"""
ANOTHER = """
docker rm -f $entry
docker run -d --name $entry --network $network -p $port:8080 -e UPSTREAM=$service:8080 proxy
"""
TOLD = r"""
sed -i 's/^global/&\n    stats socket ipv4@:9999 level admin/; s/^    server .*/& check inter 1s/' $config
docker restart $entry
cat > $config-loop <<END
while proxy=\$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $entry); do
  for server in one two; do
    number=1; [ \$server = one ] || number=2
    address=\$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $service-\$number 2>/dev/null) || continue
    echo "set server group/\$server addr \$address port 8080" | socat -T 1 - TCP:\$proxy:9999
  done
  sleep 0.5
done
END
setsid bash $config-loop < /dev/null > /dev/null 2>&1 &
"""
"""A program that looks again and again, and tells HAProxy at runtime; it ends with the entry."""
CHECKED = "sed -i 's/^    server .*/& check inter 1s/' $config; docker restart $entry"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What never comes need not be waited for so long."""
    if "microvm" not in request.node.name:
        monkeypatch.setattr(stale, "WITHIN_S", 12)


def test_an_untouched_entry_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.stale")
    assert verdict.score == 0
    assert {len(list(filter(None, fact.hints))) for fact in verdict.facts} == {3}
    assert "When does the entry look names up?" in hints(verdict)


@pytest.mark.parametrize(
    "way",
    [RESOLVERS, pytest.param(ANOTHER, marks=pytest.mark.full), pytest.param(TOLD, marks=pytest.mark.full)],
    ids=["resolvers", "another proxy", "runtime API"],
)
def test_an_entry_that_finds_who_is_new(graded: Graded, way: str) -> None:
    verdict = graded("services.stale", way)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_a_health_check_alone_finds_nobody(graded: Graded) -> None:
    verdict = graded("services.stale", CHECKED)
    assert oks(verdict) == [True, False, False], verdict.text()
    assert "does not know the new address" in hints(verdict)
    assert "the entry knows neither of the new addresses" in hints(verdict)


@pytest.mark.full
def test_a_restart_by_hand_helps_once(graded: Graded) -> None:
    verdict = graded("services.stale", "docker restart $entry")
    assert verdict.score == 0
    assert "When does the entry look names up?" in hints(verdict)


@pytest.mark.full
def test_settings_that_the_proxy_does_not_take(graded: Graded) -> None:
    verdict = graded("services.stale", "echo 'resolve please' >> $config; docker restart $entry")
    assert verdict.score == 0
    assert "docker logs" in hints(verdict)


@pytest.mark.full
def test_an_entry_that_reaches_nobody_is_told_before_anything_is_replaced(graded: Graded) -> None:
    verdict = graded("services.stale", "sed -i 's/:8080$/:80/; s/bind :80/bind :8080/' $config; docker restart $entry")
    assert verdict.score == 0
    assert "answers with 503" in hints(verdict)


@pytest.mark.full
def test_a_proxy_that_is_restarted_over_and_over(graded: Graded) -> None:
    over = "for turn in $(seq 60); do docker restart -t 0 '$entry' || break; sleep 1; done"
    verdict = graded("services.stale", RESOLVERS + f"setsid bash -c '{over}' < /dev/null > /dev/null 2>&1 &")
    assert verdict.score == 0, verdict.text()


def test_a_replica_that_was_removed_is_missed(graded: Graded) -> None:
    verdict = graded("services.stale", "docker rm -f $service-1")
    assert verdict.score == 0
    assert "again=True" in hints(verdict)
