"""The ``microvm`` backend: a box is a clone of a warm virtual machine, run by QEMU as an ordinary user."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab.box import processes
from lab.box.access import Access, new_identity, start_relay
from lab.box.box import Status
from lab.box.build import Artefacts
from lab.box.errors import BoxNotRunning, CourseError, UsageError
from lab.box.qemu import Machine
from lab.box.record import Record
from lab.box.state import State
from lab.box.template import Template, ping
from lab.box.wait import wait_for

READY_TIMEOUT_S = 90
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


class Microvm:
    """One box.

    Args:
        state: where its checkpoints and logs are.
        artefacts: kernel and disk.
        template: what it is a clone of.
    """

    def __init__(self, state: State, artefacts: Artefacts, template: Template) -> None:
        self._state, self._artefacts, self._template = state, artefacts, template
        self._directory = state.runtime / "box"
        self._home = state.boxes / "microvm"
        self.access = Access(self._directory)

    @property
    def _machine(self) -> Machine:
        return Machine(self._artefacts, self._template.memory, self._directory, self._home / "console", self._template.accelerator)

    def up(self) -> None:
        """Start a pristine clone.

        Raises:
            WaitTimeout: its engine did not answer.
            CourseError: it did not take on an identity.
        """
        with self._template.state.open("rb") as saved:
            self._start(saved.fileno())

    def _start(self, incoming: int) -> None:
        """Start a machine from saved state, give it an identity, wait for its engine, and remember it; or leave nothing."""
        try:
            self._launch(incoming)
        except BaseException:
            self._stop()
            processes.end_all(f"{self._directory}/")
            raise
        self.access.start_ssh()

    def _launch(self, incoming: int) -> None:
        began = time.monotonic()
        self._state.room("box")
        self._home.mkdir(parents=True, exist_ok=True)
        log = self._home / "log"
        name = f"box-{secrets.token_hex(2)}"
        relay = start_relay(self._directory, {"unix": str(self._machine.agent)}, log)
        launched = time.monotonic()
        qemu = self._machine.start(log, incoming)
        running_s = round(time.monotonic() - launched, 3)
        record = Record(name, "microvm", self._template.accelerator, 0.0, relay, qemu, recipe=self._artefacts.key, running_s=running_s)
        record.save(self._state)
        identity = new_identity(self._state, self._directory, name, own_kernel=True)

        def alive() -> bool:
            return qemu.alive and relay.alive

        sockets = self._directory / "dial.sock"
        wait_for("the box's relay", sockets.stat, timeout_s=READY_TIMEOUT_S, every_s=0.005, log=log, alive=alive)
        self.access.control({**identity, "time": time.time()})
        wait_for("the box's Docker Engine", lambda: ping(self.access), timeout_s=READY_TIMEOUT_S, log=log, alive=alive)
        replace(record, ready_s=round(time.monotonic() - began, 3)).save(self._state)

    def _stop(self) -> None:
        """End the machine and what serves it; checkpoints stay."""
        if record := Record.load(self._state):
            for process in (record.machine, record.relay):
                if process:
                    process.kill()
        Record.forget(self._state)
        shutil.rmtree(self._directory, ignore_errors=True)

    def reset(self) -> None:
        """Put a pristine clone in its place.

        Raises:
            CourseError: there is nothing to clone it from.
        """
        if not self._template.state.exists():
            raise CourseError(
                "Your box can't be reset.",
                "It was made by another version of the course, whose template is gone.",
                "course down; course up",
            )
        self._stop()
        self.up()

    def down(self) -> None:
        """Remove it, its logs and its checkpoints."""
        self._stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def checkpoint(self, name: str) -> None:
        """Save it as it is: pauses it for some milliseconds, takes a second or so.

        Raises:
            UsageError: that is no name for a checkpoint.
            CourseError: it could not be saved, for want of space, say.
        """
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".partial")
        try:
            with scratch.open("wb") as file:
                packer = subprocess.Popen(["zstd", "-1", "-q", "-c"], stdin=subprocess.PIPE, stdout=file)
                assert packer.stdin
                with packer.stdin:
                    self._machine.save(packer.stdin, stopped=False)
            if packer.wait():
                raise CourseError(f"The checkpoint {name!r} could not be written.", f"zstd ended with {packer.returncode}.", "df -h")
            scratch.rename(path)
        finally:
            scratch.unlink(missing_ok=True)

    def rewind(self, name: str) -> None:
        """Go back to a checkpoint.

        Raises:
            UsageError: there is no such checkpoint.
        """
        path = self._path(name)
        if not path.exists():
            known = ", ".join(self.checkpoints()) or "none yet"
            raise UsageError(f"There is no checkpoint {name!r}.", f"There are: {known}.", f"course checkpoint {name}")
        self._stop()
        with _unpacked(path) as incoming:
            self._start(incoming)

    def checkpoints(self) -> tuple[str, ...]:
        """Their names, oldest first."""
        found = sorted(self._home.glob("checkpoints/*.zst"), key=lambda path: path.stat().st_mtime)
        return tuple(path.stem for path in found)

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} can't be the name of a checkpoint.",
                "A name has 1 to 40 letters, digits, hyphens or underscores, and starts with a letter or a digit.",
                "course checkpoint before-lunch",
            )
        return self._home / "checkpoints" / f"{name}.zst"

    def status(self) -> Status:
        """How it is.

        Raises:
            BoxNotRunning: it has gone.
            CourseError: its engine does not answer.
        """
        record = Record.load(self._state)
        if not record or not record.machine or not record.machine.alive:
            raise BoxNotRunning("There is no box.", "Its virtual machine has ended.", "course up")
        return Status(
            record.name, record.backend, record.accelerator, self.access.docker_host, self.access.engine_version(),
            record.ready_s, round(record.machine.memory_mb + record.relay.memory_mb), self.checkpoints(),
        )  # fmt: skip

    def mend(self, record: Record) -> None:
        """Start the relay again when it was killed and the machine still runs."""
        if not record.relay.alive:
            relay = start_relay(self._directory, {"unix": str(self._machine.agent)}, self._home / "log")
            replace(record, relay=relay).save(self._state)
            wait_for("the box's relay", lambda: ping(self.access), timeout_s=READY_TIMEOUT_S, log=self._home / "log")


@contextmanager
def _unpacked(path: Path) -> Iterator[int]:
    """A descriptor from which a compressed file reads as it was.

    Raises:
        CourseError: the file is damaged, and so what read it failed.
    """
    unpacker = subprocess.Popen(["zstd", "-d", "-q", "-c", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert unpacker.stdout
    try:
        with unpacker.stdout:
            yield unpacker.stdout.fileno()
    except CourseError:
        if unpacker.wait() > 0:
            raise CourseError(
                f"The checkpoint {path.stem!r} is damaged.", "It can't be unpacked, so the box was ended.", "course up"
            ) from None
        raise
    finally:
        unpacker.wait()
