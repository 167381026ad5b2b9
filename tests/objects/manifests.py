"""Manifests for tests: the smallest that are whole, with what a test adds to them."""

from __future__ import annotations

from typing import Any

from lab.objects.manifest.documents import documents

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
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  GREETING: hello
  app.conf: |
    [app]
    port = 8080
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: open sesame}
data: {key: AAH/}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {tier: front}
  annotations: {about: a test}
spec:
  containers:
  - name: app
    image: base
    command: [sleep, "1000"]
    envFrom:
    - configMapRef: {name: settings}
      prefix: CFG_
    env:
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}
    - {name: NONE, valueFrom: {configMapKeyRef: {name: none, key: a, optional: true}}}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: TIER, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
    - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: BOTH, value: "$(CFG_GREETING) at $(ADDRESS)"}
    volumeMounts:
    - {name: conf, mountPath: /etc/app}
    - {name: conf, mountPath: /etc/one.conf, subPath: app.conf}
    - {name: login, mountPath: /login}
    workingDir: /etc/app
  volumes:
  - name: conf
    configMap:
      name: settings
      items:
      - {key: app.conf, path: app.conf}
      - {key: GREETING, path: deep/greeting, mode: 0600}
  - name: login
    secret: {secretName: login, defaultMode: 0400}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: app, image: "app:v1", resources: {requests: {memory: 16Mi}}}
"""
DEPLOYMENT_PROBED = DEPLOYMENT.replace("16Mi}}}", "16Mi}}, readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}}")
DEPLOYMENT_OF_TWO = f'{DEPLOYMENT}      - {{name: log, image: base, command: [sleep, "1000"]}}\n'
"""A Deployment whose pods have a sidecar."""


def content_of(text: str) -> dict[str, Any]:
    """The content of a text's only document."""
    (document,) = documents(text)
    return document.content


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
