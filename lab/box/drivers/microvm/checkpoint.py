"""Checkpoints: a running virtual machine, saved as a compressed file under a name, with a note of what it belongs to.

A saved machine is its memory and the state of its devices, and no disk: it can only be put back on the disk that it had, by a QEMU that
makes the same hardware.  So the recipe, the accelerator, the virtual hardware and QEMU's version are saved beside it, and compared before
the running box is ended.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.box.build.steps import Artefacts
from lab.box.core.record import Origin
from lab.box.drivers.base import Checkpoint
from lab.box.drivers.microvm import qemu
from lab.box.drivers.microvm.qemu import VirtualMachine
from lab.box.drivers.microvm.template import Template
from lab.box.errors import CourseError, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
PROPERTY = re.compile(r"[\w.-]{1,80}", re.ASCII)
HOSTNAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
MACHINE, NOTE = "machine.zst", "machine.json"
"""The two files of a saved machine that is taken elsewhere."""
PACK = ("zstd", "-2", "--long=27")
"""A window of 128 MB finds what lies twice in memory, as in a file's pages and a program's: a fourth less, in the same time."""
UNKNOWN = "It was saved by an earlier version of the course, which did not note what it belongs to."


@dataclass(frozen=True)
class Compatibility:
    """The properties that must be the same when a saved machine is restored.

    Args:
        recipe: the key of the recipe that its disk was made by.
        accelerator: ``kvm`` or ``tcg``.
        template: the name of the template that it is a clone of, which has the key of the virtual hardware in it.
        qemu: QEMU's version, as ``7.2``.
        disk: the hash of its disk: two builds of one recipe hold the same files, and not at the same places.
    """

    recipe: str
    accelerator: str
    template: str
    qemu: str
    disk: str

    def incompatibility(self, now: Compatibility) -> str:
        """Why a machine that was saved with this can't be put back *now*, one sentence; empty where it can."""
        if self.recipe != now.recipe:
            return f"It belongs to a box of another recipe ({self.recipe}; yours is {now.recipe}), whose disk holds other files."
        if self.accelerator != now.accelerator:
            return f"It was saved under {self.accelerator}, and your box runs under {now.accelerator}."
        if self.template != now.template:
            return "It was saved by another version of the course, whose virtual machines are made otherwise."
        if self.qemu != now.qemu:
            return f"It was saved by QEMU {self.qemu}, and QEMU {now.qemu} is installed now."
        if self.disk != now.disk:
            return "It belongs to a disk that was built elsewhere, and fits a copy of that build alone."
        return ""


class Checkpoints:
    """The checkpoints of one machine.

    Args:
        directory: holds them.
        origin: of the machine as it is now.
        template: that the machine is a clone of.
        artefacts: kernel and disk of the machine.
    """

    def __init__(self, directory: Path, origin: Origin, template: Template, artefacts: Artefacts) -> None:
        self._directory, self._origin, self._template, self._artefacts = directory, origin, template, artefacts

    def all(self) -> tuple[Checkpoint, ...]:
        """Those that there are, oldest first."""
        found = sorted(self._directory.glob("*.zst"), key=lambda path: path.stat().st_mtime)
        if not found:
            return ()
        now = self._now()
        return tuple(self._read(path, now) for path in found)

    def require(self, name: str) -> Checkpoint:
        """The checkpoint of that name, which fits.

        Raises:
            UsageError: there is none, or it does not fit.
        """
        path = self._path(name)
        if not path.exists():
            known = ", ".join(checkpoint.name for checkpoint in self.all()) or "none yet"
            raise UsageError(f"There is no checkpoint {name!r}.", f"There are: {known}.", f"course checkpoint {name}")
        found = self._read(path, self._now())
        if not found.fits:
            what = f"The checkpoint {name!r} does not fit your box any more."
            raise UsageError(what, found.incompatibility, "course status (shows which checkpoints still fit)")
        return found

    def save(self, name: str, vm: VirtualMachine, hostname: str) -> None:
        """Save a machine that runs, in the place of an earlier checkpoint of that name.

        Args:
            name: of the checkpoint.
            vm: the machine.
            hostname: of the machine.

        Raises:
            UsageError: that is no name for a checkpoint.
            CourseError: it could not be saved, for want of space, say.
        """
        path = self._path(name)
        self._save(path, _note(path), f"The checkpoint {name!r}", vm, hostname)

    def export(self, directory: Path, vm: VirtualMachine, hostname: str) -> None:
        """Save a machine that runs as the files ``MACHINE`` and ``NOTE`` in a directory, to be taken elsewhere.

        Raises:
            CourseError: it could not be saved, for want of space, say.
        """
        self._save(directory / MACHINE, directory / NOTE, "The box", vm, hostname)

    def adopt(self, name: str, directory: Path) -> Checkpoint:
        """Take a machine that ``export`` has saved, perhaps on another computer, among the checkpoints; in the place of one of that name.

        What is in the directory is not trusted: of the note, only what is compared is taken over.

        Raises:
            UsageError: that is no name for a checkpoint.
            CourseError: it does not fit the machine, or is no saved machine.
        """
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            belongs_to, hostname = _claims(directory / NOTE)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            why = "What it belongs to is not noted, or can't be read."
            raise CourseError("This is no saved box.", why, "course save FILE --box, where it comes from") from None
        if wrong := belongs_to.incompatibility(self._now()):
            raise CourseError("This box can't go on here.", wrong, "course up (a pristine one)")
        path.unlink(missing_ok=True)
        known = hostname if HOSTNAME.fullmatch(hostname) else ""
        _note(path).write_text(json.dumps({"hostname": known, "belongs_to": asdict(belongs_to)}))
        shutil.move(directory / MACHINE, path)
        return self.require(name)

    def _save(self, path: Path, note: Path, what: str, vm: VirtualMachine, hostname: str) -> None:
        """Save a machine that runs into a file, with its note; what is not finished lies among the checkpoints until it is."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for unfinished in self.unfinished():
            unfinished.unlink()
        scratch, scratch_note = self._directory / "saving.partial", self._directory / "saving.partial-json"
        try:
            with scratch.open("wb") as file:
                packer = subprocess.Popen([*PACK, "-q", "-c"], stdin=subprocess.PIPE, stdout=file)
                assert packer.stdin
                with packer.stdin:
                    vm.save(packer.stdin, stopped=False)
            if packer.wait():
                raise CourseError(f"{what} could not be written.", f"zstd ended with {packer.returncode}.", "df -h")
            scratch_note.write_text(json.dumps({"hostname": hostname, "belongs_to": asdict(self._now())}))
            path.unlink(missing_ok=True)  # an earlier machine must never stand beside the note of this one
            shutil.move(scratch_note, note)
            shutil.move(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
            scratch_note.unlink(missing_ok=True)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Mark the machine as one that is being saved, so that it goes on also where whoever saves it is killed."""
        self._directory.mkdir(parents=True, exist_ok=True)
        mark = self._directory / "copying.partial"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def unfinished(self) -> list[Path]:
        """What somebody left who was killed while saving: the machine may then still be stopped."""
        return list(self._directory.glob("*.partial*"))

    @contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Open a checkpoint; yields a file descriptor from which its uncompressed state can be read.

        Raises:
            UsageError: there is no such checkpoint, or it does not fit.
            CourseError: QEMU could not load the state, or the file is damaged.
        """
        self.require(name)
        unpacker = subprocess.Popen(["zstd", "-d", "-q", "-c", str(self._path(name))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert unpacker.stdout
        try:
            with unpacker.stdout:
                yield unpacker.stdout.fileno()
        except CourseError:
            if unpacker.wait() > 0:
                raise CourseError(
                    f"The checkpoint {name!r} is damaged.", "It can't be unpacked, so the box was ended.", "course up"
                ) from None
            raise
        finally:
            unpacker.wait()

    def _now(self) -> Compatibility:
        version = ".".join((qemu.version() or "").split(".")[:2])
        return Compatibility(self._origin.recipe, self._origin.accelerator, self._template.name, version, self._artefacts.disk_hash())

    def _read(self, path: Path, now: Compatibility) -> Checkpoint:
        try:
            note = json.loads(_note(path).read_text())
            incompatibility = Compatibility(**note["belongs_to"]).incompatibility(now)
            if not incompatibility and not self._template.memory.exists():
                incompatibility = "The template that its machine is a clone of is gone."
            return Checkpoint(path.stem, str(note["hostname"]), incompatibility)
        except (OSError, ValueError, TypeError, KeyError):
            return Checkpoint(path.stem, incompatibility=UNKNOWN)

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} can't be the name of a checkpoint.",
                "A name has 1 to 40 letters, digits, hyphens or underscores, and starts with a letter or a digit.",
                "course checkpoint before-lunch",
            )
        return self._directory / f"{name}.zst"


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _claims(note: Path) -> tuple[Compatibility, str]:
    """What a machine is said to belong to, and its host name, from a note that is not trusted."""
    said = json.loads(note.read_text())
    belongs_to = Compatibility(**said["belongs_to"])
    if not all(isinstance(it, str) and PROPERTY.fullmatch(it) for it in asdict(belongs_to).values()):
        raise ValueError(str(belongs_to))
    return belongs_to, str(said["hostname"])
