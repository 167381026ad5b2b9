"""What the course needs of a computer, what is there, and the one command that mends each lack.  It looks, and installs nothing."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from lab.box.build.host_tools import find_program
from lab.box.core.installation import Installation
from lab.box.core.instance_dir import InstanceDir, box_record
from lab.box.core.memory import free_mb
from lab.box.drivers.base import Finding
from lab.box.drivers.registry import BACKENDS, driver_of
from lab.box.errors import CourseError
from lab.box.machine.command import Request, collect

APT = "sudo apt-get install -y --no-install-recommends"
BUILD_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "gpg": "gpg",
    "mkfs.erofs": "erofs-utils",
    "cpio": "cpio",
    "dpkg-deb": "dpkg",
}
"""Program and Debian package: what a build runs."""
DEVICES = ("dummy", "vlan", "ipvlan", "macvlan", "vxlan")
KERNEL = f"""
unshare --net sh -c 'ip link add up type bridge; for kind in {" ".join(DEVICES)}; do
    case $kind in vlan) more="id 5" ;; vxlan) more="id 5 dstport 4789" ;; *) more= ;; esac
    ip link add link up name new type $kind $more 2>/dev/null && ip link delete new || echo $kind
done
ipvsadm -L >/dev/null 2>&1 || echo IPVS'
"""
"""A shell script that names what can't be made, in a network of its own."""
ANSWER_S = 10
DISK_GB, MEMORY_GB = 8, 2


def examine() -> list[Finding]:
    """Look at everything; takes a few seconds the first time, because KVM is tried out."""
    try:
        installation = Installation.open()
    except CourseError as error:
        return [_python(), Finding("state directory", ok=False, found=error.why, mend=error.try_next)]
    tools = [*_shell_tools(), *_build_tools()]
    return [_python(), _computer(), _room(installation), *_backends(installation), *tools, *_shared_kernel(installation)]


def _python() -> Finding:
    version = platform.python_version()
    return Finding("Python 3.11 or later", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else f"{APT} python3")


def _computer() -> Finding:
    kind = f"{platform.system()} on {platform.machine()}"
    ok = platform.machine() in ("x86_64", "AMD64")
    mend = "" if ok else "use a computer with an x86-64 processor: a box is made of programs for it"
    return Finding("an x86-64 computer", ok, kind, mend)


def _room(installation: Installation) -> Finding:
    free = shutil.disk_usage(installation.root).free / 1e9
    memory = free_mb() / 1e3
    found = f"{installation.root}: {free:.0f} GB free; {memory:.1f} GB of memory available"
    built = installation.build.exists()
    if free < (1 if built else DISK_GB):
        return Finding("room", ok=False, found=found, mend="COURSE_STATE=/a/larger/disk course up")
    if memory < MEMORY_GB / 2:
        return Finding("room", ok=False, found=found, mend="close some programs: a box wants about 1 GB of memory", required=False)
    return Finding("room", ok=True, found=found)


def _backends(installation: Installation) -> list[Finding]:
    """What the backends need: each is required only where no other one works."""
    found = {backend.name: backend.findings(installation) for backend in BACKENDS.values()}
    works = [name for name, findings in found.items() if all(finding.ok for finding in findings if finding.required)]
    return [replace(finding, required=finding.required and not works) for findings in found.values() for finding in findings]


def _shared_kernel(installation: Installation) -> list[Finding]:
    """What the kernel of the box lacks of what tutorials use, where a box runs that shares its host's."""
    record = box_record(installation)
    if not record:
        return []
    driver = driver_of(InstanceDir(installation, record.backend))
    if driver.features.own_kernel or not driver.alive():
        return []
    try:
        said = collect(driver.access.dial("command"), Request(KERNEL, ANSWER_S, merged=True))[1]
    except CourseError as error:
        return [Finding("the kernel that your box shares", ok=False, found=error.what, mend=error.try_next, required=False)]
    lacks = said.decode().split()
    found = f"it has no {', '.join(lacks)}" if lacks else f"it has {', '.join(DEVICES)} and IPVS"
    mend = "course up --backend microvm, if you need them"
    return [Finding("the kernel that your box shares", not lacks, found, mend, required=False)]


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
