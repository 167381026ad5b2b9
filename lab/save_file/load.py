"""Take over what is in a save file, which may be somebody else's.

Its notebooks get a folder of their own, so nothing of yours is overwritten.  Its box takes the place of yours, which is saved before.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lab import learner_record
from lab.box import lifecycle
from lab.box.core import graded
from lab.box.core.installation import private_directory
from lab.box.core.progress import Progress, Quiet
from lab.box.errors import BoxNotRunning, CourseError, NotOnThisBackend, UsageError
from lab.box.instances.box import Box
from lab.save_file.archive import CHUNK, LARGEST_MB, MB, Archive, opened, scratch_directory, unused

BEFORE = "before-load"
"""The checkpoint of the box whose place another one takes."""
PATIENCE_S = 20


@dataclass(frozen=True)
class Loaded:
    """What was taken over.

    Args:
        notebooks: the folder that has the notebooks now.
        files: how many there are.
        saved: when the file was written, in seconds since 1970.
        predictions: how many are new.
        tasks: how many have a better score than before.
        box: the box, which goes on; nothing where the file has none, or it can't go on here.
        why_no_box: the reason, where the file has one.
        before: the checkpoint that has the box whose place was taken; empty where there was none.
    """

    notebooks: Path
    files: int
    saved: float
    predictions: int
    tasks: int
    box: Box | None = None
    why_no_box: str = ""
    before: str = ""


def load(source: str, progress: Progress | None = None) -> Loaded:
    """Take over what is in a save file.

    Args:
        source: its path, or an address that begins with ``https://`` or ``http://``.
        progress: shows the steps.

    Raises:
        UsageError: there is no such file.
        CourseError: it can't be had, or is no save file; nothing is changed then.
    """
    steps = Quiet() if progress is None else progress
    root = graded.installation().root
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(unquote(urlsplit(source).path)).stem).strip("-")[:30] or "loaded"
    with scratch_directory() as scratch, _local(source, scratch, steps) as path, opened(path) as file:
        with steps.step("Unpacking"):
            unpacked, box = scratch / "notebooks", scratch / "box"
            for directory in (unpacked, box):
                directory.mkdir()
            file.unpack_notebooks(unpacked)
            if file.contents.box:
                file.unpack_box(box)
            record = _record(path, file)
        private_directory(root / "loaded")
        notebooks = unused(root / "loaded", name)
        shutil.move(unpacked, notebooks)
        predictions, tasks = learner_record.take_over(record)
        there, why, before = _go_on(name, box, file.contents.backend, progress) if file.contents.box else (None, "", "")
        return Loaded(notebooks, file.contents.files, file.contents.saved, predictions, tasks, there, why, before)


def _go_on(name: str, exported: Path, backend: str, progress: Progress | None) -> tuple[Box | None, str, str]:
    """Go on with a box that was exported: the box, or why it can't, and the checkpoint that has the one before."""
    before = _running()
    try:
        if not before:
            return lifecycle.go_on(name, exported, backend, progress), "", ""
        before.adopt(name, exported, progress)
        before.checkpoint(BEFORE, progress)
    except CourseError as error:
        cure = " To have it all the same: course down, and load it once more." if isinstance(error, NotOnThisBackend) else ""
        return None, f"{error.what} {error.why}{cure}", ""
    try:
        before.rewind(name, progress)
    except CourseError as error:
        lifecycle.up(backend, progress).rewind(BEFORE, progress)
        return None, f"{error.what} {error.why}", ""
    return before, "", BEFORE


def _running() -> Box | None:
    try:
        return lifecycle.current()
    except BoxNotRunning:
        return None


def _record(path: Path, file: Archive) -> learner_record.LearnerRecord:
    try:
        return learner_record.parse(file.record())
    except ValueError as error:
        raise CourseError(
            f"{path} is damaged.", f"What it has of predictions and tasks can't be read: {error}.", "get it once more"
        ) from None


@contextmanager
def _local(source: str, scratch: Path, steps: Progress) -> Iterator[Path]:
    """The save file on this computer, fetched if it is elsewhere.

    Raises:
        UsageError: that is no address of the web.
        CourseError: it can't be had, or is too large.
    """
    kind = urlsplit(source).scheme
    if kind not in ("http", "https"):
        if "://" in source:
            raise UsageError(f"{source} can't be loaded.", "It is to be a file, or an address of the web.", "course load https://…")
        yield Path(source).expanduser().absolute()
        return
    import requests  # noqa: PLC0415  (most files are here)

    path = scratch / "fetched"
    try:
        with steps.step(f"Fetching {source}") as advance, requests.get(source, stream=True, timeout=PATIENCE_S) as answer:
            answer.raise_for_status()
            total, got = int(answer.headers.get("Content-Length") or 0), 0
            with path.open("wb") as file:
                for chunk in answer.iter_content(CHUNK):
                    got += len(chunk)
                    if max(got, total) > LARGEST_MB * MB:
                        raise CourseError(f"{source} is no save file.", f"It has more than {LARGEST_MB} MB.", "another address")
                    file.write(chunk)
                    advance(got / total if total else 0.0)
    except (requests.RequestException, OSError) as error:
        raise CourseError(f"{source} could not be fetched.", f"{error}.", "look at it in a browser: is it the file itself?") from None
    yield path
