"""Two minutes in which everything fails that can; afterwards there is what is wanted, and who is nobody's lives.

What happens is drawn with a seed, which is printed; ``COURSE_CHAOS_SEED`` sets it, and ``COURSE_CHAOS_S`` the seconds.  The same seed draws
the same; what the machine is doing at that moment differs.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docker.errors import DockerException

from lab.box.errors import CourseError, UsageError
from lab.objects.deployment import Deployment
from lab.objects.kubelet.orders import KEY
from lab.objects.labels import OWNER, UID
from lab.objects.node import Node
from lab.objects.options import MANIFEST, NODE, PART
from lab.objects.pod import Pod
from lab.objects.replicas import Seen
from lab.objects.store import WISHES, Store
from tests.conftest import Running
from tests.objects.conftest import SWEEP
from tests.objects.manifests import DEPLOYMENT_PROBED
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container", "microvm"], indirect=True)
SEED = int(os.environ.get("COURSE_CHAOS_SEED", secrets.randbelow(1_000_000)))
CHAOS_S = float(os.environ.get("COURSE_CHAOS_S", "120"))
BREATH_S = 1.5
"""Seconds between two failures, on average: sometimes the last one is mended by then, and often not."""
SLOW = {"container": 1.0, "microvm": 10.0}
PATIENCE_S, QUIET_S = 120.0, 3.0
MOST, STRANGERS = 6, 8
WISH = DEPLOYMENT_PROBED.replace("16Mi}}", "16Mi}}, volumeMounts: [{name: data, mountPath: /data}]").replace(
    "      containers:", "      volumes: [{name: data, emptyDir: {}}]\n      containers:"
)
CONTROLS = """
import sys
from lab import connect
from lab.objects.controller import Controller
from lab.objects.node import Node
box = connect()
with Controller(Node("n1", box, "8", "1Gi"), Node("n2", box, "8", "1Gi")) as controller:
    print("at work", flush=True)
    for line in sys.stdin:
        for watch in controller._loop._watches:
            {"events": watch._stream, "files": watch._command}[line.strip()].cut()
"""
"""A controller in a process of its own; what it reads tells what is to be cut."""


class Chaos:
    """What can happen to a Deployment ``web``, its pods, the engine and the controller."""

    def __init__(self, running: Running, log: Path) -> None:
        self.box: Box = running.box
        self.nodes = [Node(name, running.box, "8", "1Gi") for name in ("n1", "n2")]
        self.slow = SLOW[running.backend]
        self.web = Deployment.apply(WISH, *self.nodes)
        self.strangers: list[str] = []
        self.dice = random.Random(SEED)  # noqa: S311  (to be drawn again)
        self._environment, self._log = running.environment, log
        self._controller: subprocess.Popen[str] | None = None
        self.said: list[str] = []

    # The controller

    def begin(self) -> None:
        """Start a controller; another one may hold the lock until the machine has noticed its death."""
        assert not self._controller
        until("a controller", self._began, timeout_s=30 * self.slow)

    def _began(self) -> bool:
        with self._log.open("a") as log:
            command = [sys.executable, "-c", CONTROLS]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, env=self._environment, stdin=pipe, stdout=pipe, stderr=log, text=True)
        assert process.stdout
        if process.stdout.readline():
            self._controller = process
            return True
        _close(process)
        assert "Another controller is at work there" in self._log.read_text()
        self._log.write_text("")
        return False

    def end(self, how: int = 0) -> None:
        """End the controller: by a signal, or as a program ends that is told to."""
        if process := self._controller:
            self._controller = None
            if how:
                process.send_signal(how)
            assert process.stdin
            process.stdin.close()
            code = process.wait(60 * self.slow)
            assert code == -how, (code, self._log.read_text())
            _close(process)

    def tell(self, what: str) -> None:
        """Have the controller cut one of its connections."""
        if self._controller:
            assert self._controller.stdin
            self._controller.stdin.write(f"{what}\n")
            self._controller.stdin.flush()

    # What happens

    def happenings(self) -> dict[Callable[[], object], int]:
        """What can happen, and how often in comparison."""
        return {
            self.kill: 6, self.remove: 6, self.kill_the_program: 4, self.stop: 2,
            self.scale: 5, self.update: 4, self.undo: 2,
            self.stranger: 3, self.pod_of_nobody: 1, self.under_other_labels: 3,
            self.cut_events: 4, self.cut_files: 3, self.kill_the_watch: 2,
            self.next_controller: 2, self.kill_controller: 4, self.freeze_controller: 1,
            self.restart_engine: 2, self.kill_engine: 1,
        }  # fmt: skip

    def something(self) -> None:
        """Let one of all that happen, whatever comes of it: the engine may be away at the moment."""
        happenings = self.happenings()
        (what,) = self.dice.choices(list(happenings), list(happenings.values()))
        self.said.append(what.__name__)
        with suppress(CourseError, OSError, DockerException):
            what()

    def _one(self) -> Seen | None:
        pods = self.web.pods()
        return self.dice.choice(pods) if pods else None

    def _container(self) -> str:
        one = self._one()
        return one.pod.container(self.dice.choice(["", "app"])) if one else "none"

    def kill(self) -> None:
        self.box.sh(f"docker kill {self._container()}")

    def remove(self) -> None:
        self.box.sh(f"docker rm -f {self._container()}")

    def stop(self) -> None:
        self.box.sh(f"docker stop -t 1 {self._container()}")

    def kill_the_program(self) -> None:
        self.box.sh(f"kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' {self._container()})")

    def scale(self) -> None:
        self.web.scale(self.dice.randint(0, MOST))

    def update(self) -> None:
        image, now = self.dice.choice(["app:v1", "app:v2", "nosuch:v9"]), self.web.spec.replicas
        Deployment.apply(WISH.replace("app:v1", image).replace("replicas: 3", f"replicas: {now}"), *self.nodes)

    def undo(self) -> None:
        with suppress(UsageError):  # nothing was before
            self.web.undo()

    def stranger(self) -> None:
        """A container that has some labels of a pod, and not all; or those of a pod that there can't be."""
        uid = self.web._kept()["uid"]
        whole = {"app": "web", OWNER: "web", UID: uid, NODE: "n1", KEY: secrets.token_hex(3), PART: "app", MANIFEST: "{}"}
        labels = dict(self.dice.sample(sorted(whole.items()), self.dice.randint(1, len(whole))))
        self._add_stranger(labels)

    def under_other_labels(self) -> None:
        """The container of a pod gives way to one of the same name that is nobody's."""
        if one := self._one():
            name = one.pod.container("app")
            self.box.sh(f"docker rm -f {name}")
            self._add_stranger({"app": "web", PART: "app"}, name)

    def _add_stranger(self, labels: dict[str, str], name: str | None = None) -> None:
        if len(self.strangers) < STRANGERS:
            made = self.box.docker.api.create_container(
                "app:v1", name=name, labels=labels, host_config=self.box.docker.api.create_host_config(restart_policy={"Name": "always"})
            )
            self.strangers.append(made["Id"])
            self.box.docker.api.start(made["Id"])

    def pod_of_nobody(self) -> None:
        if len(self.strangers) < STRANGERS:
            spec = self.web.spec.pod(f"nobody-{len(self.strangers)}", {})
            pod = Pod.create(self.box, spec, node="n1")
            self.strangers += [self.box.docker.api.inspect_container(pod.container(name))["Id"] for name in ("", "app")]

    def cut_events(self) -> None:
        self.tell("events")

    def cut_files(self) -> None:
        self.tell("files")

    def kill_the_watch(self) -> None:
        self.box.sh("killall inotifywait")

    def next_controller(self) -> None:
        """The controller ends as it should; for a moment there is none."""
        self.end()
        time.sleep(self.dice.uniform(0, 2) * self.slow)
        self.begin()

    def kill_controller(self) -> None:
        self.end(signal.SIGKILL)
        self.begin()

    def freeze_controller(self) -> None:
        """As on a computer that was closed for a moment."""
        if process := self._controller:
            process.send_signal(signal.SIGSTOP)
            time.sleep(self.dice.uniform(1, 4))
            process.send_signal(signal.SIGCONT)

    def restart_engine(self) -> None:
        self.box.sh("killall dockerd")

    def kill_engine(self) -> None:
        self.box.sh("killall -9 dockerd")

    def engine_is_back(self) -> None:
        until("the engine to be back", lambda: self.box.sh("docker ps", timeout=60 * self.slow).code == 0, timeout_s=60 * self.slow)

    def complaints(self) -> str:
        """What the controllers have said on standard error."""
        return self._log.read_text()


def _close(process: subprocess.Popen[str]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


@contextmanager
def chaos(running: Running, log: Path) -> Iterator[Chaos]:
    """Chaos that has an end, whatever comes of it."""
    it = Chaos(running, log)
    try:
        it.begin()
        yield it
    finally:
        it.end(signal.SIGKILL)
        for name in Store(it.box, WISHES).all():
            Deployment(name, *it.nodes).delete()
        it.engine_is_back()
        it.box.sh(SWEEP)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_after_all_that_can_happen_there_is_what_is_wanted(running: Running, box: Box, tmp_path: Path) -> None:
    print(f"COURSE_CHAOS_SEED={SEED}")
    with chaos(running, tmp_path / "controllers") as it:
        over = time.monotonic() + CHAOS_S * it.slow
        while time.monotonic() < over:
            it.something()
            time.sleep(it.dice.expovariate(1 / BREATH_S) * it.slow)
        print(" ".join(it.said))
        it.engine_is_back()
        Deployment.apply(WISH.replace("replicas: 3", "replicas: 5").replace("app:v1", "app:v2"), *it.nodes)
        began = time.monotonic()
        it.web.wait(PATIENCE_S * it.slow)
        print(f"All was well after {time.monotonic() - began:.1f} s.")
        there = {one.key for one in it.web.pods()}
        time.sleep(QUIET_S * it.slow)
        assert {one.key for one in it.web.pods()} == there  # nothing more is done
        assert len(there) == 5
        uid = it.web._kept()["uid"]
        api = box.docker.api
        parts = [one for one in api.containers(all=True, filters={"label": f"{UID}={uid}"}) if one["Id"] not in it.strangers]
        assert sorted(one["Labels"][KEY] for one in parts) == sorted([*there, *there])  # pause and the app of each
        assert {one["State"] for one in parts} == {"running"}
        assert {one["Image"] for one in parts} == {"pause", "app:v2"}
        its = {one["Labels"].get(KEY) for one in api.volumes()["Volumes"] or () if one["Labels"].get(UID) == uid}
        assert its == there
        assert set(it.strangers) <= {one["Id"] for one in api.containers(all=True)}
        it.end()
        assert it.complaints() == ""
