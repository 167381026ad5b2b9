"""How far a wish is fulfilled, from what there is."""

from __future__ import annotations

import pytest

from lab.objects.deployment import deployment_status
from lab.objects.deployment_spec import read_deployment
from lab.objects.rollout import Replica
from tests.objects.manifests import DEPLOYMENT

NOW, CHANGED = 1000.0, 900.0
SPEC = read_deployment(DEPLOYMENT.replace("replicas: 3", "replicas: 2\n  progressDeadlineSeconds: 60"))


def new(name: str, ready: float | None = 950.0) -> Replica:
    return Replica(name, SPEC.hash, ready_since=ready)


OLD = Replica("old", "before", ready_since=1.0)


@pytest.mark.parametrize(
    ("there", "counts", "fulfilled"),
    [
        ([new("a"), new("b")], (2, 2, 2, 2), True),
        ([new("a")], (1, 1, 1, 1), False),
        ([new("a"), new("b"), new("c")], (3, 3, 3, 3), False),
        ([new("a"), new("b", None)], (2, 2, 1, 1), False),
        ([new("a"), new("b", None), OLD], (3, 2, 2, 2), False),  # two can be asked, one of which is the wrong one
        ([new("a"), new("b"), OLD], (3, 2, 3, 3), False),
        ([new("a"), Replica("x", SPEC.hash, ready_since=950.0, failed=True)], (2, 1, 1, 1), False),
        ([], (0, 0, 0, 0), False),
    ],
)
def test_what_is_counted(there: list[Replica], counts: tuple[int, ...], fulfilled: bool) -> None:
    status = deployment_status(SPEC, there, CHANGED, NOW)
    assert (status.there, status.updated, status.ready, status.available) == counts
    assert status.fulfilled is fulfilled


@pytest.mark.parametrize(("there", "left"), [([], -40.0), ([new("a", 990.0)], 50.0), ([OLD], -40.0)])
def test_it_is_stuck_when_nothing_new_can_be_asked_for_too_long(there: list[Replica], left: float) -> None:
    status = deployment_status(SPEC, there, CHANGED, NOW)
    assert status.patience_s == left
    assert ("stuck" in repr(status)) == (left < 0)


def test_who_has_been_ready_for_too_short_a_time_is_waited_for() -> None:
    spec = read_deployment(DEPLOYMENT.replace("replicas: 3", "replicas: 1\n  minReadySeconds: 30"))
    status = deployment_status(spec, [Replica("a", spec.hash, ready_since=NOW - 10)], CHANGED, NOW)
    assert (status.ready, status.available, status.fulfilled, status.look_again_s) == (1, 0, False, 20.0)
