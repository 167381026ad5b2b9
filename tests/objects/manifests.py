"""Manifests for tests: the smallest that are whole, with what a test adds to them."""

from __future__ import annotations

from typing import Any

SLEEP = ["sleep", "1000"]
WEB = """
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {tier: front}
spec:
  volumes:
  - name: data
    emptyDir: {}
  initContainers:
  - name: prepare
    image: base
    command: [sh, -c, "echo ready made > /data/page"]
    volumeMounts:
    - {name: data, mountPath: /data}
  containers:
  - name: app
    image: app:v1
    ports:
    - {containerPort: 8080, hostPort: 8081}
    resources:
      requests: {cpu: 250m, memory: 32Mi}
      limits: {memory: 64Mi}
  - name: sidecar
    image: base
    command: [sh, -c, "cat /data/page; exec sleep 1000"]
    volumeMounts:
    - {name: data, mountPath: /data, readOnly: true}
"""


def one(name: str = "app", *command: str, image: str = "base", **more: Any) -> dict[str, Any]:
    """A container's part of a manifest."""
    return {"name": name, "image": image, "command": list(command or SLEEP), **more}


def shell(script: str, name: str = "app", **more: Any) -> dict[str, Any]:
    return one(name, "sh", "-c", script, **more)


def pod(*containers: dict[str, Any], name: str = "web", **spec: Any) -> dict[str, Any]:
    """A manifest as a mapping."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": list(containers or [one()]), **spec}}


def sized(name: str, cpu: str = "100m", memory: str = "32Mi", **more: Any) -> dict[str, Any]:
    """A pod that asks for so much, and is ended at once: ``sleep`` as process 1 heeds no signal."""
    return pod(one(resources={"requests": {"cpu": cpu, "memory": memory}}, **more), name=name, terminationGracePeriodSeconds=0)
