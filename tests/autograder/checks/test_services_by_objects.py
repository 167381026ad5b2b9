"""The course's own Service and Deployment are a right way to do the tasks of lesson 06, as they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from autograder.testing import Graded, graded
from lab.objects import pod_network
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.labels import OWNER
from lab.objects.node import Node
from lab.objects.service import Service
from lab.objects.service_controller import ServiceController
from tests.support.course import until

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

__all__ = ["graded"]
pytestmark = [
    pytest.mark.full,
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: app, image: IMAGE, env: [{name: GREETING, value: WORD}],
         readinessProbe: {httpGet: {path: PROBE, port: 8080}, periodSeconds: 1, failureThreshold: 2}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
"""
Play = Callable[["Machine", "Task"], None]


@pytest.fixture
def play(box: Box) -> Iterator[Callable[[str], Play]]:
    """Gives acts that have three pods and a Service of them, with a loop for each that goes on until the test ends."""
    (node,) = pod_network.make(Node("n1", box, cpu="8", memory="1Gi"))
    pods, services = Controller(node), ServiceController(node)

    def served(spec: str) -> Play:
        def act(_: Machine, task: Task) -> None:
            image, probe = task.values.get("image", "app:v1"), task.values.get("probe", "/ready")
            text = DEPLOYMENT.replace("IMAGE", f'"{image}"').replace("PROBE", str(probe)).replace("WORD", task.greeting)
            Deployment.apply(text, node)
            Service.apply(f"{SERVICE}{spec.format(**task.values)}", node).wait(3)

        return act

    with pods:
        services.start()
        try:
            yield served
        finally:
            Service("web", node).delete()
            services.remove()
            Deployment("web", node).delete()
            until("all pods to be gone", lambda: not box.docker.api.containers(all=True, filters={"label": OWNER}), timeout_s=90)
            pod_network.remove(node)


@pytest.mark.parametrize(
    ("task", "spec"),
    [
        ("services.vip", "  clusterIP: {address}\n  ports: [{{port: {port}, targetPort: 8080}}]\n"),
        ("services.ready", "  type: NodePort\n  ports: [{{port: 80, targetPort: 8080, nodePort: {port}}}]\n"),
        ("services.sticky", "  type: NodePort\n  sessionAffinity: ClientIP\n  ports: [{{port: 80, targetPort: 8080, nodePort: {port}}}]\n"),
    ],
)
def test_the_course_s_own_service(graded: Graded, play: Callable[[str], Play], task: str, spec: str) -> None:
    verdict = graded(task, play(spec))
    assert verdict.score == 1, verdict.text()
