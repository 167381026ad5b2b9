"""The ``container`` backend: a box is one container, with an engine of its own inside, on a Docker engine that the learner already has.

It is what *kind* does for Kubernetes nodes.  The container is privileged where the engine allows that.  Some hosts lack a capability
that ``--privileged`` asks for, and then the engine refuses; there the box gets the capabilities that the engine itself has, one by one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lab.box import engine, segment
from lab.box.access import Access, new_identity, start_relay
from lab.box.box import Status
from lab.box.build import Artefacts
from lab.box.errors import BoxNotRunning, CourseError, NotOnThisBackend
from lab.box.place import Place
from lab.box.processes import Process
from lab.box.progress import Progress
from lab.box.record import Record
from lab.box.roster import seat_again
from lab.box.state import State
from lab.box.template import ping
from lab.box.wait import wait_for

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container as DockerContainer

REPOSITORY = "course-box"
AGENT = ["/usr/bin/python3", "-I", "-S", "/usr/lib/course/agent.py", "-"]
CHANGES = ['ENTRYPOINT ["/sbin/init"]', "ENV COURSE_BACKEND=container"]
KEEP_IMAGES = """
touch /run/course/hold-dockerd && killall dockerd
while pidof dockerd >/dev/null; do sleep 0.1; done
rm -f /var/lib/docker/engine-id
cp -a /var/lib/docker /usr/lib/course/docker
"""
FIND_CAPABILITIES = (
    "for p in /proc/[0-9]*; do [ \"$(cat $p/comm 2>/dev/null)\" = dockerd ] && sed -n 's/^CapEff:\\s*//p' $p/status && exit; done; exit 1"
)
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
)  # fmt: skip
"""By their numbers, as in linux/capability.h, without the three newest: older engines don't know them, and SYS_ADMIN covers them."""
READY_TIMEOUT_S = 60


class Container:
    """One box, or a machine beside it.

    Args:
        place: where its sockets and logs are.
        recipe: the key of the recipe, which is its image's tag.
        environment: the variables that name the outer engine.
    """

    def __init__(self, place: Place, recipe: str, environment: dict[str, str]) -> None:
        self._place, self._state, self._recipe, self._environment = place, place.state, recipe, environment
        self.access = Access(place.directory)

    @property
    def _log(self) -> Path:
        return self._place.home / "log"

    @property
    def _image(self) -> str:
        return f"{REPOSITORY}:{self._recipe}"

    def prepare(self, artefacts: Artefacts, progress: Progress) -> None:
        """Give the outer engine the box's image, with the course's images already in its engine's store.

        Raises:
            CourseError: the outer engine refused something.
        """
        import docker  # noqa: PLC0415  (a quarter of a second that only those who use it pay)

        outer = engine.client(self._environment)
        try:
            outer.images.get(self._image)
        except docker.errors.ImageNotFound:
            _remove_images(outer)
            with progress.step("Giving your Docker Engine the box's image"):
                outer.api.import_image_from_file(str(artefacts.root_tar), f"{REPOSITORY}-root", self._recipe, changes=CHANGES)
            with progress.step("Loading the course's images into it"):
                self._preload(outer, artefacts)
        finally:
            outer.close()

    def _preload(self, outer: docker.DockerClient, artefacts: Artefacts) -> None:
        access = Access(self._state.room("template"))
        root = f"{REPOSITORY}-root:{self._recipe}"
        try:
            container = self._run(outer, root, "template", "template")
            relay = self._relay(container.name, access)
            try:
                self._await_engine(access, relay, container)
                with artefacts.images.open("rb") as archive:
                    access.docker.images.load(archive)
                access.docker.close()
                code, output = container.exec_run(["sh", "-c", KEEP_IMAGES])
                if code:
                    raise CourseError("The course's images could not be kept in the box's image.", output.decode(errors="replace"), "df -h")
                container.commit(REPOSITORY, self._recipe)
            finally:
                relay.kill()
                self._remove(container)
        finally:
            outer.images.remove(root, force=True)
            shutil.rmtree(access.directory)

    def up(self, peers: Mapping[str, str] | None = None) -> float:
        """Start a pristine container.

        Args:
            peers: the addresses of the other machines by their names; a machine beside the box is given a seat among them.

        Returns:
            The seconds until the box's engine, or the machine's shell, answered.

        Raises:
            WaitTimeout: it did not.
            CourseError: the outer engine refused it.
        """
        began = time.monotonic()
        self._place.open()
        name = f"box-{secrets.token_hex(2)}" if self._place.is_box else self._place.name
        with closing(engine.client(self._environment)) as outer:
            container = self._run(outer, self._image, name, self._place.name, **self._seat(outer))
            relay = self._relay(container.name, self.access)
            record = Record(
                name, "container", "native", 0.0, relay, engine=self._environment, recipe=self._recipe, container=container.name,
                number=0 if self._place.is_box else self._place.number, address=(peers or {}).get(name, ""), maker=Process.of(os.getpid()),
            )  # fmt: skip
            self._place.save(record)
            self._become(name, relay, peers or {})
            if self._place.is_box:
                self._await_engine(self.access, relay, container)
                self._place.save(replace(record, ready_s=round(time.monotonic() - began, 3)))
                self.access.start_ssh()
            else:
                self.access.start_ssh()
                self.access.await_ssh()
        return round(time.monotonic() - began, 3)

    def _seat(self, outer: docker.DockerClient) -> dict[str, Any]:
        """How the engine is to connect it: the box to nothing at first, a machine beside it to the others."""
        if self._place.is_box:
            return {"network_mode": "none"}
        joined = segment.network(outer, self._state)
        seat = outer.api.create_endpoint_config(ipv4_address=segment.address_on(joined, self._place.number))
        return {"network": joined.name, "networking_config": {joined.name: seat}}

    def _become(self, name: str, relay: Process, peers: Mapping[str, str]) -> None:
        """Give the container a name and keys of its own."""
        sockets = self._place.directory / "dial.sock"
        wait_for("the box's relay", sockets.stat, timeout_s=READY_TIMEOUT_S, log=self._log, alive=lambda: relay.alive)
        identity = new_identity(self._state, self._place.directory, name, own_kernel=False)
        self.access.control({**identity, "peers": dict(peers), **({} if self._place.is_box else {"seat": {}})})

    def join(self, peers: Mapping[str, str]) -> None:
        """Connect the box with the machines beside it, where it is not yet.

        Args:
            peers: their addresses by their names, the box's included.

        Raises:
            CourseError: the engine refuses.
        """
        import docker  # noqa: PLC0415

        try:
            with closing(engine.client(self._environment)) as outer:
                joined, container = segment.network(outer, self._state), outer.containers.get(self._require().container)
                there = container.attrs["NetworkSettings"]["Networks"]
                if joined.name not in there:
                    for name in there:
                        outer.networks.get(name).disconnect(container)
                    joined.connect(container, ipv4_address=segment.address_on(joined, self._place.number))
        except (docker.errors.DockerException, OSError) as error:
            raise CourseError("Your box could not be connected with the machines.", f"{error}.", "course reset") from None
        self.access.control({"seat": {}, "peers": dict(peers)})

    def _await_engine(self, access: Access, relay: Process, container: DockerContainer) -> None:
        try:
            wait_for("the box's Docker Engine", lambda: ping(access), timeout_s=READY_TIMEOUT_S, alive=lambda: relay.alive)
        except CourseError as error:
            log = container.exec_run(["tail", "-5", "/run/course/log/dockerd"]).output if _running(container) else container.logs(tail=5)
            raise CourseError(error.what, f"{error.why}\n{log.decode(errors='replace')}".strip(), error.try_next) from None

    def _run(self, outer: docker.DockerClient, image: str, name: str, machine: str, **network: Any) -> DockerContainer:
        """Start the container, privileged if the engine can."""
        import docker  # noqa: PLC0415

        label = {engine.OWNER_LABEL: self._state.owner, engine.MACHINE_LABEL: machine}
        full_name = f"course-{self._state.owner}-{name}-{secrets.token_hex(2)}"
        volume = outer.volumes.create(full_name, labels=label)

        def run(**rights: Any) -> DockerContainer:
            return outer.containers.run(
                image, detach=True, name=full_name, hostname=name, labels=label, stop_signal="SIGKILL",
                volumes={volume.name: {"bind": "/var/lib/docker", "mode": "rw"}}, **(network or {"network_mode": "none"}), **rights,
            )  # fmt: skip

        remembered = _Remembered(self._state, outer.info()["ID"])
        try:
            if rights := remembered.rights():
                return run(**rights)
            try:
                container = run(privileged=True)
                remembered.keep({"privileged": True})
            except docker.errors.APIError as error:
                if "caps" not in str(error) and "capabilit" not in str(error):
                    raise
                outer.containers.get(full_name).remove(force=True)
                container = run(**remembered.keep(_rights_of_the_engine(outer, image, label)))
        except docker.errors.APIError as error:
            engine.remove_ours(self._environment, self._state.owner, machine)
            raise CourseError("Your Docker Engine did not start the box.", str(error.explanation), "course up --backend microvm") from None
        return container

    def _relay(self, container: str, access: Access) -> Process:
        self._place.home.mkdir(parents=True, exist_ok=True)
        command = ["docker", "exec", "-i", container, *AGENT]
        return start_relay(access.directory, {"command": command}, self._log, self._environment)

    def _remove(self, container: DockerContainer) -> None:
        volume = container.name
        container.remove(force=True, v=True)
        container.client.volumes.get(volume).remove()

    def stop(self) -> None:
        """End it, as if its plug were pulled; what is remembered of it stays.

        Raises:
            CourseError: the outer engine can't be reached.
        """
        if record := self._place.load():
            record.relay.kill()
        engine.remove_ours(self._environment, self._state.owner, self._place.name)
        shutil.rmtree(self._place.directory, ignore_errors=True)

    def _stop(self) -> None:
        self.stop()
        self._place.forget()

    def reset(self) -> None:
        """Put a pristine container in its place."""
        self._stop()
        self.up()
        seat_again(self._state)

    def down(self) -> None:
        """Remove it, its volume and its logs."""
        self._stop()
        shutil.rmtree(self._place.home, ignore_errors=True)

    def checkpoint(self, name: str) -> NoReturn:
        """A container can't be saved while it runs.

        Raises:
            NotOnThisBackend: always.
        """
        raise _no_going_back(f"The checkpoint {name!r} was not saved.")

    def rewind(self, name: str) -> NoReturn:
        """A container can't be saved while it runs, so there is nothing to go back to.

        Raises:
            NotOnThisBackend: always.
        """
        raise _no_going_back(f"The box was not rewound to {name!r}.")

    def checkpoints(self) -> tuple[str, ...]:
        """None: see ``checkpoint``."""
        return ()

    def status(self) -> Status:
        """How it is.

        Raises:
            BoxNotRunning: it has gone.
            CourseError: its engine does not answer.
        """
        record = self._require()
        return Status(
            record.name, record.backend, record.accelerator, self.access.docker_host, self.access.engine_version(),
            record.ready_s, round(self.memory_mb()), (),
        )  # fmt: skip

    def memory_mb(self) -> float:
        """What it costs the computer now, in MB, its relay included; 0 where it does not run."""
        record = self._place.load()
        if not record or not self.alive():
            return 0.0
        with closing(engine.client(self._environment)) as outer:
            used = outer.containers.get(record.container).stats(stream=False, one_shot=True)["memory_stats"].get("usage", 0)
        return float(used) / 1e6 + record.relay.memory_mb

    def console(self) -> str:
        """What its first process has printed."""
        import docker  # noqa: PLC0415

        record = self._place.load()
        try:
            with closing(engine.client(self._environment)) as outer:
                return str(outer.containers.get(record.container).logs().decode(errors="replace")) if record else ""
        except (docker.errors.DockerException, OSError):
            return ""

    def alive(self) -> bool:
        """Does it run?"""
        import docker  # noqa: PLC0415

        record = self._place.load()
        if not record or not record.container:
            return False
        try:
            with closing(engine.client(self._environment)) as outer:
                return _running(outer.containers.get(record.container))
        except (docker.errors.DockerException, OSError):
            return False

    def mend(self, record: Record) -> None:
        """Start the relay again when it was killed and the container still runs."""
        if record.relay.alive:
            return
        self._require()
        relay = self._relay(record.container, self.access)
        self._place.save(replace(record, relay=relay))
        wait_for("the box's relay", lambda: ping(self.access), timeout_s=READY_TIMEOUT_S, log=self._log)

    def _require(self) -> Record:
        record = self._place.load()
        if record and self.alive():
            return record
        raise BoxNotRunning("There is no box.", "Its container has ended, or its Docker engine does not answer.", "course up")


def _remove_images(outer: docker.DockerClient) -> None:
    """Remove the images of earlier recipes, unless a box still runs on one."""
    import docker  # noqa: PLC0415

    for outdated in outer.images.list(REPOSITORY):
        with suppress(docker.errors.APIError):
            outer.images.remove(outdated.id)


def _running(container: DockerContainer) -> bool:
    container.reload()
    return bool(container.status == "running")


class _Remembered:
    """Which rights a box gets on an engine, so that they are found out once.

    Args:
        state: where they are kept.
        engine_id: the engine's own.
    """

    def __init__(self, state: State, engine_id: str) -> None:
        self._path, self._engine_id = state.root / "rights.json", engine_id

    def rights(self) -> dict[str, Any]:
        """What was kept; empty where nothing was."""
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return dict(kept["rights"]) if kept.get("engine") == self._engine_id else {}

    def keep(self, rights: dict[str, Any]) -> dict[str, Any]:
        """Keep them, and hand them back."""
        self._path.write_text(json.dumps({"engine": self._engine_id, "rights": rights}))
        return rights


def _rights_of_the_engine(outer: docker.DockerClient, image: str, label: dict[str, str]) -> dict[str, Any]:
    """What the engine's own process may do, asked for one by one: for hosts where ``--privileged`` is refused."""
    looker = outer.containers.run(
        image, ["-c", FIND_CAPABILITIES], entrypoint="/bin/sh", pid_mode="host", network_mode="none", labels=label, detach=True
    )
    try:
        looker.wait()
        mask = int(looker.logs(stderr=False), 16)
    finally:
        looker.remove(force=True, v=True)
    return {
        "cap_add": [name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "device_cgroup_rules": ["a *:* rwm"],
    }


def _no_going_back(what: str) -> NotOnThisBackend:
    why = "On the container backend the box is an ordinary container, whose running processes Docker can't save."
    return NotOnThisBackend(what, why, "course reset (back to pristine), or course up --backend microvm, which can go back in time")
