"""The ``course`` command as its users type it, installations of a test's own, and what either may have left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import psutil

from lab.box.build.recipe import Recipe
from lab.box.core.installation import Installation
from lab.box.drivers.container.engine import OWNER_LABEL
from lab.box.wait import wait_until

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("COURSE_TEST_STATE") or ROOT / ".tests").absolute()
"""Where tests and benchmarks keep what they built, and the state directories of their installations."""
WORKER = "PYTEST_XDIST_WORKER"
"""The variable that names one of several processes that run tests."""
COURSE = (str(Path(sys.executable).with_name("course")),)
SYSTEM_PYTHON = "/usr/bin/python3"
NOBODY = 65534
"""A user that every Debian has, and that owns nothing."""
UNPRIVILEGED = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
"""What ``setpriv`` takes away, beside the user, to make a process as powerless as Binder's."""
PREPARES_A_TEMPLATE = """
import signal, sys
from lab.box import lifecycle
from lab.box.core.progress import Quiet
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that its machine ends, too
lifecycle.prepare(Quiet(), "microvm")
"""
RUNS_THE_COURSE = """
import subprocess, sys, lab.cli, docker, psutil, qemu.qmp
subprocess.run([sys.executable, "-c", ""], check=True)  # which may be forbidden where running this was not
print(sys.version_info[:2])
"""


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


def course(*args: str, env: Mapping[str, str], stdin: str = "", program: Sequence[str] = COURSE, timeout_s: float = 120) -> Done:
    """Run ``course``; whatever comes of it, it must not show a traceback.

    Args:
        args: what is typed after ``course``.
        env: the whole environment.
        stdin: what it reads.
        program: what stands in the place of ``course``, such as another user's way to run it.
        timeout_s: seconds until it is given up.
    """
    done = subprocess.run([*program, *args], env=dict(env), input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def until(what: str, true: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait until something is true; what raises an OSError on the way, such as a refused connection, is not true yet."""
    wait_until(what, true, timeout_s=timeout_s, every_s=0.05)


def why_no_other_user() -> str:
    """Why a test can't be another user of this computer, as a sentence; empty if it can."""
    if os.geteuid() != 0:
        return "Only root can be another user."
    return "" if shutil.which("setpriv") else "setpriv is not installed: apt-get install util-linux"


def as_user(uid: int, *options: str) -> list[str]:
    """Run what follows as another user of this computer."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *options]


def course_of(uid: int, *options: str) -> tuple[list[str], dict[str, str]]:
    """How another user runs the ``course`` of this checkout: what stands in its place, and what must be in its environment.

    Raises:
        LookupError: they can't; says why.
    """
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")]), "PYTHONDONTWRITEBYTECODE": "1"}
    for python in (sys.executable, SYSTEM_PYTHON):
        if _says(uid, python, RUNS_THE_COURSE, env) == str(sys.version_info[:2]):
            return [*as_user(uid, *options), python, "-c", "from lab.cli import main; main()"], env
    raise LookupError(f"User {uid} has no Python {sys.version_info[0]}.{sys.version_info[1]} that can read {ROOT} and its packages.")


def _says(uid: int, python: str, program: str, env: Mapping[str, str]) -> str:
    command = [*as_user(uid), python, "-c", program]
    return subprocess.run(command, env=os.environ | env, cwd="/", capture_output=True, text=True, check=False).stdout.strip()


def state_directory(name: str) -> Path:
    """A state directory of this process's own, which shares what was built with all others."""
    state = HOME / "-".join(filter(None, [name, os.environ.get(WORKER)]))
    state.mkdir(parents=True, exist_ok=True)
    for shared in ("build", "templates"):
        (HOME / shared).mkdir(exist_ok=True)
        if not (state / shared).exists():
            (state / shared).symlink_to(f"../{shared}")
    return state


def prepare_template() -> subprocess.Popen[bytes]:
    """Make what an emulated box is a clone of, in a process of its own; whoever starts such a box waits for the lock of the build.

    It goes before other processes where that is allowed: beside tests it would take longer than a build is given.
    """
    env = os.environ | {"COURSE_STATE": str(state_directory("template"))}  # no installation whose box is started, or taken down
    command = ["nice", "-n", "-10", sys.executable, "-c", PREPARES_A_TEMPLATE]
    return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def own_state(built: Installation, name: str = "state", owner: int | None = None) -> Iterator[Path]:
    """A state directory of a test's own, with what another one has built; it goes with the ``with`` block.

    Args:
        built: the other one.
        name: what the directory is called.
        owner: the user that it shall belong to.  They get a template of their own, because QEMU opens its memory for writing, too.
    """
    made = Recipe()
    steps = {
        "userland": made.packages_key,
        "kernel": made.kernel_key,
        "wheels": made.wheels_key,
        "images": made.images_key,
        "machine": made.key,
    }
    with tempfile.TemporaryDirectory(prefix="c-", dir="/tmp") as home:
        root = Path(home) / name
        for directory in (root / "templates", *(root / "build" / f"{step}-{key}" for step, key in steps.items())):
            directory.mkdir(parents=True)
        for artefact in ("disk.erofs", "vmlinuz", "initramfs.gz"):
            _link(built.build / f"machine-{made.key}" / artefact, root / "build" / f"machine-{made.key}" / artefact)
        for known in built.root.glob("*.json"):
            shutil.copy(known, root)
        for template in built.templates.glob(f"{made.key}-*"):
            subprocess.run(["cp", "-rT", "--sparse=always" if owner else "-s", template, root / "templates" / template.name], check=True)
        if owner:
            for path in (root.parent, root, *root.rglob("*")):
                if path.is_dir() or not path.is_relative_to(root / "build"):
                    os.chown(path, owner, owner)
        try:
            yield root
        finally:
            suffix = Installation(root).runtime.name.rpartition("-")[2]
            for sockets in Path("/tmp").glob(f"*course-*-{suffix}"):
                shutil.rmtree(sockets)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # on another device
        shutil.copy(source, target)


def traces(root: Path, runtime: Path, engine: Mapping[str, str] | None = None) -> list[str]:
    """All that this computer shows of an installation's boxes: processes, sockets, files, and what is on an outer engine.

    Args:
        root: its state directory.
        runtime: its directory for sockets.
        engine: the variables that name the outer engine, if there is one.
    """
    owner = (root / "owner").read_text() if (root / "owner").exists() else "nobody's"
    lines = ((process.pid, " ".join(process.info["cmdline"] or ())) for process in psutil.process_iter(["cmdline"]))
    found = [f"process {pid}: {line}" for pid, line in lines if any(mark in line for mark in (str(root), str(runtime), f"course-{owner}"))]
    found += [str(path) for path in (root / "boxes").glob("*") if path.is_dir() or path.name == "current.json"]
    found += [str(runtime)] if runtime.exists() else []
    return found + (_on(engine, owner) if engine else [])


def _on(engine: Mapping[str, str], owner: str) -> list[str]:
    ours: dict[str, Any] = {"filters": {"label": f"{OWNER_LABEL}={owner}"}}
    with closing(docker.from_env(environment=dict(engine))) as outer:
        found = [*outer.containers.list(all=True, **ours), *outer.volumes.list(**ours), *outer.networks.list(**ours)]
        return [f"{type(thing).__name__} {thing.name}" for thing in found]
