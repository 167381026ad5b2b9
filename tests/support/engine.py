"""A Docker engine for tests and benchmarks that leaves nothing, however they end.

It runs in mount, network and PID namespaces of its own.  Its bridge, firewall rules and mounts are therefore never the host's, and killing
the first process of the PID namespace ends the engine, containerd and every container at once.  That process is told by the kernel to die
with us, so even a killed test run leaves no process; the directory and control groups that it does leave are swept by the next run.

There is no way out of its network: tests that pass here need no registry.  An engine that is to build images from Debian's packages gets
one, by slirp4netns, which needs nothing of the host's own network.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import psutil
from docker.errors import DockerException

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "course-engine-"
START_DEADLINE_S = 60.0
SETTLE_DEADLINE_S = 10.0
ENOUGH_B = 8e9
"""What must be free so that an engine's store, some 2 GB with a box or two, may be in memory."""
CGROUPS = Path("/sys/fs/cgroup")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

# The shell stays as the namespace's first process, to reap what containerd's shims leave.  A fresh /run hides the host's containerd, which
# dockerd would use if it found it, and keeps its sockets and locks apart.
FIRST_PROCESS = 'mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && $MOUNT_DATA && { "$@" & wait $!; }'
WITH_US = ["setpriv", "--pdeathsig", "KILL"]
NAMESPACES = [*WITH_US, "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "slave"]


def answering_engine() -> str | None:
    """The address of the engine that DOCKER_HOST (or, without it, the usual socket) names, if it answers."""
    url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    return url if answers(url) else None


def why_not() -> str | None:
    """Why no private engine can run here, as a sentence; None if one can."""
    if os.geteuid() != 0:
        return "No Docker engine answers, and only root can start one: start Docker, or set DOCKER_HOST."
    absent = [name for name in ("dockerd", "iptables", "ip", "setpriv", "unshare") if not shutil.which(name, path=_path())]
    return f"No Docker engine answers, and there is no {', no '.join(absent)} to start one: tools/system-packages test" if absent else None


@contextmanager
def private_engine(*, in_memory: bool = False, builds: bool = False) -> Iterator[str]:
    """Run an engine; the value is its address.

    Args:
        in_memory: what it stores is kept in memory, where there is enough of it: no test waits for a disk.
        builds: it reaches what the host reaches, for builds that fetch packages.

    Raises:
        RuntimeError: it ended, or did not answer within 60 s; with the last lines of its log.
    """
    with _alone():
        sweep()
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = _hold(home)
    process = way_out = None
    try:
        process = _start(home, in_memory=in_memory and psutil.virtual_memory().available > ENOUGH_B)
        address = _wait(home, process)
        way_out = _way_out(process) if builds else None
        yield address
    finally:
        if way_out:
            way_out.kill()
            way_out.wait()
        if process:
            _end(process)
        _remove(home)
        if held is not None:
            os.close(held)


def answers(url: str) -> bool:
    """Whether a Docker engine answers at the address."""
    if not _listens(url):
        return False
    with suppress(DockerException), closing(docker.from_env(environment=os.environ | {"DOCKER_HOST": url}, timeout=3)) as client:
        return bool(client.ping())
    return False


def sweep() -> None:
    """Remove what killed runs left: directories of ours that nobody holds."""
    for entry in os.scandir(tempfile.gettempdir()):
        if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.geteuid():
            held = _hold(Path(entry.path))
            if held is not None:
                _remove(Path(entry.path))
                os.close(held)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other runs of tests from sweeping away a directory that nobody holds yet."""
    with (Path(tempfile.gettempdir()) / f".{PREFIX}lock-{os.geteuid()}").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(home: Path, *, in_memory: bool) -> subprocess.Popen[bytes]:
    (home / "data").mkdir(mode=0o711)
    mount = f"mount -t tmpfs -o mode=711 tmpfs {home}/data" if in_memory else "true"
    (home / "daemon.json").write_text("{}")  # or it would read the host's
    engine = ["dockerd", "--host", f"unix://{home}/docker.sock", "--data-root", home / "data", "--exec-root", home / "exec"]
    engine += ["--pidfile", home / "pid", "--config-file", home / "daemon.json", "--storage-driver", "overlay2"]
    engine += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{home.name}"]
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [*NAMESPACES, "bash", "-c", FIRST_PROCESS, "engine", *engine],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PATH": _path(), "MOUNT_DATA": mount},
            start_new_session=True,  # Ctrl-C is for the tests, which then end it
        )


def _way_out(engine: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """Connect an engine with what the host reaches, but not with the host itself."""
    (first,) = psutil.Process(engine.pid).children()
    ready, says_so = os.pipe()
    command = ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", f"--ready-fd={says_so}", str(first.pid), "tap0"]
    process = subprocess.Popen(
        [*WITH_US, *command], pass_fds=[says_so], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(says_so)
    connected = os.read(ready, 1)
    os.close(ready)
    if not connected:
        raise RuntimeError("slirp4netns did not connect the engine with the network.")
    return process


def _wait(home: Path, process: subprocess.Popen[bytes]) -> str:
    url = f"unix://{home}/docker.sock"
    deadline = time.monotonic() + START_DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline:
        if answers(url):
            return url
        time.sleep(0.1)
    state = "still runs" if process.returncode is None else f"ended with {process.returncode}"
    log = (home / "log").read_text(errors="replace").splitlines()[-20:]
    raise RuntimeError("\n".join([f"The private Docker engine did not answer; it {state}. Its last words:", *log]))


def _end(process: subprocess.Popen[bytes]) -> None:
    # The first process, not `unshare` itself, which waits for it: the kernel lets it go only when all others in the namespace are gone.
    with suppress(psutil.NoSuchProcess):
        for first in psutil.Process(process.pid).children():
            first.kill()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _remove(home: Path) -> None:
    deadline = time.monotonic() + SETTLE_DEADLINE_S  # a control group is busy until the last of the killed has left it
    while not _remove_groups(home.name) and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(home, ignore_errors=True)


def _remove_groups(name: str) -> bool:
    """Whether no control group of that name is left, in the one hierarchy or in any of the old ones."""
    groups = [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]
    for group in groups:
        for directory, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()
    return not any(group.exists() for group in groups)


def _listens(url: str) -> bool:
    """False where a Unix socket refuses; docker would leak its end of it, and a warning is an error here."""
    if not url.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as ours:
        return ours.connect_ex(url.removeprefix("unix://")) == 0


def _hold(home: Path) -> int | None:
    """Lock the directory as long as we live; None if another run holds it."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
