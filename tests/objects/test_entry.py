"""Lesson 05's way in: whoever is ready gets requests, and nobody notices when one goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from lab.cleanup import clean
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.entry import entry
from lab.objects.node import Node
from tests.objects.conftest import on_it
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

PORT, PATIENCE_S = 8097, 90.0
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 3
      containers:
      - name: app
        image: app:v1
        readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
"""

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)


def test_who_is_ready_is_asked_and_an_update_loses_no_request(box: Box) -> None:
    node = Node("n1", box, cpu="8", memory="1Gi")
    web, statuses = Deployment.apply(WEB, node), list[str]()

    def versions() -> set[str]:
        """What the next ten answers say of themselves."""
        answers = [requests.get(box.url(PORT), timeout=30) for _ in range(10)]
        statuses.extend(f"{answer.status_code} {answer.text}" for answer in answers if not answer.ok)
        return {line for answer in answers for line in answer.text.splitlines() if line.startswith("version")}

    try:
        with Controller(node):
            web.wait(PATIENCE_S)
            entry(box, "entry-1", PORT)
            until("both to be known", lambda: versions() == {"version: v1"}, timeout_s=PATIENCE_S)
            statuses.clear()
            Deployment.apply(WEB.replace("app:v1", "app:v2"), node)
            until("the new ones alone to answer", lambda: versions() == {"version: v2"}, timeout_s=PATIENCE_S)
            web.wait(PATIENCE_S)
            assert statuses == []
            entry(box, "entry-1", PORT)
            web.delete()
            until("all pods to be gone", lambda: len(on_it(box)) == 1, timeout_s=PATIENCE_S)
    finally:
        clean(box, "entry-")
