"""A session: a container under the limits of mybinder.org, and a browser beside it."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.binder.image import IMAGE
from tests.support.engine import CGROUPS

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

PORT, TOKEN = 8888, "a-token-of-this-session"
JUPYTER = ["jupyter", "lab", "--ip=127.0.0.1", f"--port={PORT}", "--no-browser", f"--IdentityProvider.token={TOKEN}"]
LIMITS: dict[str, Any] = {
    "mem_limit": "2g", "memswap_limit": "2g", "nano_cpus": 1_000_000_000, "user": "1000", "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"], "network_mode": "none",
}  # fmt: skip
MB = 1 << 20
READY_S = 120


class Session:
    """One session that runs.

    Args:
        container: it.
    """

    def __init__(self, container: Container) -> None:
        self.container = container
        self.most_mb = 0.0
        """The most memory that it has had which can't be dropped, in MB."""

    def sh(self, command: str, *, check: bool = True, timeout_s: int = 1800) -> str:
        """What a shell in it says, as the session's user."""
        code, said = self.container.exec_run(["timeout", str(timeout_s), "bash", "-c", command])
        text = str(said.decode(errors="replace"))
        assert not (check and code), f"exit code {code}: {text[-3000:]}"
        return text

    def on_the_box(self, command: str) -> str:
        """What a root shell on its box says."""
        program = "import sys; from lab import connect; print(connect().sh(sys.argv[1], check=True).stdout)"
        return self.sh(f"python -c {shlex.quote(program)} {shlex.quote(command)}")

    @property
    def group(self) -> Path:
        """Its control group; that of memory, where each kind has its own."""
        return next(path for path in (*CGROUPS.glob(f"memory/*/{self.container.id}"), *CGROUPS.glob(f"*/{self.container.id}")))

    @property
    def network(self) -> str:
        """Its network namespace, as nsenter takes it: a browser beside it is in there, and Jupyter listens on loopback alone."""
        return f"/proc/{(self.group / 'cgroup.procs').read_text().split()[0]}/ns/net"

    def killed(self) -> int:
        """How many processes were ended for want of memory."""
        for name in ("memory.oom_control", "memory.events"):
            if (self.group / name).exists():
                return int(re.findall(r"^oom_kill (\d+)", (self.group / name).read_text(), re.MULTILINE)[0])
        raise FileNotFoundError("no count of processes that were ended for want of memory")

    def ask(self, path: str, *options: str) -> str:
        """What curl says of an address below Jupyter's, from beside the session."""
        command = ["nsenter", f"--net={self.network}", "curl", "-s", "--max-time", "60", *options, f"http://127.0.0.1:{PORT}{path}"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def wait_for_page(self, timeout_s: float = READY_S) -> float:
        """Seconds until Jupyter answers."""
        began = time.monotonic()
        while "jupyter" not in self.ask(f"/lab?token={TOKEN}"):
            assert time.monotonic() < began + timeout_s, self.container.logs().decode()[-2000:]
            time.sleep(0.1)
        return time.monotonic() - began

    def wait_for_box(self, timeout_s: float = READY_S) -> float:
        """Seconds until the box is ready."""
        began = time.monotonic()
        while "is up" not in self.sh("course status", check=False):
            assert time.monotonic() < began + timeout_s, self.sh("cat /tmp/course-up-*.log")
            time.sleep(0.1)
        return time.monotonic() - began

    def run_notebook(self, name: str) -> dict[str, Any]:
        """Run a notebook of the session from top to bottom, outside the browser; what it is then."""
        self.sh(f"cd notebooks && jupyter execute --timeout=1200 --output=/tmp/ran.ipynb {shlex.quote(name)}")
        return dict(json.loads(self.file("/tmp/ran.ipynb")))

    def file(self, path: str) -> bytes:
        """The content of a file in it."""
        stream, _ = self.container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            member = tar.extractfile(tar.next() or "")
            assert member
            return member.read()

    def watch_memory(self, ended: threading.Event) -> None:
        """Note the most memory that it has, until told that it has ended."""
        names = ("total_rss", "total_shmem") if (self.group / "memory.oom_control").exists() else ("anon", "shmem", "kernel")
        while not ended.wait(0.2):
            try:
                found = dict(line.split() for line in (self.group / "memory.stat").read_text().splitlines())
            except (OSError, StopIteration):
                return
            self.most_mb = max(self.most_mb, sum(int(found.get(name, 0)) for name in names) / MB)


@contextmanager
def session(client: docker.DockerClient, command: list[str] | None = None, **settings: Any) -> Iterator[Session]:
    """Run a session for the time of a ``with`` block.

    Args:
        client: of the engine that has the image.
        command: what BinderHub would have it run; JupyterLab, else.
        settings: in the place of some of ``LIMITS``, or besides.
    """
    container = client.containers.run(IMAGE, command or JUPYTER, detach=True, **{**LIMITS, **settings})
    ended = threading.Event()
    there = Session(container)
    watcher = threading.Thread(target=there.watch_memory, args=[ended])
    watcher.start()
    try:
        yield there
    finally:
        ended.set()
        watcher.join()
        container.remove(force=True)
