"""Copies of one template, on a real box: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autograder.testing import Graded, graded, hints, oks
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.node import Node

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.machine import Machine

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
IDLE = "sh -c 'while :; do sleep 1; done'"
LABEL = "--label app=$app"
MODEL = f"""
for one in $(seq $copies); do
  docker run -d --name $app-$one-pause {LABEL} pause
  docker run -d --name $app-$one-app {LABEL} --network container:$app-$one-pause -e GREETING=$greeting app:v1
  docker run -d --name $app-$one-sidecar {LABEL} --network container:$app-$one-pause base {IDLE}
done
"""
WITHOUT_PAUSE = f"""
for one in $(seq $copies); do
  docker run -d --name $app-$one {LABEL} --hostname $app-$one -e NAME=$app-$one -e GREETING=$greeting app:v1
  docker run -d --name $app-$one-logs --network container:$app-$one base {IDLE}
done
docker run --name $app-ended {LABEL} base false; docker run -d --name $app-stranger --label app=other app:v2
"""
"""The label is on the app alone; the copy's own name is in a variable; what has ended, and others' containers, are no copies."""
BY_COMPOSE = """
mkdir -p /root/$app && cd /root/$app && cat > compose.yaml <<END
services:
  app: {image: "app:v1", labels: {app: $app}, environment: {GREETING: $greeting}}
  sidecar: {image: tools, network_mode: "service:app", labels: {app: $app}, command: sleep 1000}
END
for one in $(seq $copies); do docker compose -p $app-$one up -d 2>&1; done
"""


def by_sdk(machine: Machine, task: Task) -> None:
    run = machine.docker.containers.run
    for number in range(task.copies):
        app = run("app:v1", name=f"{task.app}-{number}", environment={"GREETING": task.greeting}, labels={"app": task.app}, detach=True)
        run("base", ["sleep", "1000"], network_mode=f"container:{app.id}", name=f"{task.app}-{number}-x", detach=True)


def by_deployment(machine: Machine, task: Task) -> None:
    node = Node("n1", machine, "4", "1Gi")
    manifest = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {task.app}}}
spec:
  replicas: {task.copies}
  selector: {{matchLabels: {{app: {task.app}}}}}
  template:
    metadata: {{labels: {{app: {task.app}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {{name: app, image: "app:v1", env: [{{name: GREETING, value: {task.greeting}}}]}}
      - {{name: sidecar, image: base, command: [sleep, "1000"]}}
"""
    it = Deployment.apply(manifest, node)
    with Controller(node):
        it.wait()


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("deployments.template")
    assert verdict.score == 0
    assert [len(fact.hints) for fact in verdict.facts] == [3]


@pytest.mark.parametrize(
    "way",
    [MODEL, WITHOUT_PAUSE, by_deployment, pytest.param(by_sdk, marks=pytest.mark.full), pytest.param(BY_COMPOSE, marks=pytest.mark.full)],
    ids=["cli", "joined", "deployment", "sdk", "compose"],
)
def test_copies_of_one_template(graded: Graded, way: object) -> None:
    verdict = graded("deployments.template", way)
    assert verdict.score == 1, verdict.text(hints=3)


NOT_IN_ONE_NETWORK = f"""
for one in $(seq $copies); do
  docker run -d --name $app-$one {LABEL} -e GREETING=$greeting app:v1
  docker run -d --name $app-$one-sidecar {LABEL} base {IDLE}
done
"""
ONE_LACKS_IT = MODEL + "docker rm -f $app-2-sidecar"


WRONG = {
    "too few": (MODEL.replace("seq $copies", "seq 2"), [False, True, True, True], "A copy is an app, and what is in one network with it"),
    "one lacks a sidecar": (ONE_LACKS_IT, [True, False, False, True], "has no sidecar. Apps and sidecars were counted one by one"),
    "another greeting": (
        MODEL.replace("-e GREETING=$greeting", "-e GREETING=$greeting-$one"),
        [True, True, False, True],
        "differ: variables",
    ),
    "ended": (MODEL.replace("app:v1", "app:v1 false"), [False, False, False, False], "does not run. docker logs tells"),
}
RARER = {
    "too many": (MODEL.replace("seq $copies", "seq $((copies + 1))"), [False, True, True, True], "an earlier try"),
    "apart": (NOT_IN_ONE_NETWORK, [True, False, True, True], "counted one by one"),
    "no greeting": (MODEL.replace("-e GREETING=$greeting", ""), [True, True, False, True], "do not say"),
    "ports": (
        MODEL.replace(f"{LABEL} pause", f"{LABEL} -p 907$one:8080 pause"),
        [True, True, False, True],
        "differ: published ports",
    ),
    "another port": (MODEL.replace("app:v1", "-e PORT=9000 app:v1"), [True, True, True, False], "Nobody answers on port 8080"),
    "no address": (MODEL.replace(f"{LABEL} pause", f"{LABEL} --network none pause"), [True, True, True, False], "has no address"),
}


@pytest.mark.parametrize(("script", "seen", "hint"), WRONG.values(), ids=WRONG)
def test_what_makes_them_no_copies_is_told(graded: Graded, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("deployments.template", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


@pytest.mark.full
@pytest.mark.parametrize(("script", "seen", "hint"), RARER.values(), ids=RARER)
def test_rarer_mistakes_are_told_as_well(graded: Graded, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("deployments.template", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)
