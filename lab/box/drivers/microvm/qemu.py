"""Virtual machines, run by QEMU as an ordinary user.

The trick that makes a box ready at once is virtual-machine templating: the memory of a machine that has booted and warmed up lies in a
file, and every clone maps that file copy-on-write.  Only the small state of the devices is loaded; memory comes page by page, and pages
that nobody writes are shared by all clones.  QEMU calls it the ``x-ignore-shared`` migration capability.

QEMU itself is shut in: no privilege, no new processes (``-sandbox``), no network; files reach it as open descriptors.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import operator
import re
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

from lab.box.build import recipe
from lab.box.build.steps import Artefacts
from lab.box.core import memory
from lab.box.core.installation import Installation
from lab.box.core.processes import Process, spawn
from lab.box.errors import CourseError, NoBackend
from lab.box.wait import wait_for

T = TypeVar("T")
PROGRAM = "qemu-system-x86_64"
OLDEST = (7, 2)
"""The first version that can connect machines by datagrams."""
MACHINE_TYPE = "pc-i440fx-6.2"
"""A versioned machine, so that a template made with one QEMU loads in a later one."""
KERNEL_OPTIONS = (
    "console=ttyS0 panic=-1 cgroup_no_v1=all mitigations=off audit=0 apparmor=0 no_timer_check tsc=reliable "
    "random.trust_cpu=on net.ifnames=0"
)
FIXED_ADDRESSES = " norandmaps"
"""For emulation: QEMU ties its translations to virtual addresses, so a program that lies elsewhere each time is translated each time, which
takes most of a container's start.  It costs one of the mitigations inside the learner's own machine."""
CACHE_MB, SMALL_CACHE_MB, SMALL_COMPUTER_MB = 256, 160, 4000
"""QEMU's cache of translated code, which every emulated clone pays in memory.  The smaller one is for machines beside the box, on a
computer with less memory than that.

What a container's start runs fits into 160 MB.  Into 128 it does not: all is translated again each time, and a start takes twice as long;
with 64 MB it takes three times as long.  A lesson runs more, and 160 MB were full every 20 seconds.
"""
IGNORE_SHARED = {"capabilities": [{"capability": "x-ignore-shared", "state": True}]}
"""Leave memory that lies in a shared file out of the saved state."""
COST_MB = 600
"""What a machine that runs something small takes, its cache full."""
EMULATED = "tcg"
LOAD_TIMEOUT_S, SAVE_TIMEOUT_S = 60, 600
ASK_EVERY_S = 0.005
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # else it complains on stderr of what is also an exception
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


@dataclass(frozen=True)
class VirtualMachine:
    """One virtual machine's hardware.

    Args:
        artefacts: kernel, initramfs and disk.
        memory: the file that holds its memory: a template writes to it, a clone maps it copy-on-write.  None: ordinary memory; the machine
            boots and prints its kernel's messages on the console.
        directory: gets the sockets ``agent.sock``, ``qmp.sock`` and ``net.sock``; private and short.
        console: gets what the kernel prints.
        accelerator: ``kvm`` or ``tcg``.
        writes_memory: it writes to *memory* itself, as a template does while it is made, and not to pages of its own.
        switch: the socket of the segment that it is on, which need not be there yet; without one it is alone.
        beside: it is a machine beside the box.
    """

    artefacts: Artefacts
    memory: Path | None
    directory: Path
    console: Path
    accelerator: str
    writes_memory: bool = False
    switch: Path | None = None
    beside: bool = False

    @property
    def agent(self) -> Path:
        """The access channel."""
        return self.directory / "agent.sock"

    @property
    def monitor(self) -> Path:
        """QEMU's control socket."""
        return self.directory / "qmp.sock"

    def start(self, log: Path, incoming: int | None = None) -> Process:
        """Boot it, or, given a descriptor of saved state, go on from there.

        Args:
            log: gets QEMU's complaints.
            incoming: a descriptor, open for reading; the caller closes it.  Start the relay first: the machine waits until it is connected.

        Raises:
            NoBackend: QEMU is not installed.
            WaitTimeout: QEMU's monitor did not answer.
            CourseError: QEMU did not load the state, or no relay connected.
        """
        program = shutil.which(PROGRAM)
        if not program:
            raise NoBackend("A virtual machine can't be started.", f"{PROGRAM} is not installed.", "course doctor")
        for path in (self.agent, self.monitor):
            path.unlink(missing_ok=True)
        command = [program, *self.options()]
        if incoming is None:
            return spawn(command, log)
        process = spawn([*command, "-S", "-incoming", "defer"], log, fds=(incoming,))
        wait_for("QEMU's monitor", self._connectable, timeout_s=20, every_s=0.005, log=log, alive=lambda: process.alive)

        async def go_on(client: Any) -> None:
            await client.execute("migrate-set-capabilities", IGNORE_SHARED)
            await client.execute("migrate-incoming", {"uri": f"fd:{incoming}"})
            await _until(lambda: self._loaded(client), LOAD_TIMEOUT_S)
            await _until(lambda: self._has_relay(client), LOAD_TIMEOUT_S)
            await client.execute("cont")

        self.run_qmp(go_on)
        return process

    @staticmethod
    async def _loaded(client: Any) -> bool:
        return bool((await client.execute("query-status"))["status"] != "inmigrate")

    @staticmethod
    async def _has_relay(client: Any) -> bool:
        """Is the access channel connected?  A guest that writes to it before would silence it (see ``relay.connect``)."""
        channels = await client.execute("query-chardev")
        return any(found["label"] == "agent" and not found["filename"].startswith("disconnected:") for found in channels)

    def _connectable(self) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.monitor))

    def options(self) -> list[str]:
        """QEMU's command line, which is what the machine is made of."""
        accelerator = "kvm" if self.accelerator == "kvm" else f"{EMULATED},tb-size={cache_mb(beside=self.beside)}"
        share = "on" if self.writes_memory else "off"
        kind = f"memory-backend-file,mem-path={_quoted(self.memory)},share={share}" if self.memory else "memory-backend-ram"
        kernel = KERNEL_OPTIONS + (" quiet" if self.memory else " course.cold") + ("" if self.accelerator == "kvm" else FIXED_ADDRESSES)
        return [
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-sandbox", SANDBOX,
            "-machine", f"{MACHINE_TYPE},memory-backend=m,usb=off,vmport=off", "-accel", accelerator, "-cpu", recipe.CPU_MODEL, "-smp", "1",
            "-m", str(recipe.MEMORY_MB), "-object", f"{kind},id=m,size={recipe.MEMORY_MB}M",
            "-kernel", str(self.artefacts.kernel), "-initrd", str(self.artefacts.initramfs), "-append", kernel,
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={_quoted(self.agent)},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=course",
            "-drive", f"file={_quoted(self.artefacts.disk)},if=none,id=disk,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=disk",
            "-netdev", f"{self._network()},id=segment", "-device", "virtio-net-pci,netdev=segment,romfile=",
            "-device", "virtio-rng-pci", "-serial", f"file:{self.console}", "-qmp", f"unix:{_quoted(self.monitor)},server=on,wait=off",
        ]  # fmt: skip

    def _network(self) -> str:
        """How its network card is connected.  A clone's need not be as its template's was: to the machine both look the same."""
        if not self.switch:
            return "hubport,hubid=0"
        ours = self.directory / "net.sock"
        return f"dgram,local.type=unix,local.path={_quoted(ours)},remote.type=unix,remote.path={_quoted(self.switch)}"

    def run_qmp(self, script: Callable[[Any], Awaitable[T]]) -> T:
        """Run a conversation with QEMU's monitor; works with and without an event loop running in this thread.

        Args:
            script: given a connected ``qemu.qmp.QMPClient``.

        Raises:
            CourseError: QEMU refused something, or is gone.
        """

        async def converse() -> T:
            from qemu.qmp import QMPClient, QMPError  # noqa: PLC0415  (loaded by those who use it)

            client = QMPClient("course")
            try:
                await client.connect(str(self.monitor))
                return await script(client)
            except (QMPError, OSError) as error:
                why = str(error) or "It took too long."
                raise CourseError("The virtual machine did not do as it was told.", why, "course reset") from None
            finally:
                with suppress(QMPError, OSError, EOFError):
                    await client.disconnect()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, converse()).result()

    def save(self, out: IO[bytes], *, stopped: bool) -> None:
        """Stop the machine, and write its state, and its memory unless that is a file of its own.

        It could go on meanwhile, and be stopped for the last pages alone; but emulation loses track of what a machine writes while it is
        saved (https://lists.gnu.org/archive/html/qemu-devel/2015-09/msg00902.html): the copy's kernel then finds its timers in disorder,
        and hangs or panics.

        Args:
            out: where to; a file or a pipe.
            stopped: leave the machine stopped, as a template must be.

        Raises:
            CourseError: QEMU refused, or the save failed.
        """

        async def script(client: Any) -> None:
            await client.execute("stop")
            try:
                await client.execute("migrate-set-capabilities", IGNORE_SHARED)
                await client.execute("migrate-set-parameters", {"max-bandwidth": 1 << 40})
                client.send_fd_scm(out.fileno())
                await client.execute("getfd", {"fdname": "state"})
                await client.execute("migrate", {"uri": "fd:state"})
                await _until(lambda: self._saved(client), SAVE_TIMEOUT_S)
            finally:
                if not stopped:
                    await client.execute("cont")

        self.run_qmp(script)

    def resume(self) -> None:
        """Let the machine go on if it is stopped: whoever saved it was killed before it could do so.

        Raises:
            CourseError: QEMU does not answer.
        """

        async def script(client: Any) -> None:
            if (await client.execute("query-status"))["status"] in {"paused", "postmigrate", "finish-migrate"}:
                await client.execute("cont")

        self.run_qmp(script)

    @staticmethod
    async def _saved(client: Any) -> bool:
        status = await client.execute("query-migrate")
        if status["status"] in {"failed", "cancelled"}:
            raise CourseError("The machine's state could not be saved.", status.get("error-desc", ""), "df -h")
        return bool(status["status"] == "completed")


async def _until(predicate: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
    """Ask QEMU again and again until the answer is yes: it sends no event for these.

    Raises:
        TimeoutError: it did not become so in time.
    """

    async def ask() -> bool:  # tenacity awaits what it knows to be a coroutine function, and a lambda is none
        return await predicate()

    attempts = AsyncRetrying(stop=stop_after_delay(timeout_s), wait=wait_fixed(ASK_EVERY_S), retry=retry_if_result(operator.not_))
    try:
        async with asyncio.timeout(timeout_s):  # also where QEMU does not answer at all
            await attempts(ask)
    except RetryError:
        raise TimeoutError(f"QEMU was not ready within {timeout_s:g} s.") from None


def cache_mb(*, beside: bool) -> int:
    """The size of the cache of translated code, in MB, of a machine beside the box, or of the box."""
    return SMALL_CACHE_MB if beside and memory.total_mb() < SMALL_COMPUTER_MB else CACHE_MB


def _quoted(path: Path) -> str:
    """A path for one of QEMU's option lists, in which a comma is doubled."""
    return str(path).replace(",", ",,")


def version() -> str | None:
    """QEMU's version, or nothing where it is not installed."""
    if not shutil.which(PROGRAM):
        return None
    words = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return words[3] if len(words) > 3 else None


def why_not(version: str | None) -> str:
    """Why no virtual machine can run here with this version of QEMU, a sentence without its full stop; empty where one can.

    Args:
        version: as ``version`` gives it.
    """
    if version is None:
        return f"{PROGRAM} is not installed"
    recent = tuple(map(int, re.findall(r"\d+", version)[:2])) >= OLDEST
    return "" if recent else f"{PROGRAM} is too old ({version}; it takes 7.2 or later)"


def hardware_key() -> str:
    """A name, 6 hex digits, for the hardware that this version of the course gives its virtual machines: a saved one fits no other."""
    nowhere = Path()
    example = VirtualMachine(Artefacts.of(Installation(nowhere), ""), nowhere, nowhere, nowhere, "tcg")
    made_of = [option for option in example.options() if not option.startswith(EMULATED)]  # its cache is no part of the machine
    return hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:6]
