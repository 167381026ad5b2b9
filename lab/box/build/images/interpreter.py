"""Python for the images: its standard library compiled, and without its sources.

A box runs emulated, fifteen times slower than its computer, and most of a Python program's start is spent on finding, checking and
compiling modules.  A module that exists only as ``name.pyc`` needs none of that.  *Measured* natively: the imports of the course's app take
130 ms from sources and 25 ms so; fifteen times that is what a learner would wait for.

The modules are compiled by the interpreter of the image itself, which runs on the builder's computer through its own dynamic linker.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from lab.box.build.images.archive import Entry, Tree, file
from lab.box.build.images.debs import run

PYTHON = "python3.13"
LIBRARY = f"usr/lib/{PYTHON}/"
LINKER, LIBRARIES = "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"
LEFT_OUT = (
    "ensurepip", "idlelib", "pydoc_data", "test", "tkinter", "turtle.py", "turtledemo", "sitecustomize.py",
    "lib-dynload/_test", "lib-dynload/_xx", "lib-dynload/xx", "lib-dynload/_codecs_", "lib-dynload/_ctypes_test",
    "curses", "lib-dynload/_curses", "dbm", "lib-dynload/_dbm", "lib-dynload/_gdbm", "sqlite3", "lib-dynload/_sqlite3",
    "lib-dynload/readline", "lib-dynload/_uuid", "lib-dynload/_lzma", "lib-dynload/_bz2", "lib-dynload/_ctypes", "ctypes",
    "lib-dynload/_ssl", "lib-dynload/_hashlib",
)  # fmt: skip
"""Modules that no exercise needs, and those whose C library the images do without."""
DROP = tuple(LIBRARY + name for name in LEFT_OUT)


def compiled(tree: Tree, system: Tree) -> dict[str, Entry]:
    """*tree* with each Python module of the standard library replaced by its compiled form.

    Args:
        tree: the interpreter and its library.
        system: what the interpreter needs to run: the dynamic linker and the C library.

    Raises:
        BuildError: the interpreter can't be run here, or a module does not compile.
    """
    made = {path: entry for path, entry in tree.items() if not (path.startswith(LIBRARY) and path.endswith((".py", ".rst", ".txt")))}
    with tempfile.TemporaryDirectory(prefix="course-python-") as scratch:
        root = Path(scratch)
        _lay_out({**system, **tree}, root)
        run(
            root / LINKER, "--library-path", root / LIBRARIES, root / "usr/bin" / PYTHON, "-S", "-m", "compileall", "-b", "-q",
            "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/", root / LIBRARY,
            env={"PYTHONHOME": f"{root}/usr", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        for path in sorted(root.joinpath(LIBRARY).rglob("*.pyc")):
            made[str(path.relative_to(root))] = file(path.read_bytes())
    return made


def _lay_out(tree: Tree, root: Path) -> None:
    for name, entry in sorted(tree.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "file":
            path.write_bytes(entry.data)
            path.chmod(entry.mode | 0o600)
        elif entry.kind == "link" and not entry.target.startswith("/"):
            path.symlink_to(entry.target)
