"""Make what a box runs from, once.

Each step leaves one directory, named for the hash of its inputs and renamed into place when it is whole.  So a build can be interrupted at
any point and goes on where it was, and an unchanged step is never done again.  Nothing here needs a privilege or a registry.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.box.build import host_tools, recipe, rootfs
from lab.box.build.images import write_images
from lab.box.core import prebuilt
from lab.box.core.installation import Installation, lock
from lab.box.core.progress import Progress
from lab.box.errors import BuildError

PLATFORM = ("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64", "--implementation", "cp")


@dataclass(frozen=True)
class Artefacts:
    """What both backends start from.  All are files, read-only once made."""

    key: str
    disk: Path
    kernel: Path
    initramfs: Path
    root_tar: Path
    images: Path

    @classmethod
    def of(cls, installation: Installation, key: str) -> Artefacts:
        """Those of the recipe with this key, whether they are there or not."""
        home = installation.build / f"machine-{key}"
        names = ("disk.erofs", "vmlinuz", "initramfs.gz", "root.tar", "images.tar")
        return cls(key, *(home / name for name in names))

    def disk_hash(self) -> str:
        """The hash of the disk, 16 hex digits; kept beside the disk, where that can be written to."""
        kept = self.disk.with_suffix(".sha256")
        with suppress(OSError):
            return kept.read_text()
        with self.disk.open("rb") as disk:
            found = hashlib.file_digest(disk, "sha256").hexdigest()[:16]
        with suppress(OSError):
            scratch = kept.with_suffix(f".{os.getpid()}")
            scratch.write_text(found)
            scratch.rename(kept)
        return found


def build(installation: Installation, progress: Progress) -> Artefacts:
    """What the current recipe makes, made if it is missing; what it is made from is fetched and made only then.

    Raises:
        BuildError: a step failed; the steps before it are kept.
    """
    made = recipe.Recipe()
    machine = installation.build / f"machine-{made.key}"
    with lock(installation.build, "build"), usual_rights():
        if not machine.exists() and (found := prebuilt.find("build", machine.name)):
            machine.unlink(missing_ok=True)  # a link to where there was one before
            machine.symlink_to(found)
        if not machine.exists():
            fetched = _fetch(installation.build, made, progress)
            images = _made(
                installation.build / f"images-{made.images_key}",
                lambda out: write_images(fetched["debs"], out / "images.tar", made.images_key),
                progress,
                "Making the course's images",
            )
            _made(machine, lambda out: _machine(out, fetched, images), progress, "Making the root file system and its disk")
    return Artefacts.of(installation, made.key)


@contextmanager
def usual_rights() -> Iterator[None]:
    """What is made in a ``with`` block gets the usual rights of new files, whatever this user prefers: the box has them, too."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def pack_build(made: Artefacts, into: Path) -> None:
    """Copy what a virtual machine needs of a build into a directory, for ``prebuilt.VARIABLE``.

    Raises:
        OSError: it could not be written.
    """
    there = into / made.disk.parent.name
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    made.disk_hash()
    for file in (made.disk, made.disk.with_suffix(".sha256"), made.kernel, made.initramfs):
        shutil.copy(file, there)


def _fetch(build: Path, made: recipe.Recipe, progress: Progress) -> dict[str, Path]:
    """Download and unpack userland, kernel and wheels, side by side."""
    userland, kernel = build / f"userland-{made.packages_key}", build / f"kernel-{made.kernel_key}"
    wheels = build / f"wheels-{made.wheels_key}"
    steps: dict[Path, Callable[[Path], None]] = {
        userland: lambda out: _userland(out, made.packages),
        kernel: lambda out: _unpack(recipe.KERNEL_SUITE, out / "root", [recipe.KERNEL_PACKAGE]),
        wheels: _wheels,
    }
    missing = {out: make for out, make in steps.items() if not out.exists()}
    if missing:
        with progress.step("Fetching Debian packages, a kernel and Python packages") as advance, ThreadPoolExecutor() as pool:
            jobs = [pool.submit(_make, out, make) for out, make in missing.items()]
            for done, job in enumerate(as_completed(jobs), 1):
                job.result()
                advance(done / len(jobs))
    return {"root": userland / "root", "debs": userland / "debs", "kernel": kernel / "root", "wheels": wheels / "site"}


def _made(out: Path, make: Callable[[Path], None], progress: Progress, title: str) -> Path:
    if not out.exists():
        with progress.step(title):
            _make(out, make)
    return out


def _make(out: Path, make: Callable[[Path], None]) -> None:
    scratch = out.with_name(out.name + ".partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        make(scratch)
    except (OSError, subprocess.CalledProcessError, tarfile.TarError) as error:
        raise BuildError(
            f"{out.name.rpartition('-')[0]} could not be built.", f"{error}.", f"df -h {out.parent}, then course build"
        ) from None
    scratch.rename(out)


def _userland(out: Path, packages: tuple[str, ...]) -> None:
    (out / "debs").mkdir()
    keep = 'cp "$1"/var/cache/apt/archives/*.deb ' + f"'{out / 'debs'}'"
    _unpack(recipe.USERLAND_SUITE, out / "root", ["?essential", ",".join(packages)], f"--extract-hook={keep}")


def _unpack(suite: str, out: Path, includes: list[str], *options: str) -> None:
    """Have mmdebstrap resolve, download and unpack packages; nothing is configured, so no privilege is needed."""
    wanted = [f"--include={include}" for include in includes]
    host_tools.run(
        "mmdebstrap", "--variant=extract", "--mode=chrootless", "--aptopt=APT::Install-Recommends false", *wanted, *options, suite, out,
        env={"LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def _wheels(out: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
        "--no-deps",
        "--require-hashes",
        "--ignore-requires-python",
    ]
    command += ["--only-binary=:all:", "--python-version", recipe.PYTHON, *PLATFORM, "--target", str(out / "site")]
    host_tools.run(*command, "--requirement", recipe.WHEELS)


def _machine(out: Path, fetched: dict[str, Path], images: Path) -> None:
    root = out / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", fetched["root"], root], check=True)
    rootfs.finish(root, fetched["wheels"], fetched["kernel"])
    release = rootfs.kernel_release(fetched["kernel"])
    shutil.copy(fetched["kernel"] / f"boot/vmlinuz-{release}", out / "vmlinuz")
    rootfs.write_initramfs(root, fetched["kernel"], out / "initramfs", out / "initramfs.gz")
    with tarfile.open(out / "root.tar", "w") as tar:
        tar.add(root, ".", filter=_owned_by_root)
    os.link(images / "images.tar", out / "images.tar")
    os.link(images / "images.tar", root / rootfs.IMAGES)
    rootfs.write_disk(root, out / "disk.erofs")
    for directory in ("root", "initramfs"):
        shutil.rmtree(out / directory)


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if member.name.startswith("./usr/lib/modules/"):
        return None  # a container uses its host's kernel
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
