"""One word for a pod, decided as Kubernetes decides it."""

from __future__ import annotations

import pytest

from lab.objects.spec import read
from lab.objects.status import ContainerStatus as Status
from lab.objects.status import PodStatus, phase, pod_status
from tests.objects.manifests import WEB, one, pod

RUNS, MADE, AGAIN, GONE = (
    Status("it", "running"),
    Status("it", "created"),
    Status("it", "restarting", 1, 4),
    Status("it"),
)
DONE, FAILED = Status("it", "exited", 0), Status("it", "exited", 1)


@pytest.mark.parametrize(
    ("restart", "pause", "init", "containers", "word"),
    [
        ("Always", MADE, (), (MADE,), "Pending"),
        ("Always", RUNS, (), (MADE, RUNS), "Pending"),
        ("Always", RUNS, (), (RUNS, RUNS), "Running"),
        ("Always", RUNS, (), (AGAIN,), "Running"),
        ("Never", RUNS, (), (RUNS, FAILED), "Running"),
        ("Never", RUNS, (), (DONE, DONE), "Succeeded"),
        ("OnFailure", RUNS, (), (DONE, DONE), "Succeeded"),
        ("Always", RUNS, (), (DONE, DONE), "Failed"),
        ("Never", RUNS, (), (DONE, FAILED), "Failed"),
        ("Never", RUNS, (), (DONE, GONE), "Failed"),
        ("Always", RUNS, (RUNS,), (MADE,), "Pending"),
        ("Always", RUNS, (AGAIN,), (MADE,), "Pending"),
        ("Always", RUNS, (DONE, MADE), (MADE,), "Pending"),
        ("Never", RUNS, (FAILED, MADE), (MADE,), "Failed"),
        ("Always", RUNS, (DONE, DONE), (RUNS,), "Running"),
        ("Always", FAILED, (), (RUNS,), "Failed"),
        ("Always", GONE, (), (RUNS,), "Failed"),
    ],
)
def test_a_phase(restart: str, pause: Status, init: tuple[Status, ...], containers: tuple[Status, ...], word: str) -> None:
    assert phase(restart, pause, init, containers) == word


def test_restarts_are_those_of_all_containers() -> None:
    assert PodStatus("Running", RUNS, (AGAIN,), (AGAIN, RUNS)).restarts == 8


def test_what_is_missing_is_gone_and_the_rest_is_shown_as_a_table() -> None:
    answer = {"Id": "1", "RestartCount": 2, "State": {"Status": "restarting", "ExitCode": 137, "OOMKilled": True, "Error": ""}}
    seen = pod_status(read(WEB), {"pause": answer | {"RestartCount": 0}, "app": answer})
    assert (seen.containers[0], seen.containers[1].state) == (Status("app", "restarting", 137, 2, note="out of memory"), "gone")
    assert repr(seen).splitlines()[0] == seen.phase
    assert [line.split()[0] for line in repr(seen).splitlines()[3:]] == ["pause", "prepare", "app", "sidecar"]


def test_a_pod_is_ready_when_all_that_goes_on_in_it_is() -> None:
    asked = {"exec": {"command": ["true"]}}
    spec = read(pod(one(readinessProbe=asked), initContainers=[one("proxy", restartPolicy="Always")]))
    state = {"Status": "running", "ExitCode": 0, "OOMKilled": False, "Error": "", "StartedAt": "now"}
    seen = {name: {"Id": name, "RestartCount": 0, "State": state} for name in ("pause", "proxy", "app")}
    for found, ready, note in (
        ({}, False, "not probed yet"),
        ({"app": {"began": "before", "ready": True, "why": ""}}, False, "not probed yet"),
        ({"app": {"began": "now", "ready": False, "why": "not ready: exit code 1"}}, False, "not ready: exit code 1"),
        ({"app": {"began": "now", "ready": True, "why": ""}}, True, ""),
    ):
        status = pod_status(spec, seen, found)
        assert (status.ready, status.containers[0].note, status.sidecars[0].ready) == (ready, note, True)
    assert not pod_status(spec, {**seen, "proxy": {**seen["proxy"], "State": {**state, "Status": "exited"}}}, found).ready


@pytest.mark.parametrize(("sidecar", "word"), [(MADE, "Pending"), (RUNS, "Running"), (AGAIN, "Running"), (DONE, "Succeeded")])
def test_a_pod_runs_as_long_as_a_sidecar_does(sidecar: Status, word: str) -> None:
    assert phase("Never", RUNS, (), (DONE,), (sidecar,)) == word
