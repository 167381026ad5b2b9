"""A program that scales, on a real box: who survives is what counts, and each common mistake is told what it is."""

from __future__ import annotations

import pytest

from autograder.checks.deployments import program, scale
from autograder.testing import Graded, graded, hints, oks

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
WRITE = "mkdir -p $(dirname $program); cat > $program <<'END'\n"
COUNT = "mine() { docker ps -q --filter label=app=$app; }\n"
MODEL = f"""{WRITE}
{COUNT}
for missing in $(seq $(($1 - $(mine | wc -l)))); do docker run -d --name $app-$(date +%N) --label app=$app app:v1; done
mine | tail -n +$(($1 + 1)) | xargs -r docker rm -f
END
"""
PODS = f"""{WRITE}
there() {{ docker ps -q --filter label=app=$app --filter ancestor=pause; }}
while [ $(there | wc -l) -lt $1 ]; do
  name=$app-$(date +%N)
  docker run -d --name $name --label app=$app pause
  docker run -d --name $name-app --network container:$name --label app=$app app:v1
done
for gone in $(there | head -n -$1); do docker rm -f $(docker inspect -f '{{{{.Name}}}}-app' $gone) $gone; done
END
"""
"""Pods of two containers, and the youngest go first."""
BY_COMPOSE = f"""{WRITE}
printf 'services: {{app: {{image: "app:v1", labels: {{app: %s}}}}}}' $app > compose.yaml
docker compose -p $app up -d --scale app=$1
END
"""
BY_SDK = f"""{WRITE}#!/usr/bin/env python3
import os, sys
import docker
client, app = docker.from_env(), os.environ["app"]
there = client.containers.list(filters={{"label": f"app={{app}}"}})
for _ in range(int(sys.argv[1]) - len(there)):
    client.containers.run("app:v1", labels={{"app": app}}, detach=True)
for it in there[int(sys.argv[1]):]:
    it.remove(force=True)
END
"""
BY_DEPLOYMENT = f"""{WRITE}#!/usr/bin/env python3
import os, sys
from lab import connect
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.node import Node
node, app = Node("n1", connect(), "4", "1Gi"), os.environ["app"]
it = Deployment.apply(f'''
apiVersion: apps/v1
kind: Deployment
metadata: {{{{name: {{app}}}}}}
spec:
  replicas: {{sys.argv[1]}}
  selector: {{{{matchLabels: {{{{app: {{app}}}}}}}}}}
  template:
    metadata: {{{{labels: {{{{app: {{app}}}}}}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{{{name: app, image: "app:v1"}}}}]
''', node)
with Controller(node):
    it.wait()
END
"""


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    for answer in ("", f"{WRITE}# YOUR CODE HERE\nEND\n"):
        verdict = graded("deployments.scale", answer)
        assert (verdict.score, verdict.facts[0].saw) == (0, "there is none")
        assert [len(fact.hints) for fact in verdict.facts] == [3]


def test_no_answer_at_all_is_worth_nothing(graded: Graded) -> None:
    assert graded("deployments.scale").score == 0


@pytest.mark.parametrize(
    "way",
    [MODEL, BY_DEPLOYMENT, *(pytest.param(way, marks=pytest.mark.full) for way in (BY_COMPOSE, PODS, BY_SDK))],
    ids=["cli", "deployment", "compose", "pods", "sdk"],
)
def test_whoever_is_there_stays(graded: Graded, way: str) -> None:
    verdict = graded("deployments.scale", way)
    assert verdict.score == 1, verdict.text(hints=3)


MAKE = "for one in $(seq $1); do docker run -d --name $app-$(date +%N) --label app=$app app:v1; done\n"
DELETE_ALL = f"{WRITE}{COUNT}docker rm -f $(mine)\n{MAKE}END\n"
MORE_EACH_TIME = f"{WRITE}{MAKE}END\n"
ONLY_GROWS = "\n".join(line for line in MODEL.splitlines() if "xargs" not in line)
RESTARTS = MODEL.replace("\nEND", "\ndocker restart -t 1 $(mine)\nEND")
KILLS_OTHERS = MODEL.replace("\nEND", "\ndocker ps -q | tail -n +$(($1 + 1)) | xargs -r docker rm -f\nEND")


@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (DELETE_ALL, [True, False, False, False], "All of them are new"),
        pytest.param(ONLY_GROWS, [True, True, False, False], "Nobody was removed", marks=pytest.mark.full),
        (KILLS_OTHERS, [True, True, True, False], "A container without the label was removed as well"),
        (MODEL.replace("app:v1", "base sleep 1000"), [False], "none of them is of app:v1"),
    ],
    ids=["all new", "only grows", "kills others", "no app"],
)
def test_who_does_not_survive_is_told(graded: Graded, monkeypatch: pytest.MonkeyPatch, script: str, seen: list[bool], hint: str) -> None:
    monkeypatch.setattr(scale, "SETTLE_S", 6.0)
    verdict = graded("deployments.scale", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (MORE_EACH_TIME, [True, False, False, False], "The number says how many there are to be in all"),
        (RESTARTS, [True, False, False, False], "All of them are new"),
        (MODEL.replace("--label app=$app app:v1", "app:v1"), [False], "No running container has the label"),
        (MODEL.replace("app:v1", "--network host app:v1"), [False], "in the network of the box itself"),
        (MODEL.replace("app:v1", "nosuch:v1").replace("tail", "exit 3 #"), [False], "It ended with"),
    ],
    ids=["more each time", "restarts", "no label", "host", "fails"],
)
def test_rarer_mistakes_are_told_as_well(graded: Graded, monkeypatch: pytest.MonkeyPatch, script: str, seen: list[bool], hint: str) -> None:
    monkeypatch.setattr(scale, "SETTLE_S", 6.0)
    verdict = graded("deployments.scale", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


def test_a_program_that_does_not_end_is_ended(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "RUN_S", 2)
    monkeypatch.setattr(scale, "SETTLE_S", 1.0)
    verdict = graded("deployments.scale", f"{WRITE}sleep 60\nEND\n")
    assert oks(verdict) == [False]
    assert "did not end within 2 s" in hints(verdict)
