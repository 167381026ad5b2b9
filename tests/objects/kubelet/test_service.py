"""Probes on a real machine: who answers is ready, who does not is ended, and the kubelet goes when it has nothing left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.objects.kubelet.orders import HOME
from lab.objects.pod import Pod, pods
from tests.objects.manifests import one, pod, shell
from tests.objects.test_pod import SLOW_S, inside, run, state
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

pytestmark = [
    pytest.mark.usefixtures("box", "no_kubelet_left"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
QUICK: dict[str, Any] = {"periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 1}


def kubelets(machine: Machine) -> list[str]:
    """The process ids of kubelets, and the files that they have left."""
    return machine.sh(f"pgrep -f '[l]ab.objects.kubelet serve'; ls {HOME}/*.json {HOME}/lock 2>/dev/null").stdout.split()


@pytest.fixture
def no_kubelet_left(box: Box) -> Any:
    yield
    for it in pods(box):
        it.delete(grace_s=0)
    until("the kubelet to have ended", lambda: kubelets(box) == [], SLOW_S)


def probe(script: str, **more: Any) -> dict[str, Any]:
    return {"exec": {"command": ["sh", "-c", script]}, **QUICK, **more}


def test_a_pod_is_ready_while_its_probe_says_so(box: Box) -> None:
    it = run(box, pod(one(readinessProbe=probe("echo still at work; test -e /tmp/ready")), one("other")))
    until("the first answer", lambda: it.status().containers[0].note == "not ready: exit code 1, still at work", SLOW_S)
    assert (it.status().phase, it.status().ready, it.status().containers[1].ready) == ("Running", False, True)
    inside(it, "app", "touch /tmp/ready")
    until("it to be ready", lambda: it.status().ready, SLOW_S)
    assert it.status().containers[0].note == ""
    inside(it, "app", "rm /tmp/ready")
    until("it to be no longer ready", lambda: not it.status().ready, SLOW_S)
    assert it.status().restarts == 0


@pytest.mark.parametrize(
    "handler",
    [{"httpGet": {"path": "/", "port": "web"}}, {"tcpSocket": {"port": 8080}}, {"httpGet": {"path": "/nowhere-else", "port": 8081}}],
    ids=["http", "tcp", "wrong port"],
)
def test_a_port_is_asked_at_the_pods_address(box: Box, handler: dict[str, Any]) -> None:
    web = one("app", image="app:v1", command=[], ports=[{"name": "web", "containerPort": 8080}], readinessProbe={**handler, **QUICK})
    it = run(box, pod(web))
    if handler.get("httpGet", {}).get("port") == 8081:
        until("the refusal", lambda: "refused" in it.status().containers[0].note, SLOW_S)
    else:
        until("it to be ready", lambda: it.status().ready, SLOW_S)


def test_who_does_not_live_is_ended_after_its_hook_and_restarted(box: Box) -> None:
    it = run(
        box,
        pod(
            shell(
                "trap 'echo told; exit 1' TERM; rm -f /tmp/sick; echo up; while :; do sleep 0.1; done",
                livenessProbe=probe("test ! -e /tmp/sick", failureThreshold=2),
                lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /proc/1/fd/1"]}}},
            )
        ),
    )
    until("it to be up", lambda: "up" in it.logs("app"), SLOW_S)
    inside(it, "app", "touch /tmp/sick")
    until("the restart", lambda: it.status().restarts == 1, SLOW_S)
    until("the second run", lambda: it.logs("app").split() == ["up", "hook", "told", "up"], SLOW_S)
    assert it.status().phase == "Running"


@pytest.mark.full
def test_who_takes_long_to_start_is_left_alone_until_then(box: Box) -> None:
    it = run(
        box,
        pod(
            shell(
                "sleep 4; touch /tmp/up; exec sleep 1000",
                startupProbe=probe("test -e /tmp/up", failureThreshold=60),
                livenessProbe=probe("test -e /tmp/up"),
                readinessProbe=probe("true"),
            )
        ),
    )
    assert not it.status().ready
    until("it to be ready", lambda: it.status().ready, SLOW_S)
    assert it.status().restarts == 0


@pytest.mark.full
def test_who_never_starts_is_ended_and_not_restarted_where_the_policy_says_so(box: Box) -> None:
    it = run(box, pod(one(startupProbe=probe("false")), restartPolicy="Never", terminationGracePeriodSeconds=1))
    until("the end", lambda: it.status().phase == "Failed", SLOW_S)
    assert state(it, "app")["ExitCode"] == 137


@pytest.mark.full
def test_a_command_that_does_not_answer_is_no_answer(box: Box) -> None:
    it = run(box, pod(one(readinessProbe=probe("exec sleep 500", timeoutSeconds=1))))
    until("the first answer", lambda: it.status().containers[0].note == "not ready: no answer within 1 s", SLOW_S)
    until("it to be gone", lambda: box.sh("pgrep -fc '^sleep 500'").stdout.strip() in ("0", "1"), SLOW_S)


@pytest.mark.full
def test_it_goes_on_without_the_notebook_and_one_kubelet_does_for_all(box: Box) -> None:
    """A restarted engine is listened to again; a second pod finds the kubelet there."""
    first = run(box, pod(one(readinessProbe=probe("test -e /tmp/ready"))))
    second = run(box, pod(one(readinessProbe=probe("true")), name="other"))
    until("the second to be ready", lambda: second.status().ready, SLOW_S)
    until("one kubelet alone", lambda: len(box.sh("pgrep -f '[l]ab.objects.kubelet serve'").stdout.split()) == 1, SLOW_S)
    second.delete(grace_s=0)
    inside(first, "app", "touch /tmp/ready")
    until("the first to be ready", lambda: Pod.find(box, "web").status().ready, SLOW_S)
