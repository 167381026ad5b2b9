"""Whether KVM works is found out by trying, and remembered.  QEMU is a script here, which does under each accelerator what a test says."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.box.core.installation import Installation
from lab.box.drivers.microvm import kvm, qemu

FAKE = """#!/bin/sh
case "$*" in
*--version*) echo "QEMU emulator version {version} (made up)"; exit 0 ;;
*"-accel kvm"*) echo kvm >> '{log}'; {under_kvm} ;;
*"-accel tcg"*) echo tcg >> '{log}'; {emulated} ;;
esac
"""
RUNS = f"exit {kvm.EXIT_CODE}"
HANGS = "exec sleep 60"


@dataclass
class Computer:
    """A computer with a QEMU, a KVM and a memory of its own."""

    home: Path
    installation: Installation

    def qemu(self, under_kvm: str = RUNS, emulated: str = RUNS, version: str = "9.0.0") -> None:
        """Install a QEMU that does this when it boots a guest."""
        program = self.home / "bin" / qemu.PROGRAM
        program.write_text(FAKE.format(version=version, log=self.home / "log", under_kvm=under_kvm, emulated=emulated))
        program.chmod(0o755)

    @property
    def boots(self) -> list[str]:
        """The accelerators of all guests so far, in order."""
        return (self.home / "log").read_text().split() if (self.home / "log").exists() else []

    def probe(self) -> kvm.Verdict:
        return kvm.probe(self.installation)


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    for name in ("bin", "state"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(kvm, "DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(kvm, "BOOT_TIMEOUT_S", 0.4)
    monkeypatch.setattr(kvm, "MAX_SLOWDOWN", 1000)  # scripts take no time worth comparing
    computer = Computer(tmp_path, Installation(tmp_path / "state"))
    computer.qemu()
    return computer


def test_a_kvm_that_runs_a_guest_works(computer: Computer) -> None:
    verdict = computer.probe()
    assert verdict.works
    assert "ran" in verdict.why
    assert computer.boots == ["tcg", "kvm"]


@pytest.mark.parametrize(
    ("under_kvm", "emulated", "why"),
    [
        (HANGS, RUNS, "did not get through its five bytes in 0.4 s"),
        ("echo 'starting' >&2; echo 'qemu: could not access KVM kernel module' >&2; exit 1", RUNS, "could not access KVM kernel module"),
        ("exit 1", RUNS, "failed: no message"),
        ("exit 0", RUNS, "failed: no message"),
        ("kill -6 $$", RUNS, "failed: no message"),
    ],
)
def test_a_kvm_that_lies_is_found_out(computer: Computer, under_kvm: str, emulated: str, why: str) -> None:
    computer.qemu(under_kvm, emulated)
    verdict = computer.probe()
    assert not verdict.works
    assert why in verdict.why
    assert "opens" in verdict.why


@pytest.mark.parametrize(
    ("virtual_s", "emulated_s", "works"), [(0.1, 0.3, True), (0.3, 0.3, True), (0.4, 0.3, True), (4.9, 0.3, False), (4.9, None, True)]
)
def test_a_kvm_that_only_pretends_is_slow(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, virtual_s: float, emulated_s: float | None, works: bool
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(kvm, "DEVICE", computer.home / "kvm")
    monkeypatch.setenv("PATH", f"{computer.home}/bin:/usr/bin:/bin")
    monkeypatch.setattr(kvm, "_boot", lambda accelerator, _: (virtual_s if accelerator == "kvm" else emulated_s, ""))
    verdict = computer.probe()
    assert verdict.works == works
    assert f"{virtual_s} s" in verdict.why


def test_emulation_that_fails_says_nothing_about_kvm(computer: Computer) -> None:
    computer.qemu(RUNS, "exit 1")
    assert computer.probe().works


def test_it_takes_no_longer_than_it_must(computer: Computer) -> None:
    computer.qemu(HANGS, HANGS)
    began = time.monotonic()
    assert not computer.probe().works
    assert time.monotonic() - began < 2 * kvm.BOOT_TIMEOUT_S + 1


def test_without_a_device_nothing_is_tried(computer: Computer) -> None:
    kvm.DEVICE.unlink()
    verdict = computer.probe()
    assert (verdict.works, verdict.why) == (False, f"{kvm.DEVICE} is not there")
    assert computer.boots == []


def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != kvm.DEVICE and real(path, mode))


def test_a_device_that_may_not_be_opened_is_said(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden(monkeypatch)
    verdict = computer.probe()
    assert (verdict.works, verdict.why) == (False, f"{kvm.DEVICE} may not be opened by you")
    assert computer.boots == []


def test_without_qemu_there_is_nothing_to_try(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert computer.probe().why == f"{qemu.PROGRAM} is not installed"


def test_a_verdict_is_remembered(computer: Computer) -> None:
    first = computer.probe()
    computer.qemu(HANGS)
    assert computer.probe() == first
    assert computer.boots == ["tcg", "kvm"]


def new_qemu(computer: Computer, _: pytest.MonkeyPatch) -> None:
    computer.qemu("exit 1", version="9.0.1")


def new_boot(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.qemu("exit 1")
    monkeypatch.setattr(kvm, "_boot_id", lambda: "another")


def lost_rights(_: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden(monkeypatch)


def no_qemu(_: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


def no_memory(computer: Computer, _: pytest.MonkeyPatch) -> None:
    computer.qemu("exit 1")
    (computer.installation.root / "kvm.json").unlink()


@pytest.mark.parametrize("change", [new_qemu, new_boot, lost_rights, no_qemu, no_memory])
def test_under_other_circumstances_it_is_asked_again(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, change: Callable[[Computer, pytest.MonkeyPatch], None]
) -> None:
    assert computer.probe().works
    change(computer, monkeypatch)
    assert not computer.probe().works


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"works": true}',
        '{"circumstances": "x", "works": true, "why": "", "more": 1}',
    ],
)
def test_a_memory_that_makes_no_sense_is_no_memory(computer: Computer, garbage: str) -> None:
    computer.qemu("exit 1")
    (computer.installation.root / "kvm.json").write_text(garbage)
    assert not computer.probe().works
    assert not computer.probe().works
    assert computer.boots == ["tcg", "kvm"]


def test_a_kvm_that_failed_a_real_machine_is_not_trusted_again_until_something_changes(computer: Computer) -> None:
    assert computer.probe().works
    kvm.mark_broken(computer.installation, "the machine did not get ready")
    assert computer.probe() == kvm.Verdict(works=False, why="the machine did not get ready")
    computer.qemu(version="9.0.1")
    assert computer.probe().works


def test_the_guest_is_a_boot_sector(computer: Computer) -> None:
    computer.qemu(f"cp \"$(echo \"$*\" | sed 's/.*file=//; s/,.*//')\" '{computer.home}/sector'; {RUNS}")
    assert computer.probe().works
    sector = (computer.home / "sector").read_bytes()
    assert (len(sector), sector[-2:]) == (512, b"\x55\xaa")


def test_what_is_remembered_is_readable(computer: Computer) -> None:
    verdict = computer.probe()
    remembered = json.loads((computer.installation.root / "kvm.json").read_text())
    assert (remembered["works"], remembered["why"]) == (verdict.works, verdict.why)
