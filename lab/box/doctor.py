"""What the course needs of a computer, what is there, and the one command that mends each lack.  It looks, and installs nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.box import engine, kvm, qemu
from lab.box.errors import CourseError
from lab.box.rootfs import find_program
from lab.box.state import State

APT = "sudo apt-get install -y --no-install-recommends"
BUILD_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "gpg": "gpg",
    "fakeroot": "fakeroot",
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "dpkg-deb": "dpkg",
}
"""Program and Debian package: what a build runs."""
OLDEST_QEMU = (7, 2)
"""The first that can connect machines by datagrams."""
NEEDS_QEMU = "QEMU 7.2 or later, for the microvm backend"
NEWER_QEMU = "use Docker: course up --backend container; or a newer system, such as Debian 12 or Ubuntu 24.04"
DISK_GB, MEMORY_GB = 8, 2


@dataclass(frozen=True)
class Finding:
    """One requirement.

    Args:
        name: of what is required.
        ok: it is there.
        found: what was seen.
        mend: the command that mends it; empty where there is nothing to mend.
        required: the course can't do without it.
    """

    name: str
    ok: bool
    found: str
    mend: str = ""
    required: bool = True


def examine() -> list[Finding]:
    """Look at everything; takes a few seconds the first time, because KVM is tried out."""
    try:
        state = State.open()
    except CourseError as error:
        return [_python(), Finding("state directory", ok=False, found=error.why, mend=error.try_next)]
    return [_python(), _computer(), _state(state), *_backends(state), *_shell_tools(), *_build_tools()]


def _python() -> Finding:
    version = platform.python_version()
    return Finding("Python 3.11 or later", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else f"{APT} python3")


def _computer() -> Finding:
    kind = f"{platform.system()} on {platform.machine()}"
    ok = platform.machine() in ("x86_64", "AMD64")
    mend = "" if ok else "use a computer with an x86-64 processor: a box is made of programs for it"
    return Finding("an x86-64 computer", ok, kind, mend)


def _state(state: State) -> Finding:
    free = shutil.disk_usage(state.root).free / 1e9
    memory = psutil.virtual_memory().available / 1e9
    found = f"{state.root}: {free:.0f} GB free; {memory:.1f} GB of memory available"
    built = (state.build).exists()
    if free < (1 if built else DISK_GB):
        return Finding("room", ok=False, found=found, mend="COURSE_STATE=/a/larger/disk course up")
    if memory < MEMORY_GB / 2:
        return Finding("room", ok=False, found=found, mend="close some programs: a box wants about 1 GB of memory", required=False)
    return Finding("room", ok=True, found=found)


def _backends(state: State) -> list[Finding]:
    version, found, lack = qemu.version(), engine.find(state), why_no_qemu()
    verdict = kvm.probe(state)
    either = not lack or found.answers
    return [
        Finding(NEEDS_QEMU, not lack, version or "not installed", NEWER_QEMU if version else f"{APT} qemu-system-x86", not either),
        Finding("KVM, which makes it fast", verdict.works, verdict.why, _kvm_mend(), required=False),
        Finding(
            "a Docker Engine, for the container backend", found.answers,
            f"version {found.version} at {found.address}" if found.answers else found.why, found.try_next, not either,
        ),
    ]  # fmt: skip


def why_no_qemu() -> str:
    """Why no virtual machine can be run here, as a sentence without its full stop; empty where one can."""
    version = qemu.version()
    if version is None:
        return f"{qemu.PROGRAM} is not installed"
    recent = tuple(map(int, re.findall(r"\d+", version)[:2])) >= OLDEST_QEMU
    return "" if recent else f"{qemu.PROGRAM} is too old ({version}; it takes 7.2 or later)"


def _kvm_mend() -> str:
    if kvm.DEVICE.exists() and not os.access(kvm.DEVICE, os.R_OK | os.W_OK):
        return "sudo usermod -aG kvm $USER, and log in again"
    return "nothing to type: without it boxes are emulated, about ten times slower"


def _shell_tools() -> list[Finding]:
    packages = {"ssh": "openssh-client", "ssh-keygen": "openssh-client", "zstd": "zstd"}
    return [_program(program, package) for program, package in packages.items()]


def _build_tools() -> list[Finding]:
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    found = str(keyring) if keyring.exists() else "not installed"
    return [
        *(_program(program, package) for program, package in BUILD_TOOLS.items()),
        Finding("Debian's archive keys", keyring.exists(), found, f"{APT} debian-archive-keyring"),
    ]


def _program(name: str, package: str) -> Finding:
    path = find_program(name)
    return Finding(name, path is not None, path or "not installed", f"{APT} {package}")
