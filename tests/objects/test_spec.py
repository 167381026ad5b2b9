"""A real Pod manifest is read whole, or refused by the path of what is wrong; it is never half read."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.box.errors import UsageError
from lab.objects.container import ContainerSpec, Mount, Port
from lab.objects.quantity import NOTHING, Resources
from lab.objects.spec import PodSpec, read
from lab.objects.volume import Volume
from tests.objects.manifests import WEB, one, pod

MI = 2**20


def test_a_manifest_becomes_a_spec() -> None:
    prepare = ContainerSpec("prepare", "base", ("sh", "-c", "echo ready made > /data/page"), mounts=(Mount("data", "/data"),))
    asked, limit = Resources(250, 32 * MI), Resources(0, 64 * MI)
    app = ContainerSpec("app", "app:v1", ports=(Port(8080, 8081),), requests=asked, limits=limit)
    look = ("sh", "-c", "cat /data/page; exec sleep 1000")
    sidecar = ContainerSpec("sidecar", "base", look, mounts=(Mount("data", "/data", read_only=True),))
    assert read(WEB) == PodSpec(
        name="web",
        labels={"tier": "front"},
        volumes=(Volume("data"),),
        init=(prepare,),
        containers=(app, sidecar),
        hostname="web",
        source="",
    )
    assert read(WEB) == read(yaml.safe_load(WEB)) == read(read(WEB).source)


def test_all_that_a_pod_may_say_is_read() -> None:
    found = read(pod(restartPolicy="Never", shareProcessNamespace=True, hostname="other", terminationGracePeriodSeconds=0))
    assert (found.restart, found.share_pid, found.hostname, found.grace_s) == ("Never", True, "other", 0)
    default = read(pod())
    assert (default.restart, default.share_pid, default.hostname, default.grace_s) == ("Always", False, "web", 30)
    assert read(pod(name="a.b")).hostname == "a.b"


def test_reading_leaves_the_mapping_alone() -> None:
    mapping = yaml.safe_load(WEB)
    before = copy.deepcopy(mapping)
    read(mapping)
    assert mapping == before


def test_a_pod_gets_another_name_and_keeps_all_else() -> None:
    other = read(WEB).named("shop")
    assert (other.name, other.hostname, other.containers) == ("shop", "shop", read(WEB).containers)
    assert read(other.source) == other
    with pytest.raises(UsageError, match="can't be a name"):
        other.named("No")


def test_requests_are_those_of_kubernetes() -> None:
    def asks(memory: str, name: str = "app") -> dict[str, Any]:
        return one(name, resources={"requests": {"memory": memory}})

    assert read(pod(asks("16Mi"), asks("16Mi", "b"))).requests.memory == 32 * MI
    assert read(pod(asks("16Mi"), initContainers=[asks("8Mi", "i"), asks("64Mi", "j")])).requests.memory == 64 * MI
    limited = read(pod(one(resources={"limits": {"cpu": "1"}, "requests": {"memory": "8Mi"}})))
    assert limited.requests == Resources(1000, 8 * MI)
    assert read(pod()).requests == NOTHING


@pytest.mark.parametrize(
    ("manifest", "what", "then"),
    [
        ({"kind": "Pod"}, "apiVersion is missing", "apiVersion"),
        (pod() | {"kind": "Deployment", "apiVersion": "apps/v1"}, "This is a Deployment of apps/v1, and not a Pod", "kind: Pod"),
        (pod() | {"kind": "pod"}, "This is a pod of v1, and not a Pod", "kind: Pod"),
        (pod() | {"metadata": {}}, "metadata.name is missing", "name"),
        (pod() | {"metadata": {"name": "a", "namespace": "B"}}, "metadata.namespace: 'B' can't be a name", "write b"),
        (pod() | {"metadata": {"name": "a", "uid": "b", "finalizers": ["c"]}}, "metadata.finalizers is a field of Kubernetes", "take it"),
        (pod() | {"metadata": {"name": "a", "labels": {"v": 1}}}, "metadata.labels.v must be text", '"1"'),
        (pod() | {"metadata": {"name": "a", "labels": {"v": "a b"}}}, "metadata.labels.v: 'a b' can't be a label's value", "annotation"),
        (pod() | {"metadata": {"name": "a", "labels": {"a/b/c": ""}}}, "metadata.labels.a/b/c: 'a/b/c' can't be a label's name", "tier"),
        (pod() | {"metadata": {"name": "a", "labels": {"-a": ""}}}, "metadata.labels.-a: '-a' can't be a label's name", "tier"),
        (pod() | {"metadata": {"name": "a", "labels": {"/a": ""}}}, "metadata.labels./a: '/a' can't be a label's name", "tier"),
        (pod() | {"metadata": {"name": "a", "labels": {"a" * 64: ""}}}, "metadata.labels.aaa", "tier"),
        (pod() | {"metadata": {"name": "a", "labels": {"a": "b" * 64}}}, "metadata.labels.a: 'bbb", "annotation"),
        (pod() | {"spec": {}}, "spec.containers is missing", "add one"),
        (pod() | {"spec": {"container": []}}, "spec.containers is missing", ""),
        (pod(nodeName="n"), "spec.nodeName is a field of Kubernetes that is not supported here", "take it out"),
        (pod(nodeNmae="n"), "spec.nodeNmae is no field of Kubernetes", "did you mean nodeName?"),
        (pod(restartPolicy="always"), "spec.restartPolicy: always is not supported here", "write Always"),
        (pod(restartPolicy="never"), "spec.restartPolicy: never is not supported here", "write Never"),
        (pod(hostname="a b"), "spec.hostname: 'a b' can't be a name", "write a-b"),
        (pod(terminationGracePeriodSeconds=-1), "spec.terminationGracePeriodSeconds: -1 is out of range", ""),
        (pod(volumes=[{"name": "d", "hostPath": {"path": "/"}}]), "spec.volumes[0].hostPath is a field of Kubernetes", ""),
        (pod(volumes=[{"name": "d", "emptyDir": {}, "configMap": {"name": "c"}}]), "spec.volumes[0] is of several kinds", "make two"),
        (pod(volumes=[{"name": "d", "emptyDir": {"medium": "memory"}}]), "spec.volumes[0].emptyDir.medium: memory", "write Memory"),
        (pod(volumes=[{"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}]), "spec.volumes[0].emptyDir.sizeLimit is a field of Kub", "take"),
        (pod(volumes=[{"name": "d", "emptyDir": {}}] * 2), "spec.volumes[1].name: two volumes are called d", "a name of its own"),
        (pod(one(), one()), "spec.containers[1].name: two containers are called app", "a name of its own"),
        (pod(one(), initContainers=[one()]), "spec.containers[0].name: two containers are called app", "a name of its own"),
        (pod(nodeSelector={"a b": "c"}), "spec.nodeSelector.a b: 'a b' can't be a label's name", "tier"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pod_is_named_by_its_path(manifest: dict[str, Any], what: str, then: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(manifest)
    assert refused.value.what.startswith(what)
    assert refused.value.why
    assert then in refused.value.try_next


def test_a_port_of_the_machine_can_be_published_once() -> None:
    ports = [{"containerPort": 80, "hostPort": 8081}]
    with pytest.raises(UsageError, match="two containers want hostPort 8081/TCP"):
        read(pod(one(ports=ports), one("other", ports=ports)))
    assert read(pod(one(ports=[*ports, {"containerPort": 80, "hostPort": 8081, "protocol": "UDP"}]))).host_ports


def test_labels_are_those_that_a_cluster_takes() -> None:
    labels = {"app.kubernetes.io/name": "web", "v": "1.2_b-C", "empty": "", "a" * 63: "b" * 63}
    assert read(pod() | {"metadata": {"name": "a", "labels": labels}}).labels == labels


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("value: 1.10", '"1.10"'), ("value: 0022", '"0022"'), ("value: NO", '"NO"'), ("value: y", '"y"'), ("value: 08", '"08"'),
        ("value: 1e3", '"1e3"'), ("value: 0o17", '"0o17"'), ("value: True", '"True"'),
    ],
)  # fmt: skip
def test_what_is_to_be_put_in_quotes_is_shown_as_it_stands_there(line: str, hint: str) -> None:
    head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: app\n    image: base\n    env:\n    - name: A\n"
    with pytest.raises(UsageError) as refused:
        read(f"{head}      {line}\n")
    assert "(line 10) must be text" in refused.value.what
    assert refused.value.try_next == f"put it in quotes: {hint}"


@pytest.mark.parametrize("given", [Path("pod.yaml"), b"kind: Pod", None, 3])
def test_what_is_neither_text_nor_a_mapping_is_said(given: object) -> None:
    with pytest.raises(UsageError, match="This is not a manifest"):
        read(given)  # type: ignore[arg-type]
