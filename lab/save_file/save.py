"""Put what a learner takes home into one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import learner_record
from lab.box import lifecycle
from lab.box.core.progress import Progress, Quiet
from lab.box.errors import UsageError
from lab.save_file import archive
from lab.save_file.archive import MB, MOST_FILES, MOST_NOTEBOOKS_MB


@dataclass(frozen=True)
class Saved:
    """A save file that was written.

    Args:
        path: of it.
        size_mb: of it.
        files: how many files of the notebooks' folder it has.
        predictions: how many it has.
        tasks: how many with a score.
        box: the box's name; empty where it has none.
    """

    path: Path
    size_mb: float
    files: int
    predictions: int
    tasks: int
    box: str

    @property
    def described(self) -> str:
        """What is in it, in words."""
        counted = {"file": self.files, "prediction": self.predictions, "task": self.tasks}
        parts = [f"{number} {what}{'' if number == 1 else 's'}" for what, number in counted.items()]
        return ", ".join([*parts, f"and {self.box} as it is now (machines beside it stay here)"] if self.box else parts)


def save(path: Path, notebooks: Path, *, box: bool = False, progress: Progress | None = None) -> Saved:
    """Save the notebooks, the predictions, the progress and, if wanted, the box as it is now, processes and all.

    Args:
        path: of the file; nothing is there yet.
        notebooks: the folder that has them; what is hidden in it is left out, and so are other save files.
        box: the running box, too, which goes on; the machines beside it stay here.
        progress: shows the steps.

    Raises:
        UsageError: something is there already, or that is no folder of notebooks.
        BoxNotRunning: there is no box.
        NotOnThisBackend: the box can't be saved; says what to do instead.
        CourseError: it could not be written, for want of space, say.
    """
    steps = Quiet() if progress is None else progress
    if path.exists() or not path.parent.is_dir():
        why = "It would be overwritten." if path.exists() else f"There is no folder {path.parent}."
        raise UsageError(f"{path} can't be a new save file.", why, "course save ANOTHER-NAME")
    files = dict(_files(notebooks))
    record = learner_record.read()
    with archive.scratch_directory() as scratch:
        directory = scratch if box else None
        name = backend = ""
        if directory:
            there = lifecycle.current()
            status = there.status()
            name, backend = status.name, status.backend
            there.export(directory, progress)
        with steps.step(f"Writing {path.name}"):
            archive.write(path, files, learner_record.text_of(record), directory, backend)
    return Saved(path, path.stat().st_size / MB, len(files), len(record.predictions), len(record.tasks), name)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The ordinary files below a folder that are not hidden, by their names there; folders that are links are followed once.

    Raises:
        UsageError: there is no such folder, or it has more than a save file may have.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", "It is to be the one with your notebooks.", "course save FILE --notebooks FOLDER")
    seen: set[Path] = set()
    count = size = 0
    for where, folders, files in os.walk(folder, followlinks=True):
        real = Path(where).resolve()
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            continue
        seen.add(real)
        for file in (Path(where) / name for name in sorted(files) if not name.startswith(".")):
            if not file.is_file() or (file.suffix == ".zip" and archive.is_save_file(file)):
                continue
            count, size = count + 1, size + file.stat().st_size
            if count > MOST_FILES or size > MOST_NOTEBOOKS_MB * MB:
                why = f"It has more than {MOST_FILES} files, or {MOST_NOTEBOOKS_MB} MB."
                raise UsageError(
                    f"{folder} is too much for a save file.", why, "course save FILE --notebooks FOLDER, the one of the lessons"
                )
            yield str(file.relative_to(folder)), file
