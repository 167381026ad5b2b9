"""Podman plays manifests on real machines: what the kernel has then, what it passes over, and that nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.objects.pod import Pod
from lab.objects.podman import Played, Refused, hand_over, play
from lab.observe.web import page
from tests.objects.manifests import SETTINGS, WEB, one, pod, shell

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
LEFT = "podman pod ls -q; podman ps -aq; podman volume ls -q; ls /run/netns"
SLOW_S = 60.0
PROBE = {"httpGet": {"path": "/", "port": 8080}}


def left(machine: Machine) -> list[str]:
    """What Podman still has."""
    return machine.sh(LEFT, timeout=SLOW_S * 3).stdout.split()


@pytest.fixture
def nothing_left(box: Box) -> Iterator[None]:
    yield
    assert left(box) == []


@pytest.fixture
def playing(nothing_left: None) -> Iterator[list[Played]]:  # noqa: ARG001  (looks when these are stopped)
    """Those in it are stopped afterwards."""
    pods: list[Played] = []
    yield pods
    for it in pods:
        it.stop()


def deployment(template: dict[str, Any], **spec: Any) -> dict[str, Any]:
    inside = {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {**spec, "template": inside}}


@pytest.mark.parametrize("share_pid", [False, True])
def test_its_walls_are_those_of_the_pod_by_hand_and_that_of_the_host_name_is_gone_too(
    box: Box, playing: list[Played], share_pid: bool
) -> None:
    manifest = pod(one(), one("sidecar"), shareProcessNamespace=share_pid)
    by_hand = Pod.create(box, manifest).start()
    playing.append(play(box, manifest))
    seen, expected = playing[0].walls, by_hand.walls
    by_hand.delete(grace_s=0)
    assert seen.numbers.keys() == expected.numbers.keys() == {"pause", "app", "sidecar"}
    assert expected.down == {"net", "ipc"} | ({"pid"} if share_pid else set())
    assert seen.down == expected.down | {"uts"}
    assert seen.up == expected.up - {"uts"}
    assert repr(seen).splitlines()[0].split() == ["kind", "app", "pause", "sidecar"]


def test_a_manifest_from_init_to_page(box: Box, playing: list[Played]) -> None:
    playing.append(play(box, WEB))
    assert "container: web" in page(box, 8081, timeout_s=SLOW_S)
    assert playing[0].states == {"pause": "running", "app": "running", "sidecar": "running"}
    assert box.sh("podman exec web-sidecar cat /data/page").stdout == "ready made\n"
    assert (playing[0].said, playing[0].ignored) == ((), ("spec.containers[0].resources.requests.cpu",))
    with pytest.raises(Refused, match="already exists"):
        play(box, WEB)
    with pytest.raises(Refused, match="address already in use"):
        play(box, WEB.replace("name: web", "name: other"))
    assert playing[0].states["app"] == "running"
    playing[0].stop()
    assert left(box) == []


def test_what_it_passes_over_is_said(box: Box, playing: list[Played]) -> None:
    """In its own words, where it has some; else because it was found that the field makes no difference."""
    web = one("app", image="app:v1", command=[], readinessProbe=PROBE, resources={"requests": {"cpu": "500m"}})
    playing.append(play(box, deployment(pod(web, nodeName="far"), replicas=3, strategy={"type": "Recreate"})))
    assert playing[0].running.keys() == {"pause", "app"}
    assert "Limiting replica count to 1" in " ".join(playing[0].said)
    assert set(playing[0].ignored) == {
        "spec.replicas",
        "spec.strategy",
        "spec.template.spec.nodeName",
        "spec.template.spec.containers[0].readinessProbe",
        "spec.template.spec.containers[0].resources.requests.cpu",
    }
    assert all(path in repr(playing[0]) for path in playing[0].ignored)
    inspected = box.sh("podman inspect --format '{{.Config.Healthcheck}} {{.HostConfig.CpuShares}}' web-pod-app").stdout
    assert inspected.split() == ["<nil>", "0"]


@pytest.mark.full
def test_rights_that_it_passes_over_are_said(box: Box, playing: list[Played]) -> None:
    """runAsNonRoot and seccompProfile make no difference to it, and a sidecar is an init container like others, which is waited for."""
    strict = {"runAsNonRoot": True, "seccompProfile": {"type": "Unconfined"}}
    playing.append(play(box, pod(one(securityContext=strict), securityContext=strict)))
    paths = {f"{of}.securityContext.{key}" for of in ("spec", "spec.containers[0]") for key in strict}
    assert set(playing[0].ignored) == paths
    assert box.sh("podman exec web-app sh -c 'id -u; grep ^Seccomp: /proc/1/status'").stdout.split() == ["0", "Seccomp:", "2"]
    playing.pop().stop()
    with pytest.raises(WaitTimeout, match="sidecars as well: proxy"):
        play(box, pod(one(), initContainers=[one("proxy", restartPolicy="Always")]), timeout_s=4)


def test_settings_go_with_the_pod_that_they_came_with(box: Box, playing: list[Played]) -> None:
    manifest = (
        SETTINGS.replace("deep/greeting", "greeting").replace("status.podIP", "metadata.name").replace("spec.nodeName", "metadata.name")
    )
    playing.append(play(box, manifest))
    assert box.sh("podman exec web-app sh -c 'cat greeting /login/password'").stdout == "helloopen sesame"
    playing.pop().stop()
    with pytest.raises(Refused, match=r"deep/greeting"):
        play(box, SETTINGS)
    assert box.sh("podman secret ls -q").stdout == ""


@pytest.mark.full
def test_two_pods_with_a_volume_of_one_name_have_the_same(box: Box, playing: list[Played]) -> None:
    """Unlike in a cluster; that is why it stands in the module's first words."""
    mount = [{"name": "data", "mountPath": "/data"}]
    for name in ("first", "second"):
        manifest = pod(
            shell(f"echo {name} >> /data/who; exec sleep 1000", volumeMounts=mount), name=name, volumes=[{"name": "data", "emptyDir": {}}]
        )
        playing.append(play(box, manifest))
    assert box.sh("podman exec second-app cat /data/who").stdout.split() == ["first", "second"]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (pod(one(image="nowhere:v9")), ["nowhere", "docker images"]),
        (pod(one(), one()), ["duplicate container name"]),
        ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}, ["any supported kube kind"]),
        (WEB.replace("containerPort: 8080", "containerPort: eighty"), ["containerPort"]),
        (WEB.replace("    emptyDir: {}", "    secret: {secretName: none}"), ["secret"]),
    ],
)
def test_what_it_refuses_is_told_in_its_words_and_nothing_stays(box: Box, manifest: Any, words: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        play(box, manifest)
    assert [word for word in words if word not in str(refused.value)] == []
    assert left(box) == []


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (WEB.replace("\n    emptyDir", "\n\t  emptyDir"), "a tab at the start of line 10"),
        (f"{WEB}\n---\n{WEB}", "There are 2 manifests of a pod"),
        (WEB.replace("  name: web", ""), r"metadata.name \(line 4\) is missing"),
    ],
)
def test_what_can_not_be_read_is_refused_before_it_is_played(box: Box, manifest: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        play(box, manifest)
    assert left(box) == []


def test_an_init_container_that_does_not_end_ends_the_play(box: Box) -> None:
    hand_over(box, "base")
    with pytest.raises(WaitTimeout):
        play(box, pod(one(), initContainers=[one("prepare")]), timeout_s=4)
    assert left(box) == []


@pytest.mark.full
def test_an_image_that_was_built_anew_is_handed_over_anew(box: Box) -> None:
    held = "podman image inspect -f '{{.Id}}' localhost/mine:latest"
    ids = []
    for image in ("base", "app:v2"):
        box.sh(f"docker tag {image} mine", check=True)
        hand_over(box, "mine")
        ids.append(box.sh(held, check=True).stdout.strip())
        assert box.docker.images.get("mine").id == f"sha256:{ids[-1]}"
    assert ids[0] != ids[1]
    box.sh("docker rmi mine; podman rmi localhost/mine; podman rmi -f docker.io/library/mine")


def test_a_pod_whose_container_has_just_ended_has_no_walls_to_show(
    box: Box, playing: list[Played], monkeypatch: pytest.MonkeyPatch
) -> None:
    playing.append(play(box, pod(one())))
    monkeypatch.setattr(Played, "running", {"pause": 1, "app": 4194304})
    with pytest.raises(CourseError, match="app does not run"):
        _ = playing[0].walls
