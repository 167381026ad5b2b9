"""A Deployment as a manifest, run and played on real boxes: nothing is worth nothing, each common mistake is told what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autograder.checks.deployments.manifest import compared
from autograder.testing import Graded, graded, hints, oks
from lab.objects import podman
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.node import Node

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.machine import Machine

__all__ = ["graded"]
on_boxes = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
MODEL = """
cat > $file <<END
apiVersion: apps/v1
kind: Deployment
metadata: {name: $app}
spec:
  replicas: $copies
  minReadySeconds: $seconds
  strategy: {rollingUpdate: {maxSurge: $surge, maxUnavailable: $unavailable}}
  selector: {matchLabels: {app: $app}}
  template:
    metadata: {labels: {app: $app}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: app:v1
        env: [{name: GREETING, value: $greeting}]
        readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
END
"""
BY_HAND = """
for one in $(seq $copies); do docker run -d --name $app-$one --label app=$app -e GREETING=$greeting app:v1; done
"""
"""A loop of one's own: the manifest is fulfilled, whoever does it."""


def by_controller(machine: Machine, task: Task) -> None:
    node = Node("n1", machine, "4", "1Gi")
    it = Deployment.apply(machine.sh(f"cat {task.file}").stdout, node)
    with Controller(node):
        it.wait()


def what_podman_says(machine: Machine, task: Task) -> dict[str, object]:
    played = podman.play(machine, machine.sh(f"cat {task.file}").stdout)
    return {"ignored": list(played.ignored)}


def in_words(_: Machine, __: Task) -> dict[str, object]:
    return {"ignored": "replicas, minReadySeconds, maxSurge readinessProbe"}


@pytest.mark.usefixtures("box")
@on_boxes
def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("deployments.manifest")
    assert verdict.score == 0
    assert [len(fact.hints) for fact in verdict.facts] == [3]


@pytest.mark.usefixtures("box")
@pytest.mark.parametrize(("run", "say"), [(by_controller, what_podman_says), (BY_HAND, in_words)], ids=["controller", "by hand"])
@on_boxes
def test_a_manifest_that_is_run(graded: Graded, run: object, say: object) -> None:
    verdict = graded("deployments.manifest", MODEL, run, say)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.usefixtures("box")
@pytest.mark.parametrize(
    ("script", "saying"),
    [
        (MODEL.replace("replicas: $copies", "replicas: '$copies'"), "replicas"),
        (MODEL.replace("apps/v1", "v1"), "a Deployment of v1"),
        (MODEL.replace("readinessProbe", "readynessProbe"), "readynessProbe"),
        (MODEL.replace("template:\n    metadata: {labels: {app: $app}}", "template:\n    metadata: {labels: {app: web}}"), "is missing"),
        (MODEL.replace("kind: Deployment", "kind: ReplicaSet"), "ReplicaSet"),
    ],
    ids=["text for a number", "version", "misspelt", "selector", "kind"],
)
@on_boxes
def test_what_no_cluster_would_take_is_told(graded: Graded, script: str, saying: str) -> None:
    verdict = graded("deployments.manifest", script)
    assert verdict.score == 0
    assert saying in verdict.facts[0].hints[0]


@pytest.mark.usefixtures("box")
@on_boxes
def test_a_manifest_that_nobody_runs_has_its_part(graded: Graded) -> None:
    verdict = graded("deployments.manifest", MODEL.replace("maxSurge: $surge", "maxSurge: 50%"))
    assert oks(verdict) == [True, False, False, True, False], verdict.text(hints=3)
    assert "maxSurge is to be" in hints(verdict)
    assert "somebody has to fulfil it" in hints(verdict)
    assert "takes only some of its fields" in hints(verdict)


@pytest.mark.usefixtures("box")
@on_boxes
def test_copies_that_are_not_as_the_manifest_says_are_told(graded: Graded) -> None:
    other = BY_HAND.replace("GREETING=$greeting app", "GREETING=hello app")
    verdict = graded("deployments.manifest", MODEL, other, lambda *_: {"ignored": ["replicas", "image"]})
    assert oks(verdict) == [True, True, False, True, False], verdict.text(hints=3)
    assert "does not have the variables that the template gives" in hints(verdict)
    assert "image is not in the manifest, or Podman heeds it" in hints(verdict)


SOURCE = {
    "kind": "Deployment",
    "spec": {
        "replicas": 3,
        "strategy": {"rollingUpdate": {"maxSurge": 1}},
        "template": {"spec": {"containers": [{"name": "app", "readinessProbe": {"httpGet": {"path": "/"}}}]}},
    },
}
PATHS = ("spec.replicas", "spec.strategy", "spec.template.spec.containers[0].readinessProbe")


@pytest.mark.parametrize(
    ("words", "missed", "wrong"),
    [
        (PATHS, [], []),
        (["replicas", "strategy", "readinessProbe"], [], []),
        (["spec.replicas", "strategy.rollingUpdate", "containers.readinessProbe.httpGet"], [], []),
        (["maxSurge", "replicas"], [PATHS[2]], []),
        (["replicas", "name", "plicas"], list(PATHS[1:]), ["name", "plicas"]),
        ([], list(PATHS), []),
    ],
)
def test_a_field_is_named_by_the_end_of_its_path_or_by_what_is_in_it(words: list[str], missed: list[str], wrong: list[str]) -> None:
    assert compared(words, PATHS, SOURCE) == (missed, wrong)
