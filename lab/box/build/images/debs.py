"""Debian packages read as plain data, without installing or configuring them.

``dpkg-deb`` turns a package into a tar stream, which is read in memory: no file of a package needs root, or touches the disk.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.box.build.images.archive import Entry, directory, file, link
from lab.box.errors import BuildError

MERGED = ("bin", "sbin", "lib", "lib64")
"""Since trixie these are links into ``/usr``: what a package puts below them belongs there."""


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> bytes:
    """What a program prints.

    Raises:
        BuildError: it is missing, or failed; with its last words.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **(env or {})})
    except OSError as error:
        raise BuildError(f"The images need the program {name}.", f"{command[0]}: {error.strerror}.", "course doctor") from None
    if done.returncode:
        last = "\n".join(done.stderr.decode(errors="replace").strip().splitlines()[-8:])
        raise BuildError(f"{name} failed with exit code {done.returncode}.", last, "course build, once that is mended")
    return done.stdout


def find(debs: Path, packages: Iterable[str]) -> list[Path]:
    """The files of *packages* in the directory *debs*, in the same order.

    Raises:
        BuildError: one or more are not there; it names all of them.
    """
    files = {path.name.split("_")[0]: path for path in sorted(debs.glob("*.deb"))}
    wanted = list(packages)
    if missing := [package for package in wanted if package not in files]:
        raise BuildError(
            f"The course's images need packages that were not fetched: {', '.join(missing)}.",
            f"{debs} has {len(files)} packages, and not these.",
            "course build (a recipe that names lab.box.build.images.PACKAGES fetches them)",
        )
    return [files[package] for package in wanted]


def unpack(debs: Path, packages: Iterable[str], drop: tuple[str, ...] = ()) -> dict[str, Entry]:
    """The merged content of *packages*.

    Args:
        debs: directory of ``.deb`` files.
        packages: names; a later one replaces files of an earlier one.
        drop: prefixes of paths that are left out.

    Raises:
        BuildError: a package is missing or can't be read.
    """
    tree: dict[str, Entry] = {}
    for path in find(debs, packages):
        with tarfile.open(fileobj=io.BytesIO(run("dpkg-deb", "--fsys-tarfile", path))) as tar:
            for member in tar:
                name = _real(member.name.removeprefix("./").rstrip("/"))
                if name not in ("", ".") and not f"{name}/".startswith(drop):
                    tree[name] = _entry(tar, member)
    return tree


def _real(name: str) -> str:
    first, slash, _ = name.partition("/")
    return f"usr/{name}" if slash and first in MERGED else name


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    if member.isdir():
        return directory(member.mode)
    if member.issym():
        return link(member.linkname)
    content = tar.extractfile(member)  # of a hard link: what it links to
    return file(content.read() if content else b"", member.mode)
