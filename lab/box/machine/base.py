"""The base class of all machines: run commands, copy files, get a Docker client or a web address.

Subclasses say how the machine is reached: ``RemoteMachine`` from the learner's computer, ``LocalMachine`` and ``Peer`` from inside the box.
Imports only the standard library and light modules of the course, because it is also used inside a box.
"""

from __future__ import annotations

import io
import shlex
import socket
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from lab.box.core.inside import BOX
from lab.box.errors import CourseError, NotManaged, WaitTimeout
from lab.box.machine.command import Request, Show, collect, run

if TYPE_CHECKING:
    import docker

SHELL_TIMEOUT_S = 60.0
API_TIMEOUT_S = 180.0
API_VERSION = "1.45"
"""Of the engine that is in every box; named, so that a client need not ask first."""
NOT_COPIED = ("__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache")


@dataclass(frozen=True)
class Result:
    """What a command on the box came to."""

    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return self.stdout + self.stderr


class Machine:
    """A machine with a Docker Engine on it.  A subclass says how it is reached."""

    name = BOX
    """What the others on its segment call it."""
    managed = False
    """Whether its ``memory_mb``, ``ready_s`` and ``stop`` work: only for a machine beside the box, and only from outside the box."""

    own_kernel = True
    """False where it is known to share the kernel of the computer that it runs on, and to have only what is built into that."""

    def end_reason(self) -> str:
        """Why it does not run, where it is known that it does not and won't again; else empty."""
        return ""

    @property
    def memory_mb(self) -> float:
        """The memory that it costs the computer which it runs on, in MB.

        Raises:
            NotManaged: see ``managed``.
        """
        raise self._not_managed("What the machine costs its computer can't be measured")

    @property
    def ready_s(self) -> float:
        """The seconds from the request until it could be used.

        Raises:
            NotManaged: see ``managed``.
        """
        raise self._not_managed("How long the machine took to be ready is not known")

    def stop(self) -> None:
        """Power the machine off at once; what was only in its memory is lost.

        Raises:
            NotManaged: see ``managed``.
        """
        raise self._not_managed("The machine can't be stopped")

    def _not_managed(self, what: str) -> NotManaged:
        why = f"{self.name} is managed by the computer that it runs on, and this code can't reach that."
        return NotManaged(f"{what} from here.", why, f'machines.find("{self.name}"), in a notebook outside the box')

    @property
    def docker(self) -> docker.DockerClient:
        """A client of the machine's engine."""
        raise NotImplementedError

    @property
    def docker_host(self) -> str:
        """For ``DOCKER_HOST``."""
        raise NotImplementedError

    def ask_for_command(self) -> socket.socket:
        """A connection to the agent's ``command``; see ``guest/command.py``."""
        raise NotImplementedError

    def url(self, port: int) -> str:
        """A web address that reaches a TCP port of the machine from where this code runs."""
        raise NotImplementedError

    def sh(self, command: str, *, timeout: float = SHELL_TIMEOUT_S, check: bool = False, stdin: bytes = b"") -> Result:
        """Run a command in a root shell on the machine.

        It ends when the shell ends; what that has left in the background goes on.

        Args:
            command: for ``bash``; may be many lines.
            timeout: seconds, after which the command is ended there, too.
            check: raise when the exit code is not 0.
            stdin: what the command reads.

        Raises:
            WaitTimeout: it took longer than *timeout*.
            CourseError: *check* is set and it failed.
            KeyboardInterrupt: as ``stream``.
        """
        code, said, complained, timed_out = collect(self.ask_for_command(), Request(command, timeout, stdin=stdin))
        result = Result(code, said.decode(errors="replace"), complained.decode(errors="replace"))
        if timed_out:
            raise WaitTimeout(f"A command took longer than {timeout:g} s and was ended: {command[:80]}", result.stdout[-500:])
        if check and result.code:
            raise CourseError(f"A command on the box failed with exit code {result.code}: {command[:80]}", str(result).strip()[-500:])
        return result

    def stream(self, request: Request, show: Show) -> int:
        """Run a command as ``sh`` does, and hand over what it says as it comes.

        Args:
            request: see there.
            show: told ``"stdout"`` or ``"stderr"``, and the bytes that were said there.

        Returns:
            Its exit code.

        Raises:
            WaitTimeout: it took longer than the request allows, and was ended.
            BoxNotRunning: the connection broke off, as when the command shut the machine down.
            KeyboardInterrupt: it was interrupted here, got that signal there, and has ended.
        """
        code, timed_out = run(self.ask_for_command(), request, show)
        if timed_out:
            raise WaitTimeout(f"A command took longer than {request.timeout_s:g} s and was ended: {request.script[:80]}", "")
        return code

    def put(self, local: str | Path, remote: str) -> None:
        """Copy a file or a directory to the machine, as *remote*; root owns the copy.  Python's and Jupyter's caches are left out.

        Raises:
            CourseError: there is no such file, or it can't be written there.
            WaitTimeout: it took longer than 300 s.
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
        """Copy a file or a directory from the machine, as *local*.  Links and devices are left out, without a message.

        Raises:
            CourseError: there is no such file, or it can't be written here.
            WaitTimeout: it took longer than 300 s.
        """
        source, target = PurePosixPath(remote), Path(local)
        command = f"tar -c -C {shlex.quote(str(source.parent))} {shlex.quote(source.name)}"
        packed = self._moved(command, b"", f"{remote} could not be fetched from the box.")
        try:
            with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
                for member in tar.getmembers():
                    self._unpack(tar, member, target.joinpath(*PurePosixPath(member.name).parts[1:]))
        except OSError as error:
            why = f"{error.strerror}: {error.filename}."
            raise CourseError(f"{remote} could not be written to {target}.", why, "check the path") from None

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
        code, said, complained, timed_out = collect(self.ask_for_command(), Request(command, SHELL_TIMEOUT_S * 5, stdin=data))
        if timed_out:
            raise WaitTimeout(complaint, f"It took longer than {SHELL_TIMEOUT_S * 5:g} s.", "course status")
        if code:
            raise CourseError(complaint, complained.decode(errors="replace").strip(), "check the path")
        return said


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if PurePosixPath(member.name).name in NOT_COPIED:
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
