"""Runs one virtual machine: a clone of a warm template, or one that boots, in QEMU as an ordinary user."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lab.box.build.steps import Artefacts
from lab.box.channel.access import Access, start_relay
from lab.box.core import processes
from lab.box.core.instance_dir import InstanceDir
from lab.box.core.processes import Process
from lab.box.core.record import Launched, Origin
from lab.box.drivers.base import Checkpoint, Driver, Features
from lab.box.drivers.microvm import network
from lab.box.drivers.microvm.checkpoint import Checkpoints
from lab.box.drivers.microvm.qemu import VirtualMachine
from lab.box.drivers.microvm.template import Template
from lab.box.errors import CourseError

FEATURES = Features(checkpoints=True, boots=True, own_kernel=True, beside_others=True)


class MicrovmDriver:
    """The driver of one virtual machine.

    Args:
        directory: where its sockets, checkpoints and logs are.
        origin: names its kernel and disk, and the template that it is a clone of.
        boot: it is no clone, but boots; its template is not needed.
    """

    features = FEATURES

    def __init__(self, directory: InstanceDir, origin: Origin, *, boot: bool = False) -> None:
        self.origin, self.access = origin, Access(directory.sockets)
        self._directory, self._boot = directory, boot
        self._template = Template.of(directory.installation, origin.recipe, origin.accelerator)
        artefacts = Artefacts.of(directory.installation, origin.recipe)
        self._checkpoints = Checkpoints(directory.checkpoints, origin, self._template, artefacts)

    @property
    def _vm(self) -> VirtualMachine:
        installation = self._directory.installation
        return VirtualMachine(
            Artefacts.of(installation, self.origin.recipe), None if self._boot else self._template.memory, self._directory.sockets,
            self._directory.console, self.origin.accelerator, switch=network.switch_socket(installation),
            beside=not self._directory.is_box,
        )  # fmt: skip

    def launch(self, name: str, checkpoint: str = "", original: Driver | None = None) -> Launched:  # noqa: ARG002  (its agent is told the name)
        """Start QEMU and a relay: a pristine clone, a machine that boots, one that goes on from a checkpoint, or a copy of one that runs.

        Raises:
            UsageError: there is no such checkpoint, or it does not fit.
            CourseError: there is nothing to clone it from, or QEMU did not start.
        """
        with self._copied(original) if isinstance(original, MicrovmDriver) else self._saved_state(checkpoint) as incoming:
            try:
                relay = self.start_relay()
                began = time.monotonic()
                vm = self._vm.start(self._directory.log, incoming)
                return Launched(relay, vm, running_s=round(time.monotonic() - began, 3))
            except BaseException:
                # While QEMU lives it holds what it reads from open, and what unpacks that would be waited for without end.
                processes.end_all(f"{self._directory.sockets}/")
                raise

    @contextmanager
    def _saved_state(self, checkpoint: str) -> Iterator[int | None]:
        """A descriptor of the state that the machine goes on from; nothing where it boots."""
        if checkpoint:
            with self._checkpoints.opened(checkpoint) as descriptor:
                yield descriptor
        elif self._boot:
            yield None
        else:
            self.require_pristine()
            with self._template.state.open("rb") as saved:
                yield saved.fileno()

    @contextmanager
    def _copied(self, original: MicrovmDriver) -> Iterator[int]:
        """A descriptor from which the state of another machine can be read; that one stands still meanwhile."""
        reading, writing = os.pipe()

        def copy() -> None:
            with open(writing, "wb") as pipe:  # noqa: PTH123  (a descriptor is no path)
                original.write_state(pipe)

        with ThreadPoolExecutor(1) as pool:
            copying = pool.submit(copy)
            try:
                yield reading
                copying.result()
            finally:
                os.close(reading)  # whoever writes would wait for ever for somebody who has ended

    def write_state(self, out: IO[bytes]) -> None:
        """Write the machine's memory and the state of its devices: it stands still meanwhile, and is then told what time it is.

        Raises:
            CourseError: it could not be written.
        """
        with self._checkpoints.saving():
            self._vm.save(out, stopped=False)
        self.access.control({"time": time.time()})

    def require_pristine(self) -> None:
        """Make sure that the template is there.

        Raises:
            CourseError: it is gone.
        """
        if not self._template.state.exists():
            raise CourseError(
                "No pristine box can be made.", "Yours was made by another version of the course, whose template is gone.",
                "course down, and course up (checkpoints go with it)",
            )  # fmt: skip

    def start_relay(self) -> Process:
        """Start a relay into the machine; it waits for QEMU."""
        return start_relay(self._directory.sockets, {"unix": str(self._vm.agent)}, self._directory.log)

    def interface(self) -> dict[str, str]:
        """The address of its network card on the switch, and its IP address."""
        number = self._directory.number
        return {"mac": network.mac(number), "address": f"{network.PREFIX}.{number}/24"}

    def connect(self) -> None:
        """Nothing: its network card is always connected with the switch, and has an address once the agent has set it."""

    def stop(self) -> None:
        """Kill QEMU and the relay."""
        record = self._directory.load()
        if record and record.launched:
            for process in (record.launched.vm, record.launched.relay):
                if process:
                    process.kill()

    def resume(self) -> None:
        """Let QEMU go on if there is a checkpoint that somebody did not finish.

        Raises:
            CourseError: QEMU does not answer.
        """
        if self._checkpoints.unfinished():
            self._vm.resume()

    def alive(self) -> bool:
        """Whether QEMU runs."""
        record = self._directory.load()
        return bool(record and record.launched and record.launched.vm and record.launched.vm.alive)

    def memory_mb(self) -> float:
        """The memory of QEMU and of the relay, each one's share of what it shares with others, in MB; 0 where it does not run."""
        record = self._directory.load()
        if not record or not record.launched or not record.launched.vm:
            return 0.0
        return record.launched.vm.memory_mb + record.launched.relay.memory_mb

    def console(self) -> str:
        """What its kernel printed as it booted; nothing where it is a clone, which never did."""
        console = self._directory.console
        return console.read_text(errors="replace") if console.exists() else ""

    def engine_log(self) -> str:
        """Nothing: that log is inside the machine."""
        return ""

    def checkpoint(self, name: str) -> None:
        """Save it as it is: it stands still while it is saved, for a second or so, and is then told what time it is.

        Raises:
            UsageError: that is no name for a checkpoint.
            CourseError: it could not be saved, for want of space, say.
        """
        record = self._directory.load()
        self._checkpoints.save(name, self._vm, record.name if record else "")
        self.access.control({"time": time.time()})

    def export(self, directory: Path) -> None:
        """Save it as it is into a directory, as ``checkpoint`` does, to be taken elsewhere.

        Raises:
            CourseError: it could not be saved, for want of space, say.
        """
        record = self._directory.load()
        self._checkpoints.export(directory, self._vm, record.name if record else "")
        self.access.control({"time": time.time()})

    def adopt(self, name: str, directory: Path) -> Checkpoint:
        """Take a machine that was exported among the checkpoints.

        Raises:
            UsageError: that is no name for a checkpoint.
            CourseError: it does not fit, or is no saved machine.
        """
        return self._checkpoints.adopt(name, directory)

    def require_checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of that name, which the machine can be put back to.

        Raises:
            UsageError: there is no such checkpoint, or it does not fit.
        """
        return self._checkpoints.require(name)

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Its checkpoints, oldest first."""
        return self._checkpoints.all()
