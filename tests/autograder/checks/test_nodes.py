"""The tasks of lesson 04, on real machines: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from autograder.checks.nodes import density, drain, failure, packing
from autograder.checks.nodes.placement import nodes_from, pods_from
from autograder.framework import run, task_machines
from autograder.framework.register import find
from autograder.framework.task import Task, give
from autograder.panel import Panel
from autograder.testing import Graded, graded, hints, oks
from lab.box import machines
from lab.box.machine import Machine
from lab.box.parallel import in_parallel
from lab.objects.cluster import Cluster
from lab.objects.node import Plan, schedule
from lab.objects.pod import Pod
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
POOL = ("pool-1", "pool-2", "pool-3")
SWEEP = """
docker ps -aq | xargs -r docker rm -fv
pkill -f '[T]CP-LISTEN:7999'; pkill -f '[l]ast-seen.py'; rm -f /run/last-seen
"""
Answers = Mapping[str, object] | None
TASKS = ("packing", "density", "drain", "failure")


@pytest.fixture(scope="module", autouse=True)
def pool(running: Running) -> Iterator[None]:  # noqa: ARG001  (which is there until the machines are gone)
    yield
    machines.delete(*POOL)


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks borrow the machines of the one before: making them is tested elsewhere, and takes long.  A dead one is made anew."""

    def lend(_: Machine, __: str, roles: dict[str, str], **___: bool) -> None:
        there = {it.name: it for it in machines.all() if it.alive}
        names = POOL[: len(roles)]
        if missing := [name for name in names if name not in there]:
            machines.delete(*missing)
            machines.fleet(*missing)
        in_parallel(lambda name: there[name].sh(SWEEP), [name for name in names if name in there])
        roles.update(zip(roles, names, strict=True))

    monkeypatch.setattr(task_machines, "create", lend)
    monkeypatch.setattr(task_machines, "delete", lambda _: None)


def cluster(task: Task) -> Cluster:
    return Cluster(*nodes_from(task.nodes, task.machines))


def by_hand(task: Task, placements: Mapping[str, str]) -> None:
    """Containers that only have the pod's name."""
    there = task.machines
    in_parallel(lambda pod: there[placements[pod]].sh(f"docker run -d --name {pod} app:v1", check=True), placements)


def test_the_panel_follows_the_machines_of_a_task(box: Box) -> None:
    task = run.begin(box, find("nodes.packing"), again=True)
    panel = Panel(box, find("nodes.packing"))
    try:
        until("the first look", lambda: "0 of 4" in panel.text())
        by_hand(task, plan(task).placements)
        until("two facts to turn", lambda: "2 of 4" in panel.text())
    finally:
        panel.close()
        task.clear(box)


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_answer_is_worth_nothing(graded: Graded, task: str) -> None:
    verdict = graded(f"nodes.{task}")
    assert verdict.score == 0, verdict.text()
    assert verdict.facts
    assert all(fact.hints for fact in verdict.facts)


# nodes.packing


def plan(task: Task) -> Plan:
    return schedule(pods_from(task.pods), nodes_from(task.nodes))


def reported(_: Machine, task: Task) -> Answers:
    ((pending, why),) = plan(task).pending.items()
    return {"pending": pending, "why": why}


def packed(_: Machine, task: Task) -> Answers:
    ((pending, why),) = cluster(task).run(*pods_from(task.pods)).pending.items()
    return {"pending": pending, "why": why}


def packed_by_hand(_: Machine, task: Task) -> Answers:
    """Without pods, labels or a scheduler, and the reasons in words of one's own."""
    by_hand(task, plan(task).placements)
    (pending,) = plan(task).pending
    words = {"2": "it has too little memory", "1": "not enough processors", "500m": "neither CPU nor memory"}
    return {"pending": f" {pending}\n", "why": ". ".join(f"On {name}: {words[cpu]}" for name, cpu, _ in map(str.split, task.nodes))}


def packed_by_first_fit(_: Machine, task: Task) -> Answers:
    by_hand(task, packing.first_fit(pods_from(task.pods), nodes_from(task.nodes)))
    return None


def all_on_one(_: Machine, task: Task) -> None:
    by_hand(task, {line.split()[0]: "n1" for line in task.pods})


def packed_and_said_in_other_words(_: Machine, task: Task) -> Answers:
    by_hand(task, plan(task).placements)
    (pending,) = plan(task).pending
    words = {
        "2": "too little RAM, but enough CPU",
        "1": "too few CPUs; there is sufficient memory",
        "500m": "Not enough RAM, not enough CPU",
    }
    return {"pending": [pending], "why": "\n".join(f"{name.upper()}: {words[cpu]}" for name, cpu, _ in map(str.split, task.nodes))}


@pytest.mark.parametrize("way", [packed, packed_by_hand, packed_and_said_in_other_words])
def test_pods_that_are_packed_and_one_that_is_pending(graded: Graded, way: object) -> None:
    verdict = graded("nodes.packing", way)
    assert verdict.score == 1, verdict.text()


def test_a_first_fit_leaves_one_more_out(graded: Graded) -> None:
    verdict = graded("nodes.packing", packed_by_first_fit)
    assert oks(verdict) == [False, True, False, False]
    assert "There is a way to place all but one" in hints(verdict)
    assert "The biggest first" in hints(verdict)


def test_an_engine_starts_what_has_no_room_and_the_check_counts(graded: Graded) -> None:
    verdict = graded("nodes.packing", all_on_one)
    assert verdict.score == 0.25
    assert "n1 is asked for" in verdict.facts[1].saw
    assert "no node has room for it" in hints(verdict)


def test_the_pod_that_waits_runs_nowhere_not_on_the_box_either(graded: Graded) -> None:
    def on_the_box(machine: Machine, task: Task) -> None:
        machine.sh(f"docker run -d --name {next(iter(plan(task).pending))} app:v1", check=True)

    verdict = graded("nodes.packing", packed, on_the_box)
    assert oks(verdict) == [True, True, False, True]
    assert "runs on your box" in hints(verdict)


@pytest.mark.full
def test_a_name_that_is_right_counts_once_the_others_run(graded: Graded) -> None:
    verdict = graded("nodes.packing", reported)
    assert verdict.score == 0
    assert "That counts once the others run" in hints(verdict)


def test_a_wrong_pod_and_a_wrong_reason_are_told_so(graded: Graded) -> None:
    def wrong(_: Machine, task: Task) -> Answers:
        (pending,) = plan(task).pending
        return {"pending": next(line.split()[0] for line in task.pods if pending not in line), "why": "n1: cpu, n2: cpu, n3: cpu"}

    verdict = graded("nodes.packing", packed, wrong)
    assert oks(verdict) == [True, True, False, False]
    assert "when it is empty" in hints(verdict)
    assert "that is enough for it" in hints(verdict)


def test_a_reason_speaks_of_every_node(graded: Graded) -> None:
    def of_the_first_alone(_: Machine, task: Task) -> Answers:
        ((pending, why),) = plan(task).pending.items()
        return {"pending": pending, "why": re.split(r"\bn2\b", why)[0]}

    verdict = graded("nodes.packing", packed, of_the_first_alone)
    assert oks(verdict) == [True, True, True, False]
    assert "It says nothing of n2" in hints(verdict)


# nodes.density


def measured(_: Machine, task: Task) -> Answers:
    services = pods_from(task.services)
    Pod.create(task.machines["vm"], services[0]).start()
    Cluster(*nodes_from([f"node {task.size}"], task.machines)).run(*services)
    return counted(task)


def counted(task: Task) -> dict[str, object]:
    vms, nodes = len(task.services), density.fewest_nodes(pods_from(task.services))
    paid = {role: float(task.machines[role].memory_mb) for role in density.ROLES}
    return {"vms": vms, "nodes": nodes, "vms_mb": vms * paid["vm"], "nodes_mb": nodes * paid["node"]}


def measured_by_hand(_: Machine, task: Task) -> Answers:
    there = schedule(pods_from(task.services), nodes_from([f"node {task.size}"])).placements
    by_hand(task, {task.services[-1].split()[0]: "vm"})
    by_hand(task, there)
    return {name: f"{value:.0f}" for name, value in counted(task).items()}  # type: ignore[str-bytes-safe]


@pytest.mark.parametrize("way", [measured, measured_by_hand])
def test_what_the_same_work_costs(graded: Graded, way: object) -> None:
    verdict = graded("nodes.density", way)
    assert verdict.score == 1, verdict.text()


def test_a_sum_is_no_packing_and_what_is_off_about_a_memory_is_told(graded: Graded, box: Box) -> None:
    def wrong(machine: Machine, task: Task) -> Answers:
        right = dict(measured(machine, task) or {})
        return right | {"nodes": density.by_sum(pods_from(task.services)), "vms_mb": task.machines["vm"].memory_mb, "nodes_mb": 20}

    verdict = graded("nodes.density", wrong)
    assert oks(verdict) == [True, True, True, False, False, False]
    for hint in ("cut into pieces", "That is what one of them costs", "Paid is for machines"):
        assert hint in hints(verdict)

    check = find("nodes.density")
    right = counted(run.begin(box, check))
    give(box, check.name, right | {name: 3 * float(str(right[name])) for name in ("nodes", "nodes_mb", "vms_mb")})
    verdict = run.judge(box, check)
    assert oks(verdict) == [True, True, True, False, False, False]
    for hint in ("It can be done with fewer", "It is their number that is not right", "All of them together cost less"):
        assert hint in hints(verdict)
    assert "Report" not in hints(verdict)


def test_everything_on_one_node_is_more_than_it_has(graded: Graded) -> None:
    verdict = graded("nodes.density", lambda _, task: by_hand(task, {line.split()[0]: "node" for line in task.services}))
    assert verdict.score == 0
    assert "node is asked for" in hints(verdict)


# nodes.drain


def drained(_: Machine, task: Task) -> None:
    assert not cluster(task).drain(task.node).pending


def drained_by_hand(_: Machine, task: Task) -> None:
    """One after the other, with another name, and the old one is killed without ceremony."""
    there = cluster(task)
    for pod in there.on(task.node):
        node = goes_to(there, pod, task)
        task.machines[node].sh(f"docker run -d --name {pod.spec.name}-moved app:v1", check=True)
        task.machines[task.node].sh(f"docker rm -f {pod.container('app')} {pod.container()}", check=True)


def goes_to(there: Cluster, pod: Pod, task: Task) -> str:
    takers = [node for name, node in there.nodes.items() if name != task.node]
    held = {node.name: [it.spec for it in there.on(node.name)] for node in takers}
    found = schedule([pod.spec], takers, held).placements[pod.spec.name]
    pod.node, before = found, pod.node
    assert before == task.node
    return found


def there_still(task: Task) -> list[Pod]:
    return cluster(task).on(task.node)


def only_deleted(_: Machine, task: Task) -> None:
    in_parallel(Pod.delete, there_still(task))


def all_to_one(_: Machine, task: Task) -> None:
    other = next(role for role in drain.ROLES if role != task.node)
    by_hand(task, {pod.spec.name: other for pod in there_still(task)})
    only_deleted(_, task)


@pytest.mark.parametrize("way", [drained, drained_by_hand])
def test_a_node_that_is_emptied_without_losing_a_pod(graded: Graded, way: object) -> None:
    verdict = graded("nodes.drain", way)
    assert verdict.score == 1, verdict.text()


def test_a_pod_that_ends_first_was_away(graded: Graded) -> None:
    def ends_first(_: Machine, task: Task) -> None:
        there = cluster(task)
        for pod in there.on(task.node):
            node = goes_to(there, pod, task)
            task.machines[task.node].sh(f"docker rm -f {pod.container('app')} {pod.container()}", check=True)
            task.machines[node].sh(f"docker run -d --name {pod.spec.name} app:v1", check=True)

    verdict = graded("nodes.drain", ends_first)
    assert oks(verdict) == [True, True, True, False], verdict.text()
    assert "had ended on" in hints(verdict)
    assert "First start it elsewhere" in hints(verdict)


@pytest.mark.full
def test_a_pod_that_is_paused_is_away(graded: Graded) -> None:
    def paused_first(_: Machine, task: Task) -> None:
        there = cluster(task)
        for pod in there.on(task.node):
            node = goes_to(there, pod, task)
            task.machines[task.node].sh(f"docker pause {pod.container('app')}", check=True)
            task.machines[node].sh(f"docker run -d --name {pod.spec.name} app:v1", check=True)
            task.machines[task.node].sh(f"docker rm -f {pod.container('app')} {pod.container()}", check=True)

    verdict = graded("nodes.drain", paused_first)
    assert oks(verdict) == [True, True, True, False], verdict.text()


def test_pods_that_are_deleted_are_lost(graded: Graded) -> None:
    verdict = graded("nodes.drain", only_deleted)
    assert verdict.score == 0.25
    assert "it runs nowhere" in hints(verdict)


def test_all_pods_on_one_node_are_too_many(graded: Graded) -> None:
    verdict = graded("nodes.drain", all_to_one)
    assert oks(verdict) == [True, True, False, True], verdict.text()
    assert "more than it has" in hints(verdict)


@pytest.mark.full
def test_copies_are_not_a_move(graded: Graded) -> None:
    def copied(_: Machine, task: Task) -> None:
        other = next(role for role in drain.ROLES if role != task.node)
        by_hand(task, {there_still(task)[0].spec.name: other})

    verdict = graded("nodes.drain", copied)
    assert not verdict.facts[0].ok
    assert "is to be empty" in hints(verdict)


# nodes.failure


def recovered(_: Machine, task: Task) -> None:
    there = cluster(task)
    task.machines[task.node].stop()
    assert not there.recover().pending


def recovered_by_hand(_: Machine, task: Task) -> None:
    task.machines[task.node].stop()
    orphans = [line.split()[0] for line in task.pods if line.endswith(task.node)]
    others = [role for role in failure.ROLES if role != task.node]
    by_hand(task, dict(zip(orphans, others, strict=True)))


def asked_too_late(_: Machine, task: Task) -> None:
    """Who asks the machines when one is dead does not hear what ran there."""
    task.machines[task.node].stop()
    left = [line for line in task.nodes if not line.startswith(task.node)]
    Cluster(*nodes_from(left, task.machines)).recover()


def both_to_one(_: Machine, task: Task) -> None:
    task.machines[task.node].stop()
    other = next(role for role in failure.ROLES if role != task.node)
    by_hand(task, {line.split()[0]: other for line in task.pods if line.endswith(task.node)})


@pytest.mark.parametrize("way", [recovered, recovered_by_hand])
def test_pods_of_a_dead_node_run_elsewhere(graded: Graded, way: object) -> None:
    verdict = graded("nodes.failure", way)
    assert verdict.score == 1, verdict.text()


def test_a_machine_that_is_gone_can_not_tell(graded: Graded) -> None:
    verdict = graded("nodes.failure", asked_too_late)
    assert verdict.score == 0.25
    assert "Nobody runs" in hints(verdict)
    assert "Who knew it before?" in hints(verdict)


@pytest.mark.full
def test_the_nodes_that_are_left_have_their_room_and_no_more(graded: Graded) -> None:
    verdict = graded("nodes.failure", both_to_one)
    assert oks(verdict) == [True, True, False, True], verdict.text()


@pytest.mark.full
def test_late_is_told_how_late(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(_: Machine, task: Task) -> None:
        there = cluster(task)
        task.machines[task.node].stop()
        time.sleep(3)
        there.recover()

    monkeypatch.setattr(failure, "WITHIN_S", 1)
    verdict = graded("nodes.failure", late)
    assert oks(verdict) == [True, True, True, False], verdict.text()
    assert "have everything ready" in hints(verdict).lower()


@pytest.mark.full
def test_a_drain_is_no_failure(graded: Graded) -> None:
    def too_early(_: Machine, task: Task) -> None:
        there = cluster(task)
        there.drain(task.node)
        task.machines[task.node].sh("sleep 2")
        task.machines[task.node].stop()

    verdict = graded("nodes.failure", too_early)
    assert oks(verdict) == [True, True, True, False], verdict.text()
    assert "That is a drain" in hints(verdict)
