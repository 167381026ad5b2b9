"""The save file itself: a zip archive, which says what it holds, and which nobody has to trust.

Its content may come from anybody.  So nothing in it names a place: each entry has one of a few names, or is a file below ``notebooks/``,
and is copied byte by byte into a directory that was made for it.  How much there may be of everything is limited, and a damaged file is
refused before anything is written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.box.core import graded
from lab.box.errors import CourseError, UsageError

FORMAT = 1
"""The format that is written; a file of a later one is refused."""
CONTENTS, RECORD, NOTEBOOKS, BOX = "course.json", "progress.json", "notebooks/", "box/"
LARGEST_MB = 2048
"""Of a save file, in MB: a box has some 200."""
MOST_FILES, MOST_NOTEBOOKS_MB, MOST_RECORD_MB = 5000, 300, 10
"""What a save file may hold beside the box, unpacked."""
PART = re.compile(r"[^/\\\x00-\x1f\x7f]{1,120}")
"""One part of a file's path; ``.`` and ``..`` are none, either."""
CHUNK = 1 << 20
MB = 1 << 20


@dataclass(frozen=True)
class Contents:
    """What a save file says of itself.

    Args:
        saved: when, in seconds since 1970.
        files: how many files there are below ``notebooks/``.
        box: whether there is a box.
        backend: that the box ran on; empty where there is none.
    """

    saved: float
    files: int
    box: bool
    backend: str


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory for what is on its way, for the time of a ``with`` block; what a killed command left of one goes with ``course down``."""
    boxes = graded.installation().boxes
    boxes.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="on-its-way-", dir=boxes) as directory:
        yield Path(directory)


def unused(folder: Path, stem: str, suffix: str = "") -> Path:
    """A place in a folder where nothing is yet: of this name, or with a number behind it."""
    names = (f"{stem}{suffix}", *(f"{stem}-{number}{suffix}" for number in range(2, 10_000)))
    return next(folder / name for name in names if not (folder / name).exists())


def write(path: Path, files: Mapping[str, Path], record: str, box: Path | None = None, backend: str = "") -> None:
    """Write a save file; there is none where this fails.

    Args:
        path: of it.
        files: by their names below ``notebooks/``.
        record: what is kept of the learner, as text.
        box: a directory with the files of an exported box.
        backend: that it ran on.

    Raises:
        CourseError: it can't be written, for want of space, say.
    """
    scratch = path.with_name(f".{path.name}.partial")
    try:
        with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(CONTENTS, json.dumps({"format": FORMAT, "saved": time.time(), "backend": backend}))
            archive.writestr(RECORD, record)
            for name, file in files.items():
                archive.write(file, NOTEBOOKS + name)
            for file in sorted(box.iterdir()) if box else ():
                archive.write(file, BOX + file.name, zipfile.ZIP_STORED)  # it is compressed
        scratch.replace(path)
    except OSError as error:
        raise CourseError(f"{path} could not be written.", f"{error.strerror}.", f"df -h {path.parent}, or another place") from None
    finally:
        scratch.unlink(missing_ok=True)


class Archive:
    """A save file that is open for reading.

    Args:
        path: of it, for sentences.
        archive: the file.
        contents: what it says of itself.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, contents: Contents) -> None:
        self._path, self._zip, self.contents = path, archive, contents

    def record(self) -> str:
        """What is kept of a learner, as text."""
        with self._zip.open(RECORD) as file:
            return file.read(MOST_RECORD_MB * MB).decode(errors="replace")

    def unpack_notebooks(self, into: Path) -> None:
        """Copy the files below ``notebooks/`` into a directory, which must be empty.

        Raises:
            CourseError: the file is damaged, or there is no room.
        """
        self._unpack(NOTEBOOKS, into)

    def unpack_box(self, into: Path) -> None:
        """Copy the files of the box into a directory, which must be empty.

        Raises:
            CourseError: the file is damaged, or there is no room.
        """
        self._unpack(BOX, into)

    def _unpack(self, below: str, into: Path) -> None:
        entries = [it for it in self._zip.infolist() if it.filename.startswith(below)]
        needed = sum(it.file_size for it in entries)
        if needed > shutil.disk_usage(into).free:
            raise CourseError(f"There is no room for what is in {self._path}.", f"It takes {needed / MB:.0f} MB.", f"df -h {into}")
        try:
            for it in entries:
                file = into / it.filename.removeprefix(below)
                file.parent.mkdir(parents=True, exist_ok=True)
                with self._zip.open(it) as packed, open(file, "xb", opener=_private) as unpacked:
                    shutil.copyfileobj(packed, unpacked, CHUNK)
        except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            raise _damaged(self._path, str(error)) from None
        except OSError as error:
            raise CourseError(f"{self._path} could not be unpacked.", f"{error.strerror}.", f"df -h {into}") from None


def is_save_file(path: Path) -> bool:
    """Whether a file is one: it holds what such a file says of itself."""
    try:
        with zipfile.ZipFile(path) as file:
            return CONTENTS in file.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open a save file, and make sure that it is one, before anything of it is used.

    Raises:
        UsageError: there is no such file.
        CourseError: it is no save file, is damaged, holds too much, or what no save file has; or was written by a later version.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "It is to be one that course save has written.", "course load FILE")
    if path.stat().st_size > LARGEST_MB * MB:
        size = f"It is of {path.stat().st_size / MB:.0f} MB, and such a file has at most {LARGEST_MB}."
        raise CourseError(f"{path} is no save file.", size, "course save FILE, where it comes from")
    with path.open("rb") as file, _zip(path, file) as archive:
        yield Archive(path, archive, _contents(path, archive))


@contextmanager
def _zip(path: Path, file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    with archive:
        yield archive


def _contents(path: Path, archive: zipfile.ZipFile) -> Contents:
    entries = archive.infolist()
    names = [it.filename for it in entries]
    notebooks = [it for it in entries if it.filename.startswith(NOTEBOOKS)]
    odd = next((it.filename for it in entries if not _is_ours(it)), "")
    if odd or len(set(names)) != len(names) or not {CONTENTS, RECORD} <= set(names):
        why = f"It holds {odd!r}, which no save file has." if odd else "It lacks a part, or has one twice."
        raise CourseError(f"{path} is no save file.", why, "course save FILE, where it comes from")
    big = sum(it.file_size for it in notebooks) > MOST_NOTEBOOKS_MB * MB or len(notebooks) > MOST_FILES
    if big or any(archive.getinfo(name).file_size > MOST_RECORD_MB * MB for name in (CONTENTS, RECORD)):
        limit = f"Unpacked, it has more than {MOST_FILES} files, or {MOST_NOTEBOOKS_MB} MB beside the box."
        raise CourseError(f"{path} is no save file.", limit, "course save FILE, where it comes from")
    try:
        said = json.loads(archive.read(CONTENTS))
        version, saved, backend = int(said["format"]), float(said["saved"]), str(said.get("backend", ""))
    except (zipfile.BadZipFile, ValueError, TypeError, KeyError, AttributeError, NotImplementedError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if version > FORMAT:
        why = f"It has format {version}, and this version of the course reads up to {FORMAT}."
        raise CourseError(f"{path} was written by a later version of the course.", why, "git pull, and once more")
    return Contents(saved, len(notebooks), any(name.startswith(BOX) for name in names), backend)


def _is_ours(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is an ordinary file with a name that a save file has."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.flag_bits & 1:  # the last one: it is encrypted
        return False
    if entry.filename in (CONTENTS, RECORD, f"{BOX}machine.zst", f"{BOX}machine.json"):
        return True
    parts = entry.filename.removeprefix(NOTEBOOKS).split("/")
    return entry.filename.startswith(NOTEBOOKS) and all(PART.fullmatch(part) and part not in (".", "..") for part in parts)


def _damaged(path: Path, why: str) -> CourseError:
    return CourseError(f"{path} is damaged, or no save file.", f"{why.rstrip('.') or 'It ends too early'}.", "get it once more, whole")
