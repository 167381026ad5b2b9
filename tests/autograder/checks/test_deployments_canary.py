"""A canary, on a real box: what the clients of a group see while the program works, and each common mistake is told what it is."""

from __future__ import annotations

import pytest

from autograder.checks.deployments import canary, program
from autograder.testing import Graded, graded, hints, oks

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
WRITE = "mkdir -p $(dirname $program); cat > $program <<'END'\n"
RUN = """
run() { for one in $(seq $1); do docker run -d --name $app-$2-$one --label app=$app app:$2; done; }
of() { docker ps -q --filter label=app=$app --filter ancestor=app:$1; }
"""
MODEL = f"""{WRITE}{RUN}
case $1 in
start) run 9 v1 ;;
canary) run 1 v2 ;;
back) docker rm -f $(of v2) ;;
esac
END
"""
IN_PLACE = f"""{WRITE}{RUN}
case $1 in
start) run 10 v1 ;;
canary) docker stop $app-v1-1; docker rm $app-v1-1; run 1 v2 ;;
back) docker start $app-v1-1 || docker run -d --name $app-v1-1 --label app=$app app:v1; docker stop $app-v2-1 ;;
esac
false
END
"""
"""One of ten takes the place of another, which is told to end, and answers first.  What the last command returns does not matter."""
BY_COMPOSE = f"""{WRITE}
cat > compose.yaml <<EOF
services:
  stable: {{{{image: "app:v1", labels: {{{{app: $app}}}}}}}}
  canary: {{{{image: "app:v2", labels: {{{{app: $app}}}}}}}}
EOF
few=0; [ $1 = canary ] && few=1
docker compose -p $app up -d --scale stable=9 --scale canary=$few
END
""".replace("{{", "{").replace("}}", "}")
BY_DEPLOYMENTS = """#!/usr/bin/env python3
import os, sys
from lab import connect
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.node import Node

node, app = Node("n1", connect(), "8", "2Gi"), os.environ["app"]
MANIFEST = '''
apiVersion: apps/v1
kind: Deployment
metadata: {name: APP-TRACK}
spec:
  replicas: NUMBER
  selector: {matchLabels: {app: APP, track: TRACK}}
  template:
    metadata: {labels: {app: APP, track: TRACK}}
    spec:
      terminationGracePeriodSeconds: 5
      containers: [{name: app, image: "app:VERSION"}]
'''


def wish(track, version, number):
    named = MANIFEST.replace("APP", app).replace("TRACK", track)
    return Deployment.apply(named.replace("VERSION", version).replace("NUMBER", str(number)), node)


both = wish("stable", "v1", 9), wish("canary", "v2", int(sys.argv[1] == "canary"))
with Controller(node):
    for it in both:
        it.wait()
"""


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    for answer in ("", f"{WRITE}# YOUR CODE HERE\nEND\n"):
        verdict = graded("deployments.canary", answer)
        assert (verdict.score, verdict.facts[0].saw) == (0, "there is none")
        assert [len(fact.hints) for fact in verdict.facts] == [3]


def test_no_answer_at_all_is_worth_nothing(graded: Graded) -> None:
    assert graded("deployments.canary").score == 0


@pytest.mark.parametrize(
    "way",
    [
        MODEL,
        pytest.param(IN_PLACE, marks=pytest.mark.full),
        pytest.param(BY_COMPOSE, marks=pytest.mark.full),
        f"{WRITE}{BY_DEPLOYMENTS}END\n",
    ],
    ids=["cli", "in place", "compose", "two deployments"],
)
def test_one_in_ten(graded: Graded, way: str) -> None:
    verdict = graded("deployments.canary", way)
    assert verdict.score == 1, verdict.text(hints=3)


KILLS = IN_PLACE.replace("docker stop $app-v1-1; docker rm", "docker rm -f")
ALL_NEW = MODEL.replace("canary) run 1 v2", "canary) docker rm -f $(of v1); sleep 4; run 9 v2")
ALL_NEW = ALL_NEW.replace("back) docker rm -f $(of v2)", "back) docker rm -f $(of v2); run 9 v1")


@pytest.mark.parametrize(
    ("script", "seen", "hints_"),
    [
        pytest.param(MODEL.replace("run 9 v1", "run 2 v1"), [True, False, True, True], ("1 of 3 copies are v2",), marks=pytest.mark.full),
        (KILLS, [True, True, False, True], ("they were killed while they answered",)),
        (MODEL.replace("docker rm -f $(of v2)", "true"), [True, True, True, False], ("After back v2 still answers: 1 of 10",)),
    ],
    ids=["one in three", "killed", "not taken back"],
)
def test_what_clients_notice_is_told(
    graded: Graded, monkeypatch: pytest.MonkeyPatch, script: str, seen: list[bool], hints_: tuple[str, ...]
) -> None:
    monkeypatch.setattr(canary, "SETTLE_S", 5.0)
    verdict = graded("deployments.canary", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert [hint for hint in hints_ if hint not in hints(verdict)] == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "seen", "hints_"),
    [
        (ALL_NEW, [True, False, False, True], ("that is a rollout, and no canary", "all copies were away")),
        (MODEL.replace("--label app=$app app:$2", "app:$2"), [False], ("no app with the label",)),
        (
            MODEL.replace("run 1 v2", "docker run -d --name $app-x app:v2").replace("-f $(of v2)", "-f $app-x"),
            [True, False, False, False],
            ("No copy of v2 has the label", "There was no canary"),
        ),
        (MODEL.replace("run 9 v1", "run 9 v1; run 1 v2"), [False, False, False, True], ("At first the old version is alone",)),
        (
            MODEL.replace("docker rm -f $(of v2)", "docker rm -f $(of v1) $(of v2)"),
            [True, True, False, False],
            ("nobody answers any more",),
        ),
    ],
    ids=["all new", "no label", "not in the group", "from the beginning", "all gone"],
)
def test_what_is_no_canary_is_told(
    graded: Graded, monkeypatch: pytest.MonkeyPatch, script: str, seen: list[bool], hints_: tuple[str, ...]
) -> None:
    monkeypatch.setattr(canary, "SETTLE_S", 5.0)
    verdict = graded("deployments.canary", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert [hint for hint in hints_ if hint not in hints(verdict)] == []


def test_a_program_that_does_not_end_is_ended(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "RUN_S", 2)
    monkeypatch.setattr(canary, "SETTLE_S", 1.0)
    verdict = graded("deployments.canary", f"{WRITE}sleep 60\nEND\n")
    assert oks(verdict) == [False]
    assert "did not end within 2 s" in hints(verdict)
