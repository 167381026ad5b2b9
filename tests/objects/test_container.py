"""One container of a manifest is read whole, or refused by the path of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from lab.box.errors import UsageError
from lab.objects.container import Port
from lab.objects.spec import read
from tests.objects.manifests import one, pod, shell


def test_variables_are_filled_in_as_a_cluster_does() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}, {"name": "EMPTY"}]
    (found,) = read(pod(shell("$(B) $(C) $$(A) $$ $x $(date) $(basename $(A)) $() $(A", args=["$(A)"], env=env))).containers
    assert found.env == {"A": "1", "B": "12", "EMPTY": ""}
    assert (found.command[-1], found.args) == ("12 $(C) $(A) $ $x $(date) $(basename $(A)) $() $(A", ("1",))


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"livenessProbe": {}}, "livenessProbe says not how"),
        ({"lifecycle": {"postStart": {"exec": {"command": ["ls"]}}}}, "lifecycle.postStart is a field of Kubernetes that is not supported"),
        ({"image": None}, "image is missing"),
        ({"image": 1}, "image must be text"),
        ({"name": "App_1"}, "name: 'App_1' can't be a name"),
        ({"name": "../../etc"}, "name: '../../etc' can't be a name"),
        ({"name": "a\n"}, "name: 'a\\n' can't be a name"),
        ({"name": "é"}, "name: 'é' can't be a name"),
        ({"name": "a" * 64}, "name: 'aaa"),
        ({"command": "sleep 1"}, "command must be a list"),
        ({"command": ["sleep", 1]}, "command[1] must be text"),
        ({"imagePullPolicy": "Always"}, "imagePullPolicy: Always is not supported here"),
        ({"env": [{"name": "A", "valueFrom": {}}]}, "env[0].valueFrom does not say where from"),
        ({"env": [{"name": "A", "value": 8080}]}, "env[0].value must be text"),
        ({"env": [{"name": "A=B", "value": "1"}]}, "env[0].name: 'A=B' can't be a variable's name"),
        ({"ports": [{"containerPort": 0}]}, "ports[0].containerPort: 0 is out of range"),
        ({"ports": [{"containerPort": 80, "hostPort": 65536}]}, "ports[0].hostPort: 65536 is out of range"),
        ({"ports": [{"containerPort": 80, "protocol": "tcp"}]}, "ports[0].protocol: tcp is not supported here"),
        ({"ports": [{"containerPort": 80, "name": "a-name-that-is-long"}]}, "ports[0].name: 'a-name-that-is-long' can't be a name"),
        ({"ports": [{"containerPort": 80, "name": "8080"}]}, "ports[0].name: '8080' can't be a name"),
        ({"ports": [{"containerPort": one, "name": "web"} for one in (80, 81)]}, "ports[1].name: two ports are called web"),
        ({"env": [{"name": "É", "value": "1"}]}, "env[0].name: 'É' can't be a variable's name"),
        ({"image": " "}, "image is empty"),
        ({"ports": [{"containerPort": 80, "hostIP": "::"}]}, "ports[0].hostIP is a field of Kubernetes that is not supported"),
        ({"volumeMounts": [{"name": "d", "mountPath": "/d"}]}, "volumeMounts[0].name: there is no volume d"),
        ({"resources": {"requests": {"memory": "1 GB"}}}, "resources.requests.memory: '1 GB' is not an amount"),
        ({"resources": {"limits": {"memory": "1Mi"}}}, "resources.limits.memory is too little"),
        ({"resources": {"limits": {"nvidia.com/gpu": 1}}}, "resources.limits.nvidia.com/gpu is a field of Kubernetes that is not"),
        ({"resources": {"limits": {"cpu": 1}, "requests": {"cpu": 2}}}, "resources.requests.cpu is more than"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_container_is_named_by_its_path(more: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(pod(one("first"), {**one(), **more}))
    assert refused.value.what.startswith(f"spec.containers[1].{what}")
    assert refused.value.why
    assert refused.value.try_next


@pytest.mark.parametrize("path", ["data", "/", "/a:b", ""])
def test_a_volume_needs_a_place_inside_the_container(path: str) -> None:
    with pytest.raises(UsageError, match="mountPath"):
        read(pod(one(volumeMounts=[{"name": "d", "mountPath": path}]), volumes=[{"name": "d", "emptyDir": {}}]))


def test_two_volumes_can_not_be_at_one_place() -> None:
    mounts = [{"name": "d", "mountPath": "/d"}, {"name": "e", "mountPath": "/d"}]
    with pytest.raises(UsageError, match="two volumeMounts are at /d"):
        read(pod(one(volumeMounts=mounts), volumes=[{"name": name, "emptyDir": {}} for name in "de"]))


def test_zero_is_no_port_of_the_machine() -> None:
    (found,) = read(pod(one(ports=[{"containerPort": 80, "hostPort": 0, "name": "web"}]))).containers
    assert found.ports == (Port(80, name="web"),)


@pytest.mark.parametrize(("field", "written", "meant"), [("protocol", "udp", "UDP"), ("imagePullPolicy", "never", "Never")])
def test_the_nearest_word_is_offered(field: str, written: str, meant: str) -> None:
    broken = one(ports=[{"containerPort": 80, "protocol": written}]) if field == "protocol" else one(imagePullPolicy=written)
    with pytest.raises(UsageError) as refused:
        read(pod(broken))
    assert refused.value.try_next == f"write {meant}"
