"""Pods on real machines: what the kernel has, what a neighbour reaches, and what is left when they are gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from lab.box.errors import CourseError, UsageError, WaitTimeout
from lab.box.machine import Machine
from lab.box.parallel import in_parallel
from lab.objects.pod import Pod, pods
from lab.objects.spec import PAUSE
from lab.observe.namespace import walls
from lab.observe.process import pid
from lab.observe.web import page
from tests.objects.conftest import on_it
from tests.objects.manifests import SLEEP, WEB, one, pod, shell
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
SLOW_S = 60.0
"""An emulated box takes its time."""


def run(machine: Machine, manifest: object, **options: Any) -> Pod:
    return Pod.create(machine, manifest).start(**options)  # type: ignore[arg-type]


def inside(it: Pod, container: str, command: str) -> str:
    return it.machine.sh(f"docker exec {it.container(container)} {command}").stdout


def state(it: Pod, container: str) -> dict[str, Any]:
    return dict(it.machine.docker.api.inspect_container(it.container(container))["State"])


@pytest.mark.parametrize("share_pid", [False, True])
def test_the_walls_that_are_gone_are_those_that_a_pod_lacks(box: Box, share_pid: bool) -> None:
    it = run(box, pod(one(), one("sidecar"), shareProcessNamespace=share_pid, hostname="shop"))
    kernel = {name: walls(box, it.container(name)) for name in (PAUSE, "app", "sidecar")}
    gone = {"net", "ipc", "pid"} if share_pid else {"net", "ipc"}
    for one_of, other in combinations(kernel.values(), 2):
        shared = {kind for kind in one_of.box if one_of.container[kind] == other.container[kind]}
        assert shared & {"net", "ipc", "uts", "pid", "mnt"} == gone
        assert gone <= one_of.private
    assert {inside(it, name, "hostname").strip() for name in ("app", "sidecar")} == {"shop"}


def test_a_pod_from_its_manifest_to_its_page(box: Box) -> None:
    """Init before the app, a volume between them, localhost within, one published port without."""
    it = run(box, WEB)
    assert it.status().phase == "Running"
    assert "container: web" in page(box, 8081, timeout_s=SLOW_S)
    assert "container: web" in inside(it, "sidecar", "wget -qO- http://127.0.0.1:8080")
    assert inside(it, "sidecar", "hostname -i").strip() == it.address
    until("the sidecar to say what it found", lambda: it.logs("sidecar") == "ready made\n")
    assert box.sh(f"docker exec {it.container('sidecar')} touch /data/mine").code != 0
    began, prepared = state(it, "app")["StartedAt"], state(it, "prepare")
    assert prepared["ExitCode"] == 0
    assert prepared["FinishedAt"] <= began
    published = {
        ports["Labels"]["course.pod.part"] for ports in box.docker.api.containers() if any("PublicPort" in p for p in ports["Ports"])
    }
    assert published == {PAUSE}


@pytest.mark.parametrize(
    ("policy", "code", "phase", "again"),
    [
        ("Always", 0, "Running", True),
        ("Always", 1, "Running", True),
        ("OnFailure", 1, "Running", True),
        ("OnFailure", 0, "Succeeded", False),
        ("Never", 0, "Succeeded", False),
        ("Never", 1, "Failed", False),
    ],
)
def test_who_ends_is_started_again_by_policy_and_that_is_counted(box: Box, policy: str, code: int, phase: str, again: bool) -> None:
    it = run(box, pod(shell(f"exit {code}"), restartPolicy=policy))
    until("the second restart" if again else "the end", lambda: it.status().restarts > 1 if again else it.status().phase == phase, SLOW_S)
    until("it to be between two runs, or to have ended", lambda: it.status().containers[0].exit_code == code, SLOW_S)
    seen = it.status()
    assert (seen.phase, seen.restarts > 0) == (phase, again)


def test_the_pod_outlives_its_app_and_keeps_its_address(box: Box) -> None:
    it = run(box, pod(one("app", image="app:v1", command=[]), one("sidecar")))
    before = inside(it, "sidecar", "hostname -i")
    box.sh(f"kill -9 {pid(box, it.container('app'))}", check=True)
    until("the app to be back", lambda: "container: web" in inside(it, "sidecar", "wget -qO- http://127.0.0.1:8080"), SLOW_S)
    seen = it.status()
    assert (seen.phase, seen.restarts, seen.containers[0].restarts) == ("Running", 1, 1)
    assert seen.containers[0].exit_code is None
    assert inside(it, "sidecar", "hostname -i") == before


def test_without_pause_the_pod_is_lost_and_is_still_deleted_as_one(box: Box) -> None:
    it = run(box, pod(one(), one("sidecar")))
    box.docker.api.kill(it.container())
    until("pause to be dead", lambda: it.status().phase == "Failed")
    assert it.status().pause.exit_code == 137
    it.delete(grace_s=0)
    assert on_it(box) == []


def test_pause_is_process_1_of_one_tree_and_reaps(box: Box) -> None:
    it = run(box, pod(one(), one("sidecar"), shareProcessNamespace=True))
    inside(it, "app", "sh -c 'sleep 0.1 & exit'")
    ends = "sh -c 'ps -o pid,stat,args'"
    until("the orphan to be gone", lambda: "sleep 0.1" not in inside(it, "sidecar", ends))
    seen = inside(it, "sidecar", ends)
    assert seen.splitlines()[1].split()[0::2][:2] == ["1", "/pause"]
    assert seen.count(" ".join(SLEEP)) == 2
    assert " Z" not in seen


def test_a_pod_is_deleted_as_one_whatever_is_left_of_it_and_as_often_as_you_like(box: Box) -> None:
    it = run(box, WEB)
    box.sh(f"docker rm -f {it.container('app')} {it.container('prepare')}", check=True)
    assert [part.state for part in it.status().containers] == ["gone", "running"]
    in_parallel(lambda one: one.delete(grace_s=0), [it, Pod.find(box, "web"), it])
    assert on_it(box) == []
    it.delete()
    with pytest.raises(CourseError, match="no pod web any more"):
        it.status()
    with pytest.raises(CourseError, match="There is no pod web"):
        Pod.find(box, "web")


def test_a_container_may_end_by_itself_before_it_is_made_to(box: Box) -> None:
    polite = "trap 'echo bye > /data/last; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    mounts = [{"name": "d", "mountPath": "/data"}]
    it = run(box, pod(shell(polite, volumeMounts=mounts), volumes=[{"name": "d", "emptyDir": {}}]))
    until("the trap to be set", lambda: "up" in it.logs())
    box.sh(f"docker run -d --name keeps -v {it.container('d')}:/data base sleep 1000", check=True)
    with pytest.raises(CourseError, match="refuses") as refused:
        it.delete(grace_s=10)
    assert "volume is in use" in refused.value.why
    assert box.sh("docker exec keeps cat /data/last; docker rm -f keeps").stdout.startswith("bye")
    it.delete()


def test_a_volume_is_empty_at_first_whatever_the_image_has_there(box: Box) -> None:
    library = "/usr/lib/python3.13"
    mounts = {"volumeMounts": [{"name": "d", "mountPath": library}]}
    it = run(
        box, pod(shell(f"ls -A {library}; echo that is all", **mounts), restartPolicy="Never", volumes=[{"name": "d", "emptyDir": {}}])
    )
    until("the end", lambda: it.status().phase == "Succeeded")
    assert it.logs() == "that is all\n"


def test_a_pod_is_found_again_and_its_init_containers_are_not_run_again(box: Box) -> None:
    """As after a restart of the kernel: nothing is known but what is on the box."""
    manifest = pod(one(), initContainers=[shell("echo once", "i")])
    Pod.create(box, manifest, node="node-1").start()
    box.docker.api.kill(Pod.find(box, "web").container("app"))
    found = Pod.find(box, "web", node="node-1")
    assert found.start().status().phase == "Running"
    assert found.logs("i") == "once\n"
    assert pods(box, node="node-2") == []


def test_the_same_manifest_twice_in_a_row_and_never_twice_at_once(box: Box) -> None:
    first = run(box, WEB)
    with pytest.raises(UsageError, match="a pod web already"):
        Pod.create(box, WEB)
    first.delete(grace_s=0)
    second = run(box, WEB)
    assert second.status().phase == "Running"
    assert first.container() != second.container()


def test_an_image_that_is_not_there_is_answered_with_those_that_are(box: Box) -> None:
    with pytest.raises(CourseError, match="No such image: app:v9") as refused:
        Pod.create(box, WEB.replace("app:v1", "app:v9"))
    assert "app:v1, app:v2" in refused.value.why
    assert on_it(box) == []
    with pytest.raises(CourseError, match="refuses") as refused:
        Pod.create(box, pod(one(image="No such: thing")))
    assert "invalid reference format" in refused.value.why
    assert on_it(box) == []


def test_a_port_that_is_taken_leaves_nothing_behind(box: Box) -> None:
    run(box, WEB)
    before = on_it(box)
    with pytest.raises(CourseError) as refused:
        Pod.create(box, WEB.replace("name: web", "name: other"))
    assert "port is already allocated" in refused.value.why
    assert on_it(box) == before


def test_an_init_container_that_never_ends_has_a_deadline_and_its_last_words(box: Box) -> None:
    it = Pod.create(box, pod(initContainers=[shell("echo waiting for the database; exec sleep 1000", "i")]))
    with pytest.raises(WaitTimeout, match="init container i did not end with 0 in time") as gave_up:
        it.start(timeout_s=3.0)
    assert "waiting for the database" in gave_up.value.why
    seen = it.status()
    assert (seen.phase, seen.containers[0].state) == ("Pending", "created")


def test_an_init_container_that_fails_is_tried_again_or_ends_the_pod(box: Box) -> None:
    mounts = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    twice = shell("echo try >> /d/tries; test $(wc -l < /d/tries) -gt 1", "i", **mounts)
    it = run(box, pod(initContainers=[twice, shell("cat /d/tries", "j", **mounts)], volumes=[{"name": "d", "emptyDir": {}}]))
    assert (it.status().phase, it.status().init[0].restarts, it.logs("j")) == ("Running", 1, "try\ntry\n")
    it.delete(grace_s=0)
    ends = Pod.create(box, pod(initContainers=[shell("echo no disk; exit 3", "i")], restartPolicy="Never"))
    with pytest.raises(CourseError, match="init container i ended with 3") as refused:
        ends.start()
    assert "no disk" in refused.value.why
    assert ends.status().phase == "Failed"


def test_an_init_container_that_somebody_kills_is_started_again(box: Box) -> None:
    """The engine leaves alone what was killed through it, so nobody else does that."""
    mounts = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    script = "test -e /d/once && exit; touch /d/once; echo waits; exec sleep 1000"
    it = Pod.create(box, pod(initContainers=[shell(script, "i", **mounts)], volumes=[{"name": "d", "emptyDir": {}}]))
    with ThreadPoolExecutor() as pool:
        started = pool.submit(it.start)
        until("the first run", lambda: "waits" in it.logs("i"))
        box.docker.api.kill(it.container("i"))
        assert started.result().status().phase == "Running"


def test_a_program_that_is_not_in_the_image_is_said_and_the_pod_can_be_looked_at(box: Box) -> None:
    it = Pod.create(box, pod(one("app", "sleeep")))
    with pytest.raises(CourseError, match="refuses") as refused:
        it.start()
    assert "sleeep" in refused.value.why
    assert it.status().phase == "Pending"
    assert "sleeep" in it.status().containers[0].note


def test_who_takes_more_memory_than_its_limit_is_ended_for_it(box: Box) -> None:
    it = run(box, pod(one("app", "tail", "/dev/zero", resources={"limits": {"memory": "16Mi"}}), restartPolicy="Never"))
    until("the end", lambda: it.status().phase == "Failed", SLOW_S)
    assert (it.status().containers[0].exit_code, it.status().containers[0].note) == (137, "out of memory")


def test_logs_are_one_containers(box: Box) -> None:
    it = run(box, pod(shell("echo hello; exec sleep 1000")))
    until("its word", lambda: it.logs() == "hello\n")
    with pytest.raises(UsageError, match=r"no container other(.|\n)*Its containers: app"):
        it.logs("other")
    it.delete(grace_s=0)
    with pytest.raises(UsageError, match="more than one container"):
        Pod.create(box, WEB).logs()


def test_a_machine_that_is_gone_is_said_in_words(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Pod.create(box, pod())
    with monkeypatch.context() as patch:
        patch.setattr(it, "_api", Refuses())
        with pytest.raises(CourseError, match="machine of the pod web does not answer"):
            it.start()
    assert it.start().status().phase == "Running"


class Refuses:
    """An engine's api behind a connection that is gone."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object, **__: object) -> None:
            raise ConnectionRefusedError(name)

        return refuse
