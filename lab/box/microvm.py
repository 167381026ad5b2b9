"""The ``microvm`` backend: a box is a clone of a warm virtual machine, run by QEMU as an ordinary user."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.box import processes, segment
from lab.box.access import Access, new_identity, start_relay
from lab.box.box import Status
from lab.box.build import Artefacts
from lab.box.errors import BoxNotRunning, CourseError, UsageError
from lab.box.place import Place
from lab.box.processes import Process
from lab.box.qemu import Machine
from lab.box.record import Record
from lab.box.roster import seat_again
from lab.box.template import Template, ping
from lab.box.wait import wait_for

READY_TIMEOUT_S = 90
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


class Microvm:
    """One box, or a machine beside it.

    Args:
        place: where its sockets, checkpoints and logs are.
        artefacts: kernel and disk.
        template: what it is a clone of.
        cold: it is none, but boots; its template is only asked for the accelerator.
    """

    def __init__(self, place: Place, artefacts: Artefacts, template: Template, *, cold: bool = False) -> None:
        self._place, self._artefacts, self._template, self._cold = place, artefacts, template, cold
        self.access = Access(place.directory)

    @property
    def _machine(self) -> Machine:
        memory = None if self._cold else self._template.memory
        hub = segment.hub_socket(self._place.state)
        return Machine(self._artefacts, memory, self._place.directory, self._console, self._template.accelerator, hub=hub)

    @property
    def _console(self) -> Path:
        return self._place.home / "console"

    @property
    def _log(self) -> Path:
        return self._place.home / "log"

    def up(self, peers: Mapping[str, str] | None = None) -> float:
        """Start a pristine clone, or boot.

        Args:
            peers: the addresses of the other machines by their names; a machine beside the box is given a seat among them.

        Returns:
            The seconds until the box's engine, or the machine's shell, answered.

        Raises:
            WaitTimeout: it did not.
            CourseError: it did not take on an identity.
        """
        if self._cold:
            return self._start(None, peers or {})
        with self._template.state.open("rb") as saved:
            return self._start(saved.fileno(), peers or {})

    def _start(self, incoming: int | None, peers: Mapping[str, str]) -> float:
        """Start a machine, give it an identity, wait until it can be used, and remember it; or leave nothing."""
        try:
            return self._launch(incoming, peers)
        except BaseException:
            self._stop()
            processes.end_all(f"{self._place.directory}/")
            raise

    def _launch(self, incoming: int | None, peers: Mapping[str, str]) -> float:
        began = time.monotonic()
        self._place.open()
        name = f"box-{secrets.token_hex(2)}" if self._place.is_box else self._place.name
        relay = start_relay(self._place.directory, {"unix": str(self._machine.agent)}, self._log)
        launched = time.monotonic()
        qemu = self._machine.start(self._log, incoming)
        running_s = round(time.monotonic() - launched, 3)
        record = Record(
            name, "microvm", self._template.accelerator, 0.0, relay, qemu, recipe=self._artefacts.key, running_s=running_s,
            number=0 if self._place.is_box else self._place.number, address=peers.get(name, ""), maker=Process.of(os.getpid()),
        )  # fmt: skip
        self._place.save(record)
        identity = new_identity(self._place.state, self._place.directory, name, own_kernel=True)
        seat = {} if self._place.is_box else self._seat()

        def alive() -> bool:
            return qemu.alive and relay.alive

        sockets, log = self._place.directory / "dial.sock", self._log
        wait_for("the box's relay", sockets.stat, timeout_s=READY_TIMEOUT_S, every_s=0.005, log=log, alive=alive)
        self.access.control({**identity, **seat, "peers": dict(peers), "time": time.time()})
        if self._place.is_box:
            wait_for("the box's Docker Engine", lambda: ping(self.access), timeout_s=READY_TIMEOUT_S, log=log, alive=alive)
            self._place.save(replace(record, ready_s=round(time.monotonic() - began, 3)))
            self.access.start_ssh()
        else:
            self.access.start_ssh()
            self.access.await_ssh()
        return round(time.monotonic() - began, 3)

    def _seat(self) -> dict[str, Any]:
        number = self._place.number
        return {"seat": {"mac": segment.mac(number), "address": f"{segment.PREFIX}.{number}/24"}}

    def join(self, peers: Mapping[str, str]) -> None:
        """Connect the box with the machines beside it.

        Args:
            peers: their addresses by their names, the box's included.
        """
        self.access.control({**self._seat(), "peers": dict(peers)})

    def stop(self) -> None:
        """End it, as if its plug were pulled; what is remembered of it stays."""
        if record := self._place.load():
            for process in (record.machine, record.relay):
                if process:
                    process.kill()
        shutil.rmtree(self._place.directory, ignore_errors=True)

    def _stop(self) -> None:
        """End the machine and what serves it; checkpoints stay."""
        self.stop()
        self._place.forget()

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
        seat_again(self._place.state)

    def down(self) -> None:
        """Remove it, its logs and its checkpoints."""
        self._stop()
        shutil.rmtree(self._place.home, ignore_errors=True)

    def checkpoint(self, name: str) -> None:
        """Save it as it is: it stands still while it is saved, for a second or so, and is told afterwards what time it is.

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
        self.access.control({"time": time.time()})

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
            self._start(incoming, {})
        seat_again(self._place.state)

    def checkpoints(self) -> tuple[str, ...]:
        """Their names, oldest first."""
        found = sorted(self._place.home.glob("checkpoints/*.zst"), key=lambda path: path.stat().st_mtime)
        return tuple(path.stem for path in found)

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} can't be the name of a checkpoint.",
                "A name has 1 to 40 letters, digits, hyphens or underscores, and starts with a letter or a digit.",
                "course checkpoint before-lunch",
            )
        return self._place.home / "checkpoints" / f"{name}.zst"

    def status(self) -> Status:
        """How it is.

        Raises:
            BoxNotRunning: it has gone.
            CourseError: its engine does not answer.
        """
        record = self._place.load()
        if not record or not self.alive():
            raise BoxNotRunning("There is no box.", "Its virtual machine has ended.", "course up")
        return Status(
            record.name, record.backend, record.accelerator, self.access.docker_host, self.access.engine_version(),
            record.ready_s, round(self.memory_mb()), self.checkpoints(),
        )  # fmt: skip

    def memory_mb(self) -> float:
        """What it costs the computer now, in MB, its relay included; 0 where it does not run."""
        record = self._place.load()
        return record.machine.memory_mb + record.relay.memory_mb if record and record.machine else 0.0

    def console(self) -> str:
        """What it printed as it booted; nothing where it is a clone, which never did."""
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    def alive(self) -> bool:
        """Does it run?"""
        record = self._place.load()
        return bool(record and record.machine and record.machine.alive)

    def mend(self, record: Record) -> None:
        """Start the relay again when it was killed and the machine still runs."""
        if not record.relay.alive:
            relay = start_relay(self._place.directory, {"unix": str(self._machine.agent)}, self._log)
            self._place.save(replace(record, relay=relay))
            wait_for("the box's relay", lambda: ping(self.access), timeout_s=READY_TIMEOUT_S, log=self._log)


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
