"""Whatever is wrong in a manifest's text is named by its path and by its line."""

from __future__ import annotations

import pytest

from lab.box.errors import UsageError
from lab.objects.spec import read
from tests.objects.manifests import content_of, pod

TEXT = """\
# a remark
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {tier: front,
           layer: "1"}
spec:
  hostname: shop
  volumes:
  - name: data
    emptyDir: {}
  initContainers:
  - name: prepare
    image: base
  containers:
  - name: app
    image: app:v1
    command:
    - sleep
    - "1000"
    env:
    - name: A
      value: b
    ports:
    - containerPort: 8080
      hostPort: 8081
    - {containerPort: 9090,
       hostPort: 8082}
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: data, mountPath: /more}
    resources:
      requests:
        cpu: 250m
      limits:
        cpu: 500m
        memory: 64Mi
"""
WRONG = [
    ("kind: Pod", "kind: Job", "kind", 3),
    ("metadata:\n  name: web\n  labels", "metadata:\n  labels", "metadata.name", 4),
    ("name: web", "name: Web", "metadata.name", 5),
    ('layer: "1"', "layer: 1", "metadata.labels.layer", 7),
    ("hostname: shop", "hostname: a b", "spec.hostname", 9),
    ("hostname: shop", "nodeName: one", "spec.nodeName", 9),
    ("hostname: shop", "restartPolicy: always", "spec.restartPolicy", 9),
    ("hostname: shop", "terminationGracePeriodSeconds: -1", "spec.terminationGracePeriodSeconds", 9),
    ("emptyDir: {}", "emptyDir: {\n      medium: HugePages}", "spec.volumes[0].emptyDir.medium", 13),
    ("emptyDir: {}", "hostPath: {\n      path: /}", "spec.volumes[0].hostPath", 12),
    ("emptyDir: {}", "emptyDir: {}\n  - name: data\n    emptyDir: {}", "spec.volumes[1].name", 13),
    ("name: prepare\n    image: base", "name: prepare", "spec.initContainers[0].image", 14),
    ("name: app", "name: prepare", "spec.containers[0].name", 17),
    ("image: app:v1", "image: 1", "spec.containers[0].image", 18),
    ("image: app:v1", "image:\n      - app", "spec.containers[0].image", 18),
    ('"1000"', "1000", "spec.containers[0].command[1]", 21),
    ("name: A", "name: A=B", "spec.containers[0].env[0].name", 23),
    ("value: b", "value: 8080", "spec.containers[0].env[0].value", 24),
    ("containerPort: 9090", "containerPort: 0", "spec.containers[0].ports[1].containerPort", 28),
    ("hostPort: 8082", "hostPort: 8081", "spec.containers[0].ports[1].hostPort", 29),
    ("{name: data, mountPath: /more}", "{name: logs, mountPath: /more}", "spec.containers[0].volumeMounts[1].name", 32),
    ("mountPath: /more", "mountPath: more", "spec.containers[0].volumeMounts[1].mountPath", 32),
    ("mountPath: /more", "mountPath: /data", "spec.containers[0].volumeMounts[1].mountPath", 32),
    ("cpu: 250m", "cpu: 1", "spec.containers[0].resources.requests.cpu", 35),
    ("cpu: 250m", "cpu: 1 GB", "spec.containers[0].resources.requests.cpu", 35),
    ("memory: 64Mi", "memory: 64m", "spec.containers[0].resources.limits.memory", 38),
    ("memory: 64Mi", "memory: 1Mi", "spec.containers[0].resources.limits.memory", 38),
    ("memory: 64Mi", "nvidia.com/gpu: 1", "spec.containers[0].resources.limits.nvidia.com/gpu", 38),
]


@pytest.mark.parametrize(("right", "wrong", "path", "line"), WRONG, ids=[f"{path}: {wrong}" for _, wrong, path, _ in WRONG])
def test_a_wrong_field_is_named_by_its_path_and_its_line(right: str, wrong: str, path: str, line: int) -> None:
    assert TEXT.count(right) == 1
    with pytest.raises(UsageError) as refused:
        read(TEXT.replace(right, wrong))
    assert f"{path} (line {line})" in refused.value.what


def test_the_text_is_right_where_nothing_is_changed() -> None:
    assert read(TEXT).name == "web"


def test_lines_are_those_of_the_whole_file() -> None:
    with pytest.raises(UsageError, match=r"^spec.hostname \(line 12\): 'a b' can't be a name"):
        read("---\n# nothing here\n---\n" + TEXT.replace("shop", "a b"))


def test_a_value_from_an_anchor_is_wrong_where_it_is_used() -> None:
    text = TEXT.replace("cpu: 250m", "cpu: &much 1 GB").replace("cpu: 500m", "cpu: *much")
    with pytest.raises(UsageError, match=r"limits.cpu \(line 37\)"):
        read(text)


def test_a_mapping_has_no_lines() -> None:
    with pytest.raises(UsageError, match=r"^spec.hostname: 'a b'"):
        read(pod(hostname="a b"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{TEXT}---\n- a\n", 40),
        ("\n\njust text", 3),
        ("---\n- a\n- b\n", 2),
        ("a: 1\nb: !!timestamp 2001-99-99", 2),
        ("a: 1\nb: \x00", 2),
        ("a: 1\nb: " + "[" * 10_000, 2),
        ("a: 1\nb: {c: 1,\n    c: 2}", 3),
        ("a: 1\n? [1]\n: 2\n", 2),
    ],
)
def test_text_that_can_not_be_read_is_told_by_its_line(text: str, line: int) -> None:
    with pytest.raises(UsageError) as refused:
        content_of(text)
    assert f"line {line}" in str(refused.value).lower().replace(f"line {line}0", "")
