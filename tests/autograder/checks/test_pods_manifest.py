"""A pod by hand as a manifest, played on real boxes: nothing is worth nothing, each common mistake is told what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from autograder.framework.dice import Dice
from autograder.testing import Graded, graded, hints, oks

if TYPE_CHECKING:
    from lab.box.instances.box import Box

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
MODEL = """
[ "$(docker inspect --format '{{.HostConfig.PidMode}}' $app)" ] && tree=true || tree=false
cat > $file <<END
apiVersion: v1
kind: Pod
metadata: {name: $pod}
spec:
  shareProcessNamespace: $tree
  containers:
  - {name: app, image: "app:v1", env: [{name: GREETING, value: $greeting}], ports: [{containerPort: 8080, hostPort: $port}]}
  - {name: sidecar, image: base, command: [sh, -c, "while :; do sleep 1; done"]}
END
"""
TRIED = MODEL + "podman kube play $file"
ANOTHER_WAY = """
server='["python3", "-I", "-S", "/srv/app/server.py"]'
[ "$(readlink /proc/$(docker inspect -f '{{.State.Pid}}' $app)/ns/pid)" = \
  "$(readlink /proc/$(docker inspect -f '{{.State.Pid}}' $pause)/ns/pid)" ] && share='"shareProcessNamespace": true,'
env="[{\\"name\\": \\"GREETING\\", \\"value\\": \\"$greeting\\"}, {\\"name\\": \\"PORT\\", \\"value\\": \\"80\\"}]"
cat > $file <<END
{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "$pod", "labels": {"tier": "front"}}, "spec": {$share "restartPolicy": "OnFailure",
 "volumes": [{"name": "data", "emptyDir": {}}],
 "initContainers": [{"name": "first", "image": "base", "command": ["true"]}],
 "containers": [
  {"name": "z", "image": "base", "command": ["sleep", "600"], "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
  {"name": "web", "image": "app:v1", "command": $server, "env": $env, "ports": [{"containerPort": 80, "hostPort": $port}]}]}}
END
"""


@pytest.fixture
def nothing_left(box: Box) -> Iterator[None]:
    before = existing(box)
    yield
    assert existing(box) - before == set()


def existing(box: Box) -> set[str]:
    """The pods, containers and volumes of Podman, and Docker's containers."""
    return set(box.sh("podman pod ls -q; podman ps -aq; podman volume ls -q; docker ps -aq", timeout=180).stdout.split())


@pytest.fixture
def one_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod by hand has one process tree."""
    monkeypatch.setattr(Dice, "one", lambda *_: "pod")


@pytest.fixture
def three_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dice, "one", lambda *_: "own")


def test_an_empty_answer_is_worth_nothing(graded: Graded) -> None:
    verdict = graded("pods.manifest")
    assert verdict.score == 0
    assert [len(fact.hints) for fact in verdict.facts] == [3]


@pytest.mark.usefixtures("one_tree")
def test_the_model_answer_is_worth_all(graded: Graded) -> None:
    assert graded("pods.manifest", TRIED).score == 1


@pytest.mark.full
@pytest.mark.usefixtures("three_trees")
def test_another_right_way_is_worth_all(graded: Graded) -> None:
    """JSON, other names and commands, an init container, a volume, another port inside."""
    assert graded("pods.manifest", ANOTHER_WAY).score == 1


SETTINGS = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: words}\ndata: {GREETING: $greeting}\n---\n"


@pytest.mark.full
@pytest.mark.usefixtures("one_tree")
def test_settings_beside_it_and_images_with_their_registry_are_right_as_well(graded: Graded) -> None:
    other = MODEL.replace("<<END\n", f"<<END\n{SETTINGS}").replace('"app:v1"', "docker.io/library/app:v1")
    other = other.replace("image: base", "image: docker.io/library/base")
    verdict = graded("pods.manifest", other)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.usefixtures("one_tree")
def test_a_pause_of_its_own_is_one_container_too_many(graded: Graded) -> None:
    verdict = graded("pods.manifest", MODEL.replace("\nEND", "\n  - {name: pause, image: base, command: [sleep, '1000']}\nEND"))
    assert oks(verdict)[:2] == [True, False]
    assert "which Podman adds by itself" in hints(verdict)


@pytest.mark.usefixtures("one_tree")
def test_a_wall_that_stands_and_should_not_and_a_port_that_leads_nowhere_cost_their_parts(graded: Graded) -> None:
    verdict = graded("pods.manifest", MODEL.replace("  shareProcessNamespace: $tree\n", "").replace(", hostPort: $port", ""))
    assert oks(verdict) == [True, True, False, True, False]
    assert "each sees its own alone" in hints(verdict)
    assert "is to lead to the app's port 8080" in hints(verdict)


@pytest.mark.usefixtures("three_trees")
def test_a_wall_that_is_gone_and_should_not_another_image_and_another_greeting_cost_their_parts(graded: Graded) -> None:
    other = MODEL.replace("$tree\n", "true\n").replace("image: base", "image: tools").replace("$greeting", "hi")
    verdict = graded("pods.manifest", other)
    assert oks(verdict) == [True, False, False, True, False]
    assert "sidecar is of another image" in hints(verdict)
    assert "In yours all see each other's" in hints(verdict)
    assert "does not say what the one by hand says" in hints(verdict)


@pytest.mark.full
@pytest.mark.usefixtures("three_trees")
def test_walls_towards_the_box_that_are_missing_are_named(graded: Graded) -> None:
    verdict = graded("pods.manifest", MODEL.replace("spec:", "spec:\n  hostPID: true\n  hostIPC: true"))
    assert oks(verdict)[3] is False
    assert "shares ipc, pid with the box itself" in hints(verdict)


def test_a_container_that_ends_is_named(graded: Graded) -> None:
    verdict = graded("pods.manifest", MODEL.replace("while :; do sleep 1; done", "true"))
    assert oks(verdict) == [True, False]
    assert "sidecar does not go on running" in hints(verdict)


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("kind: Pod", "kind: Deployment", "It is a Deployment"),
        ("{name: $pod}", "{name: web}", "The pod is to be called"),
        ("  shareProcess", "\tshareProcess", "a tab at the start of line"),
        ("\nEND", "\n---\nkind: Pod\nEND", "There are 2 manifests of a pod"),
        ("image: base", "image: nothing", "nothing"),
        ("spec:", "spec:\n  hostNetwork: true", "PortMappings"),
    ],
)
def test_what_podman_does_not_play_is_told_why(graded: Graded, old: str, new: str, hint: str) -> None:
    verdict = graded("pods.manifest", MODEL.replace(old, new))
    assert verdict.score == 0
    assert hint in hints(verdict)
    assert [len(fact.hints) for fact in verdict.facts] == [3]


def test_a_port_that_is_taken_by_an_earlier_try_is_told(graded: Graded) -> None:
    tried = MODEL.replace("{name: $pod}", "{name: $pod-old}") + "podman kube play $file\n"
    verdict = graded("pods.manifest", tried + MODEL)
    assert verdict.score == 0
    assert "is taken" in hints(verdict)


def test_a_pod_by_hand_that_was_removed_is_said(graded: Graded) -> None:
    verdict = graded("pods.manifest", "docker rm -f $sidecar")
    assert (verdict.score, verdict.facts[0].saw) == (0, "missing")
    assert "again=True" in hints(verdict)
