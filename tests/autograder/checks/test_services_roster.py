"""services.roster on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

import pytest

from autograder.checks.services import roster
from autograder.testing import Graded, graded, hints, oks

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
PICK = 'random.choice(open(os.environ["list"]).read().split())'
PYTHON = f"""
cat > $client <<'END'
#!/usr/bin/python3
import itertools, os, random, time, urllib.request
kept = open(os.environ["list"]).read().split()
def answered(number):
    try:
        return urllib.request.urlopen(f"http://{{{PICK}}}/?{{number}}", timeout=2).status == 200
    except OSError:
        return False
for number in itertools.count(1):
    while not answered(number):
        pass
    time.sleep(0.03)
END
"""
SHELL = """
cat > $client <<'END'
number=0
while number=$((number + 1)); do
  until curl -sf --max-time 2 "http://$(shuf -n 1 "$list")/?$number"; do :; done
  sleep 0.03
done
END
"""
CONTAINED = f"""{SHELL}
mv $client $client.sh
run="docker run --rm --name $(basename $client) --network $network -v /root:/root -e list tools"
echo "exec $run bash $client.sh" > $client
"""
THREADS = """
cat > $client <<'END'
#!/usr/bin/env python3
import http.client, itertools, os, random, threading, time
numbers = itertools.count(1)
def work():
    while True:
        number = next(numbers)
        for turn in itertools.count(number):
            there = open(os.environ["list"]).read().split()
            try:
                connection = http.client.HTTPConnection(there[turn % len(there)], timeout=1)
                connection.request("GET", f"/?{number}")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                pass
        time.sleep(0.1)
for _ in range(3):
    threading.Thread(target=work).start()
END
"""
"""Three at a time, each in turn."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What never comes need not be waited for so long."""
    if "microvm" not in request.node.name:
        monkeypatch.setattr(roster, "STARTS_S", 25)
        monkeypatch.setattr(roster, "FOLLOWS_S", 10)


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("services.roster")
    assert verdict.score == 0
    assert {len(list(filter(None, fact.hints))) for fact in verdict.facts} == {3}


@pytest.mark.parametrize(
    "way",
    [PYTHON, *(pytest.param(way, marks=pytest.mark.full) for way in (SHELL, CONTAINED, THREADS))],
    ids=["Python", "shell", "in a container", "threads"],
)
def test_a_client_that_picks_for_itself(graded: Graded, way: str) -> None:
    verdict = graded("services.roster", way)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_a_list_that_is_read_once(graded: Graded) -> None:
    verdict = graded("services.roster", PYTHON.replace(PICK, "random.choice(kept)"))
    assert oks(verdict) == [True, True, False, False], verdict.text()
    assert "was asked 0 times" in hints(verdict)
    assert "your client goes on asking it" in hints(verdict)


def test_a_client_that_ends_with_a_replica(graded: Graded) -> None:
    verdict = graded("services.roster", PYTHON.replace("except OSError", "except KeyError"))
    assert oks(verdict) == [True, False, False, False], verdict.text()
    assert "Who is not there must not end it" in hints(verdict)
    assert "ended with 1" in verdict.text()


@pytest.mark.full
def test_a_request_that_is_given_up(graded: Graded) -> None:
    verdict = graded("services.roster", PYTHON.replace("while not answered(number):\n        pass", "answered(number)"))
    assert oks(verdict) == [True, False, True, True], verdict.text()
    assert "was never answered by anybody" in hints(verdict)


@pytest.mark.full
def test_always_the_first_on_the_list(graded: Graded) -> None:
    verdict = graded("services.roster", PYTHON.replace(PICK, PICK.replace("random.choice(", "min(")))
    assert not verdict.facts[0].ok
    assert "Whom does it pick?" in hints(verdict)


@pytest.mark.full
def test_a_client_that_asks_once(graded: Graded) -> None:
    verdict = graded("services.roster", "echo 'curl -s \"http://$(head -n 1 $list)/?1\"' > $client")
    assert verdict.score == 0
    assert "It is to go on" in hints(verdict)


@pytest.mark.full
def test_requests_without_numbers(graded: Graded) -> None:
    verdict = graded("services.roster", SHELL.replace("/?$number", "/").replace("sleep 0.03", "sleep 1"))
    assert verdict.score == 0
    assert "of the form GET /?1" in hints(verdict)
