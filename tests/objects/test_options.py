"""A pod in the engine's words."""

from __future__ import annotations

import pytest

from lab.objects.options import Identity, member, pause
from lab.objects.spec import read
from tests.objects.manifests import WEB, one, pod

POD = Identity(read(WEB), "a1b2c3", "node-1")


def test_pause_alone_has_the_network_and_the_ports() -> None:
    told = pause(POD, "front")
    assert (told["name"], told["hostname"], told["image"]) == ("web-pause-a1b2c3", "web", "pause")
    assert (told["host_config"]["NetworkMode"], told["host_config"]["IpcMode"]) == ("front", "shareable")
    assert told["host_config"]["PortBindings"] == {"8080/tcp": [{"HostIp": "", "HostPort": "8081"}]}
    app = member(POD, POD.spec.containers[0])
    assert "ports" not in app
    assert "PortBindings" not in app["host_config"]


@pytest.mark.parametrize("share", [True, False])
def test_members_join_pause(share: bool) -> None:
    shared = Identity(read(pod(shareProcessNamespace=share)), "k")
    host = member(shared, shared.spec.containers[0])["host_config"]
    assert host["NetworkMode"] == host["IpcMode"] == "container:web-pause-k"
    assert host.get("PidMode") == ("container:web-pause-k" if share else None)


@pytest.mark.parametrize(
    ("policy", "init", "app"), [("Always", "on-failure", "always"), ("OnFailure", *["on-failure"] * 2), ("Never", "no", "no")]
)
def test_init_containers_are_not_run_again_once_they_are_done(policy: str, init: str, app: str) -> None:
    it = Identity(read(pod(restartPolicy=policy, initContainers=[one("i")])), "k")
    told = [member(it, container)["host_config"]["RestartPolicy"]["Name"] for container in (*it.spec.init, *it.spec.containers)]
    assert told == [init, app]


def test_a_manifests_labels_can_not_hide_a_pod() -> None:
    told = pod()
    told["metadata"]["labels"] = {"course.pod": "other", "app": "web"}
    labels = Identity(read(told), "k", "n").labels("app")
    assert (labels["course.pod"], labels["course.pod.node"], labels["app"]) == ("web", "n", "web")


def test_amounts_are_told_as_the_engine_counts() -> None:
    resources = {"requests": {"cpu": "250m"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
    it = Identity(read(pod(one(resources=resources))), "k")
    host = member(it, it.spec.containers[0])["host_config"]
    assert (host["CpuShares"], host["CpuQuota"] / host["CpuPeriod"]) == (256, 0.5)
    assert host["Memory"] == host["MemorySwap"] == 64 * 2**20
