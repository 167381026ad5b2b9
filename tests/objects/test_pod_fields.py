"""What real manifests ask for, on a real machine: settings, rights, volumes, hooks and sidecars."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from lab.box.errors import CourseError
from lab.objects.pod import Pod
from lab.objects.spec import PAUSE
from tests.objects.manifests import SETTINGS, one, pod, shell
from tests.objects.test_pod import SLOW_S, inside, run, state
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]


def test_settings_from_a_configmap_and_a_secret(box: Box) -> None:
    it = Pod.create(box, SETTINGS, node="node-1").start()
    env = dict(one.split("=", 1) for one in inside(it, "app", "env -0").split("\0") if one)
    expected = {
        "CFG_GREETING": "hello", "CFG_app.conf": "[app]\nport = 8080\n", "PASSWORD": "open sesame", "POD": "web", "TIER": "front",
        "ADDRESS": it.address, "NODE": "node-1", "BOTH": f"hello at {it.address}",
    }  # fmt: skip
    assert {name: env.get(name) for name in expected} == expected
    assert "NONE" not in env
    assert it.address
    assert inside(it, "app", "cat app.conf") == inside(it, "app", "cat /etc/one.conf") == "[app]\nport = 8080\n"
    assert inside(it, "app", "stat -c %a deep/greeting /login/key /login/password").split() == ["600", "400", "400"]
    assert inside(it, "app", "od -An -tx1 /login/key").split() == ["00", "01", "ff"]
    assert box.sh(f"docker exec {it.container('app')} touch /etc/app/more").code != 0
    assert Pod.find(box, "web").spec == it.spec


def test_who_a_container_runs_as_and_what_it_may_do(box: Box) -> None:
    strict = {
        "runAsUser": 1000, "runAsGroup": 3000, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }  # fmt: skip
    mount = [{"name": "data", "mountPath": "/data"}]
    it = run(
        box,
        pod(
            one("app", securityContext=strict, volumeMounts=mount),
            one("other", securityContext={"seccompProfile": {"type": "Unconfined"}}),
            volumes=[{"name": "data", "emptyDir": {}}],
            securityContext={
                "fsGroup": 2000, "supplementalGroups": [4000], "runAsUser": 5, "sysctls": [{"name": "net.core.somaxconn", "value": "77"}],
            },
        ),
    )  # fmt: skip
    assert (inside(it, "app", "id -u").strip(), inside(it, "app", "id -g").strip()) == ("1000", "3000")
    assert {"2000", "4000"} <= set(inside(it, "app", "id -G").split())
    assert inside(it, "other", "id -u").strip() == "5"
    status = dict(line.split(":", 1) for line in inside(it, "app", "cat /proc/1/status").splitlines())
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"].strip()) == (1 << 10, "1")
    assert box.sh(f"docker exec {it.container('app')} touch /mine").code != 0
    assert inside(it, "app", "sh -c 'touch /data/mine; stat -c %g /data/mine'").strip() == "2000"
    assert inside(it, "other", "cat /proc/sys/net/core/somaxconn").strip() == "77"
    assert inside(it, "other", "grep ^Seccomp: /proc/1/status").split() == ["Seccomp:", "0"]


def test_root_is_refused_where_the_manifest_forbids_it(box: Box) -> None:
    with pytest.raises(CourseError, match=r"app would run as root(.|\n)*names no user(.|\n)*runAsUser: 1000"):
        Pod.create(box, pod(securityContext={"runAsNonRoot": True}))
    it = run(box, pod(securityContext={"runAsNonRoot": True, "runAsUser": 1000}))
    assert inside(it, "app", "id -u").strip() == "1000"


def test_everybody_may_write_to_an_empty_volume(box: Box) -> None:
    mounts = [{"name": "d", "mountPath": "/d"}, {"name": "d", "mountPath": "/part", "subPath": "a/b"}]
    it = run(box, pod(one(volumeMounts=mounts, securityContext={"runAsUser": 1000}), volumes=[{"name": "d"}]))
    inside(it, "app", "sh -c 'echo x > /d/x; echo y > /part/y'")
    assert inside(it, "app", "cat /d/x /d/a/b/y").split() == ["x", "y"]


def test_a_volume_in_memory_outlives_a_container_and_counts_as_its_memory(box: Box) -> None:
    mounts = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    volumes = [{"name": "d", "emptyDir": {"medium": "Memory", "sizeLimit": "24Mi"}}]
    limited = {"resources": {"limits": {"memory": "64Mi"}}}
    init = [shell("echo kept > /d/word", "i", **mounts)]
    it = run(box, pod(shell("cat /d/word; exec sleep 1000", **mounts, **limited), initContainers=init, volumes=volumes))
    until("its word", lambda: it.logs("app") == "kept\n", SLOW_S)
    assert inside(it, "app", "df -t tmpfs -m /d").splitlines()[1].split()[1] == "24"
    before = used(it)
    inside(it, "app", "dd if=/dev/zero of=/d/big bs=1M count=16")
    assert used(it) - before > 12 * 2**20
    assert box.sh(f"docker exec {it.container('app')} dd if=/dev/zero of=/d/more bs=1M count=16").code != 0
    box.sh(f"docker restart -t 0 {it.container('app')}", check=True)
    assert inside(it, "app", "cat /d/word") == "kept\n"


def used(it: Pod) -> int:
    """The bytes of memory that the app uses."""
    return int(it.machine.docker.api.stats(it.container("app"), stream=False)["memory_stats"]["usage"])


def test_a_container_may_be_called_pause(box: Box) -> None:
    it = run(box, pod(one(PAUSE), one("app")))
    assert it.status().phase == "Running"
    assert set(it.walls.numbers) == {"POD", PAUSE, "app"}
    assert inside(it, PAUSE, "hostname -i").strip() == it.address


def test_a_hook_runs_before_the_container_is_told_to_end(box: Box) -> None:
    keeps = "docker run -d --name keeps -v {}:/data base sleep 1000"
    script = "trap 'echo told >> /data/log; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /data/log"]}}}
    it = run(
        box,
        pod(
            shell(script, volumeMounts=[{"name": "d", "mountPath": "/data"}], lifecycle=hook),
            one("other", lifecycle={"preStop": {"sleep": {"seconds": 2}}}),
            volumes=[{"name": "d", "emptyDir": {}}],
            terminationGracePeriodSeconds=4,
        ),
    )
    until("the trap to be set", lambda: "up" in it.logs("app"), SLOW_S)
    box.sh(keeps.format(it.container("d")), check=True)
    other, began = it.container("other"), time.monotonic()
    with pytest.raises(CourseError, match="volume is in use"):
        it.delete()
    assert time.monotonic() - began >= 2
    assert box.sh(f"docker inspect {other}").code != 0
    assert box.sh("docker exec keeps cat /data/log; docker rm -f keeps").stdout.split()[:2] == ["hook", "told"]
    it.delete()


def test_a_sidecar_begins_first_goes_on_and_ends_last(box: Box) -> None:
    log = {"volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    ready: dict[str, Any] = {"startupProbe": {"exec": {"command": ["test", "-e", "/d/open"]}, "periodSeconds": 1, "timeoutSeconds": 20}}
    it = run(
        box,
        pod(
            shell("cat /d/open; sleep 1; exit 0", **log),
            initContainers=[
                shell("sleep 1; echo open > /d/open; exec sleep 1000", "proxy", restartPolicy="Always", **log, **ready),
                shell("cat /d/open", "check", **log),
            ],
            volumes=[{"name": "d", "emptyDir": {}}],
            restartPolicy="Never",
            terminationGracePeriodSeconds=1,
        ),
        timeout_s=SLOW_S,
    )
    assert (it.logs("check"), state(it, "check")["ExitCode"]) == ("open\n", 0)
    until("the app to end", lambda: state(it, "app")["Status"] == "exited", SLOW_S)
    until("the sidecar to end after it", lambda: state(it, "proxy")["Status"] == "exited", SLOW_S)
    assert state(it, "app")["FinishedAt"] <= state(it, "proxy")["FinishedAt"]
    assert it.status().phase == "Succeeded"


@pytest.mark.full
def test_a_sidecar_that_ends_is_started_again(box: Box) -> None:
    it = run(box, pod(initContainers=[shell("sleep 0.5", "proxy", restartPolicy="Always")], restartPolicy="Never"))
    until("the second restart", lambda: it.status().sidecars[0].restarts > 1, SLOW_S)
    assert it.status().phase == "Running"
