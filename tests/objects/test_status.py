"""One word for a pod, decided as Kubernetes decides it."""

from __future__ import annotations

import pytest

from lab.objects.spec import read
from lab.objects.status import ContainerStatus as Status
from lab.objects.status import PodStatus, phase, pod_status
from tests.objects.manifests import WEB

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
    answer = {"RestartCount": 2, "State": {"Status": "restarting", "ExitCode": 137, "OOMKilled": True, "Error": ""}}
    seen = pod_status(read(WEB), {"pause": answer | {"RestartCount": 0}, "app": answer})
    assert (seen.containers[0], seen.containers[1].state) == (Status("app", "restarting", 137, 2, "out of memory"), "gone")
    assert repr(seen).splitlines()[0] == seen.phase
    assert [line.split()[0] for line in repr(seen).splitlines()[3:]] == ["pause", "prepare", "app", "sidecar"]
