"""A box, as lessons, checks and the command line see it, whichever backend runs it."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from lab.box.access import Access
from lab.box.errors import CourseError, WaitTimeout

if TYPE_CHECKING:
    import docker
    from jupyter_client.blocking.client import BlockingKernelClient

SHELL_TIMEOUT_S = 60.0
ENDED_BY_TIMEOUT = 124
"""The exit code of coreutils' ``timeout``."""


@dataclass(frozen=True)
class Result:
    """What a command on the box came to."""

    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return self.stdout + self.stderr


@dataclass(frozen=True)
class Status:
    """What there is to say about a running box; times in seconds under names that end in ``_s``, memory in MB."""

    name: str
    backend: str
    accelerator: str
    docker_host: str
    engine_version: str
    ready_s: float
    memory_mb: float
    checkpoints: tuple[str, ...]


class Backend(Protocol):
    """What runs a box."""

    def reset(self) -> None:
        """Put a pristine machine in the place of this one."""

    def checkpoint(self, name: str) -> None:
        """Save the machine as it is."""

    def rewind(self, name: str) -> None:
        """Go back to a saved machine."""

    def checkpoints(self) -> tuple[str, ...]:
        """The names of the saved machines, oldest first."""

    def down(self) -> None:
        """Remove the machine and everything that belongs to it."""

    def status(self) -> Status:
        """How it is."""


class Machine:
    """A machine with a Docker Engine on it: what a learner's box, and the machine that a graded notebook stands on, have in common."""

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the machine's engine."""
        raise NotImplementedError

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``."""
        raise NotImplementedError

    def _command(self, command: str) -> list[str]:
        raise NotImplementedError

    def url(self, port: int) -> str:
        """A web address that reaches a TCP port of the machine from where this code runs."""
        raise NotImplementedError

    def sh(self, command: str, *, timeout: float = SHELL_TIMEOUT_S, check: bool = False, stdin: bytes = b"") -> Result:
        """Run a command in a root shell on the machine.

        Args:
            command: for ``bash``; may be many lines.
            timeout: seconds, after which the command is ended there, too.
            check: raise when the exit code is not 0.
            stdin: what the command reads.

        Raises:
            WaitTimeout: it took longer than *timeout*.
            CourseError: *check* is set and it failed.
        """
        done = self._run(command, timeout, stdin)
        if done.returncode == ENDED_BY_TIMEOUT:
            raise WaitTimeout(f"A command took longer than {timeout:g} s and was ended: {command[:80]}", done.stdout.decode(errors="replace")[-500:])
        result = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        if check and result.code:
            raise CourseError(f"A command on the box failed with exit code {result.code}: {command[:80]}", str(result).strip()[-500:])
        return result

    def _run(self, command: str, timeout: float, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        bounded = f"timeout --kill-after=2 {timeout:g} bash -c {shlex.quote(command)}"
        try:
            return subprocess.run(self._command(bounded), input=stdin, capture_output=True, timeout=timeout + 15, check=False)
        except subprocess.TimeoutExpired:
            raise WaitTimeout(f"The box did not answer within {timeout + 15:g} s.", "", "course status") from None

    def put(self, local: str | Path, remote: str) -> None:
        """Copy a file or a directory to the machine, as *remote*; root owns the copy.

        Raises:
            CourseError: there is no such file, or it can't be written there.
        """
        source, target = Path(local), PurePosixPath(remote)
        if not source.exists():
            raise CourseError(f"There is no file {source} to put on the box.", f"Looked in {source.absolute().parent}.", "check its name")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(source, target.name, filter=_owned_by_root)
        where = shlex.quote(str(target.parent))
        self._moved(f"mkdir -p {where} && tar -x -C {where}", packed.getvalue(), f"{source} could not be put at {remote}.")

    def get(self, remote: str, local: str | Path) -> None:
        """Copy a file or a directory from the machine, as *local*.

        Raises:
            CourseError: there is no such file, or it can't be written here.
        """
        source, target = PurePosixPath(remote), Path(local)
        command = f"tar -c -C {shlex.quote(str(source.parent))} {shlex.quote(source.name)}"
        packed = self._moved(command, b"", f"{remote} could not be fetched from the box.")
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for member in tar.getmembers():
                self._unpack(tar, member, target.joinpath(*PurePosixPath(member.name).parts[1:]))

    @staticmethod
    def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
        """Write one member: files and directories only, because a box must not place links or devices on the computer that it runs on."""
        if ".." in PurePosixPath(member.name).parts:
            raise CourseError(f"The box sent a file with a name that leads elsewhere: {member.name!r}.", "It was not written.")
        content = tar.extractfile(member) if member.isfile() else None
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            path.chmod(member.mode & 0o755 | 0o600)

    def _moved(self, command: str, data: bytes, complaint: str) -> bytes:
        done = self._run(command, SHELL_TIMEOUT_S * 5, data)
        if done.returncode:
            raise CourseError(complaint, done.stderr.decode(errors="replace").strip(), "check the path")
        return done.stdout


class Box(Machine):
    """The learner's disposable machine, reached from their own computer.

    Args:
        backend: runs it.
        access: reaches it.
    """

    def __init__(self, backend: Backend, access: Access) -> None:
        self._backend, self._access = backend, access

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the box's engine, over a private socket."""
        return self._access.docker

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``: a unix socket in a directory that only you can enter."""
        return self._access.docker_host

    @property
    def ssh(self) -> list[str]:
        """The ``ssh`` command that opens a root shell on the box."""
        return self._access.ssh

    def _command(self, command: str) -> list[str]:
        self._access.await_ssh()
        return [*self._access.ssh, command]

    def url(self, port: int) -> str:
        """A web address on your computer that reaches a port of the box.

        The address holds a password, because any user of the computer can connect to a port; browsers, curl and requests all understand it.

        Args:
            port: 1 to 65535; a published port of a container, say.

        Raises:
            CourseError: there is no such port.
        """
        if not 0 < port < 1 << 16:
            raise CourseError(f"There is no port {port}.", "A TCP port is a number from 1 to 65535.", "box.url(8080)")
        return self._access.ask(f"url {port}")

    @contextmanager
    def kernel(self, cwd: str = "/root") -> Iterator[BlockingKernelClient]:
        """A Jupyter kernel *inside* the box, forked from a warm one, with a key of its own; it ends with the ``with`` block.

        Args:
            cwd: its working directory, a path in the box.

        Raises:
            CourseError: it did not start.
        """
        from lab.box.kernel import start  # noqa: PLC0415  (jupyter_client is slow to import)

        with start(self, self._access, cwd) as client:
            yield client

    def reset(self) -> None:
        """Put a pristine box in the place of this one; checkpoints stay."""
        self._backend.reset()

    def checkpoint(self, name: str) -> None:
        """Save the box as it is, under a name.

        Raises:
            UsageError: that is no name for a checkpoint.
            NotOnThisBackend: the backend can't; says what to do instead.
        """
        self._backend.checkpoint(name)

    def rewind(self, name: str) -> None:
        """Go back to a checkpoint: processes, files, containers, everything.

        Raises:
            UsageError: there is no such checkpoint.
            NotOnThisBackend: the backend can't; says what to do instead.
        """
        self._backend.rewind(name)

    def checkpoints(self) -> tuple[str, ...]:
        """The names of the box's checkpoints, oldest first."""
        return self._backend.checkpoints()

    def status(self) -> Status:
        """How the box is."""
        return self._backend.status()

    def down(self) -> None:
        """Remove the box and everything that belongs to it."""
        self._backend.down()

    def __repr__(self) -> str:
        return f"<box at {self.docker_host}>"


class Here(Machine):
    """The machine that this code runs on, when it runs *inside* a box: the same methods, without any way in between."""

    @property
    def docker(self) -> docker.DockerClient:
        """A client of this machine's engine."""
        import docker  # noqa: PLC0415

        return docker.DockerClient(base_url=self.docker_host)

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``."""
        return "unix:///run/docker.sock"

    def _command(self, command: str) -> list[str]:
        return ["bash", "-c", command]

    def url(self, port: int) -> str:
        """A web address that reaches a port of this machine."""
        return f"http://127.0.0.1:{port}"

    def __repr__(self) -> str:
        return f"<box {os.uname().nodename}, from inside>"


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
