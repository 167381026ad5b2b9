"""The doctor names what is missing and the one command that mends it, and touches nothing.  The computers here are made up of PATHs."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.box import doctor
from lab.box.build import host_tools
from lab.box.core.installation import Installation
from lab.box.core.record import ENGINE_VARIABLES
from lab.box.doctor import Finding, examine
from lab.box.drivers.container import engine
from lab.box.drivers.microvm import kvm, qemu

NEEDED = {*doctor.BUILD_TOOLS, "ssh", "ssh-keygen", "zstd"}
NOTE = '#!/bin/sh\necho "$(basename "$0") $*" >> \'{log}\'\n{does}\n'
QEMU = f'case "$*" in *--version*) echo QEMU emulator version 9.0.0 ;; *) exit {kvm.EXIT_CODE} ;; esac'


@dataclass
class Computer:
    """A computer on which certain programs are installed; they do next to nothing, and note that they ran."""

    home: Path

    def install(self, *names: str, does: str = "") -> None:
        for name in names:
            program = self.home / "bin" / name
            program.write_text(NOTE.format(log=self.home / "log", does=does))
            program.chmod(0o755)

    def uninstall(self, name: str) -> None:
        (self.home / "bin" / name).unlink()

    @property
    def ran(self) -> list[str]:
        """The names of the programs that ran, each once."""
        log = self.home / "log"
        return sorted({line.split()[0] for line in log.read_text().splitlines()}) if log.exists() else []

    @staticmethod
    def findings() -> dict[str, Finding]:
        return {finding.name: finding for finding in examine()}


def roomy(monkeypatch: pytest.MonkeyPatch, free_gb: float, memory_gb: float) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=free_gb * 1e9))
    monkeypatch.setattr(doctor, "free_mb", lambda: memory_gb * 1e3)


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    """One that has everything but a Docker engine."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "kvm").touch()
    for name in ENGINE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(host_tools, "SYSTEM_PATH", ())
    monkeypatch.setattr(kvm, "DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(kvm, "MAX_SLOWDOWN", 1000)  # scripts take no time worth comparing
    monkeypatch.setattr(doctor.platform, "machine", lambda: "x86_64")
    roomy(monkeypatch, 100, 8)
    computer = Computer(tmp_path)
    computer.install(*NEEDED, "docker", "sudo", "apt-get", "apt", "usermod", "pip")
    computer.install(qemu.PROGRAM, does=QEMU)
    for name in ("echo", "basename"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name, path="/usr/bin:/bin") or pytest.fail(name))
    return computer


def in_order(findings: dict[str, Finding]) -> None:
    """What is there has nothing to complain about; what is missing has something to type."""
    for finding in findings.values():
        assert finding.found
        assert finding.ok or finding.mend


def test_a_computer_that_has_everything(computer: Computer) -> None:
    findings = computer.findings()
    in_order(findings)
    keys = "Debian's archive keys"
    lacking = {name for name, finding in findings.items() if not finding.ok} - {keys}
    assert lacking == {"a Docker Engine, for the container backend"}
    assert not findings["a Docker Engine, for the container backend"].required
    assert findings["QEMU 7.2 or later, for the microvm backend"].found == "9.0.0"


def test_it_only_looks(computer: Computer) -> None:
    before = {path for path in computer.home.rglob("*") if "state" not in path.parts}
    computer.findings()
    assert computer.ran == [qemu.PROGRAM]
    after = {path for path in computer.home.rglob("*") if "state" not in path.parts}
    assert after - before == {computer.home / "log"}
    assert {path.name for path in (computer.home / "state").iterdir()} == {"kvm.json"}


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_missing_program_is_named_with_the_package_that_brings_it(computer: Computer, name: str) -> None:
    computer.uninstall(name)
    findings = computer.findings()
    in_order(findings)
    package = {**doctor.BUILD_TOOLS, "ssh": "openssh-client", "ssh-keygen": "openssh-client", "zstd": "zstd"}[name]
    assert findings[name] == Finding(name, ok=False, found="not installed", mend=f"{doctor.APT} {package}")
    assert {other for other in NEEDED if not findings[other].ok} == {name}


def test_a_computer_that_has_nothing(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(computer.home / "nowhere"))
    findings = computer.findings()
    in_order(findings)
    assert not [name for name in NEEDED if findings[name].ok]
    assert all(findings[name].required for name in NEEDED)
    assert computer.ran == []


def test_a_program_off_the_path_of_ordinary_users_is_found(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    (computer.home / "sbin").mkdir()
    (computer.home / "bin/dpkg-deb").rename(computer.home / "sbin/dpkg-deb")
    monkeypatch.setattr(host_tools, "SYSTEM_PATH", (str(computer.home / "sbin"),))
    assert computer.findings()["dpkg-deb"].found == str(computer.home / "sbin/dpkg-deb")


MICROVM, CONTAINER = "QEMU 7.2 or later, for the microvm backend", "a Docker Engine, for the container backend"


@pytest.mark.parametrize(
    ("has_qemu", "has_engine", "required"), [(True, True, False), (True, False, False), (False, True, False), (False, False, True)]
)
def test_one_backend_is_enough(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, has_qemu: bool, has_engine: bool, required: bool
) -> None:
    if not has_qemu:
        computer.uninstall(qemu.PROGRAM)
    found = engine.Engine("here", answers=has_engine, version="28.0", why="" if has_engine else "It is off.", try_next="start Docker")
    monkeypatch.setattr(engine, "find", lambda: found)
    findings = computer.findings()
    in_order(findings)
    assert (findings[MICROVM].ok, findings[CONTAINER].ok) == (has_qemu, has_engine)
    assert (findings[MICROVM].required, findings[CONTAINER].required) == (required, required)
    assert findings[CONTAINER].found == ("version 28.0 at here" if has_engine else "It is off.")


@pytest.mark.parametrize("has_engine", [True, False])
def test_a_qemu_that_is_too_old_does_not_count(computer: Computer, monkeypatch: pytest.MonkeyPatch, has_engine: bool) -> None:
    computer.install(qemu.PROGRAM, does=QEMU.replace("9.0.0", "6.2.0"))
    found = engine.Engine("here", answers=has_engine, version="28.0", why="" if has_engine else "It is off.", try_next="start Docker")
    monkeypatch.setattr(engine, "find", lambda: found)
    findings = computer.findings()
    in_order(findings)
    assert (findings[MICROVM].ok, findings[MICROVM].found, findings[MICROVM].required) == (False, "6.2.0", not has_engine)
    assert "apt-get" not in findings[MICROVM].mend  # which would bring the same one again
    assert "--backend container" in findings[MICROVM].mend
    assert findings[CONTAINER].required is not has_engine


def test_a_dead_engine_is_explained(computer: Computer) -> None:
    finding = computer.findings()[CONTAINER]
    assert f"No Docker engine is at unix://{computer.home}/none.sock" in finding.found
    assert "DOCKER_HOST" in finding.mend


def test_the_doctor_does_not_send_anybody_to_the_doctor(computer: Computer) -> None:
    for name in ("docker", qemu.PROGRAM):
        computer.uninstall(name)
    assert not [finding for finding in computer.findings().values() if not finding.ok and "course doctor" in finding.mend]


KVM = "KVM, which makes it fast"


def test_without_kvm_it_is_only_slow(computer: Computer) -> None:
    kvm.DEVICE.unlink()
    finding = computer.findings()[KVM]
    assert not finding.ok
    assert not finding.required
    assert "emulated" in finding.mend


def test_a_kvm_that_is_somebody_elses_can_be_had(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != kvm.DEVICE and real(path, mode))
    finding = computer.findings()[KVM]
    assert not finding.ok
    assert finding.mend.startswith("sudo usermod -aG kvm $USER")


@pytest.mark.parametrize(
    ("free_gb", "memory_gb", "built", "verdict"),
    [(100, 8, False, "ok"), (2, 8, False, "MISSING"), (2, 8, True, "ok"), (0.5, 8, True, "MISSING"), (100, 0.5, False, "no")],
)
def test_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, free_gb: float, memory_gb: float, built: bool, verdict: str) -> None:
    if built:
        (tmp_path / "build").mkdir()
    roomy(monkeypatch, free_gb, memory_gb)
    finding = doctor._room(Installation(tmp_path))
    assert verdict == ("ok" if finding.ok else "MISSING" if finding.required else "no")
    assert finding.ok or finding.mend
    assert f"{memory_gb:.1f} GB of memory" in finding.found


def test_another_processor_is_said(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "machine", lambda: "aarch64")
    finding = computer.findings()["an x86-64 computer"]
    assert not finding.ok
    assert "aarch64" in finding.found
    assert "x86-64" in finding.mend


def test_an_old_python_is_said(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 4, "final", 0))
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.10.4")
    finding = doctor._python()
    monkeypatch.undo()
    assert sys.version_info >= (3, 11)
    assert (finding.ok, finding.found) == (False, "3.10.4")
    assert "python3" in finding.mend
    assert computer


def test_a_state_directory_that_can_not_be_had_is_a_finding(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    (computer.home / "file").touch()
    monkeypatch.setenv("COURSE_STATE", str(computer.home / "file"))
    finding = computer.findings()["state directory"]
    assert not finding.ok
    assert finding.required
    assert "COURSE_STATE" in finding.mend
