"""Does hardware virtualisation truly work here?

``/dev/kvm`` can exist and open although KVM does not work: the guest then hangs, or QEMU aborts.  So the answer is found by booting
something under KVM.  The smallest guest there is will do: a boot sector that tells QEMU to exit with a certain code, timed against the same
guest under emulation.  The verdict is stored with QEMU's version, the host's boot and our access to the device: if one changes, it is
tested again.  What passes this and still fails with a real kernel is found when the template boots (see ``mark_broken``).
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.box.build import recipe
from lab.box.core.installation import Installation
from lab.box.drivers.microvm import qemu

DEVICE = Path("/dev/kvm")
MARK = 0x2A
BOOT_TIMEOUT_S = 5
BOOT_SECTOR = bytes([0xB0, MARK, 0xE6, 0xF4, 0xF4]) + bytes(505) + b"\x55\xaa"
"""``mov al, MARK; out 0xf4, al; hlt``, padded to the 512 bytes and the signature that firmware looks for."""
EXIT_CODE = MARK << 1 | 1
"""QEMU's exit code after the guest wrote ``MARK`` to the device isa-debug-exit."""
MAX_SLOWDOWN = 3
"""Under a KVM that works the guest is done sooner than emulated; one that takes this many times as long only pretends."""
NOISE_S = 1.0
"""Unless it is done so soon that the difference is noise."""


@dataclass(frozen=True)
class Verdict:
    """Whether KVM works, and how that is known."""

    works: bool
    why: str


def probe(installation: Installation, version: str | None = None) -> Verdict:
    """Whether KVM works here: the stored verdict, or else a test, which takes up to ten seconds (two guests, at most 5 s each).

    Args:
        installation: remembers the verdict.
        version: QEMU's, where it is known already.
    """
    version = version or qemu.version()
    circumstances = f"{version} {_boot_id()} {os.access(DEVICE, os.R_OK | os.W_OK)}"
    memory = installation.root / "kvm.json"
    try:
        remembered = json.loads(memory.read_text())
        if remembered.pop("circumstances") == circumstances:
            return Verdict(**remembered)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    verdict = _try(version)
    memory.write_text(json.dumps({"circumstances": circumstances, **asdict(verdict)}))
    return verdict


def mark_broken(installation: Installation, why: str) -> None:
    """Store that KVM does not work here, although the test guest ran: a real machine failed under it."""
    memory = installation.root / "kvm.json"
    circumstances = json.loads(memory.read_text())["circumstances"]
    memory.write_text(json.dumps({"circumstances": circumstances, "works": False, "why": why}))


def _try(version: str | None) -> Verdict:
    if not DEVICE.exists():
        return Verdict(works=False, why=f"{DEVICE} is not there")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return Verdict(works=False, why=f"{DEVICE} may not be opened by you")
    if version is None:
        return Verdict(works=False, why=f"{qemu.PROGRAM} is not installed")
    with tempfile.NamedTemporaryFile(prefix="course-kvm-") as disk:
        disk.write(BOOT_SECTOR)
        disk.flush()
        emulated, _ = _boot("tcg", disk.name)
        virtual, complaint = _boot("kvm", disk.name)
    if virtual is None:
        return Verdict(works=False, why=f"{DEVICE} opens, but a tiny guest {complaint}")
    if emulated and virtual > max(NOISE_S, MAX_SLOWDOWN * emulated):
        return Verdict(works=False, why=f"{DEVICE} opens, but a tiny guest took {virtual:.1f} s under it, and {emulated:.1f} s emulated")
    return Verdict(works=True, why=f"a tiny guest ran under it in {virtual:.1f} s")


def _boot(accelerator: str, disk: str) -> tuple[float | None, str]:
    """Boot the tiny guest; the seconds that it took, or nothing and what became of it."""
    command = [
        qemu.PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-accel", accelerator, "-cpu", recipe.CPU_MODEL, "-m", "16",
        "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive", f"file={disk},format=raw,if=floppy,readonly=on",
    ]  # fmt: skip
    began = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOOT_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None, f"did not get through its five bytes in {BOOT_TIMEOUT_S} s"
    if done.returncode == EXIT_CODE:
        return time.monotonic() - began, ""
    return None, "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
