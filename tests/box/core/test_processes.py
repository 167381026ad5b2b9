"""Processes that outlive the command that started them, and that are told apart from others."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from lab.box.core import processes
from lab.box.core.processes import Process, end_all, spawn
from tests.support.nobody import NOBODY

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
SLEEP = ["/bin/sleep", "60"]
INIT = """
import ctypes, signal, subprocess, sys, time
from pathlib import Path
from lab.box.core.processes import spawn
def run_and_be_late(*arguments, run=subprocess.run, **options):
    done = run(*arguments, **options)
    time.sleep(0.2)
    return done
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans become ours, as they become init's
if sys.argv[1] == "collects":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    subprocess.run = run_and_be_late
process = spawn(sys.argv[3:], Path(sys.argv[2]))
print(process.pid, process.started, process.alive, flush=True)
input()
"""
Spawn = Callable[..., Process]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def start(log: Path) -> Iterator[Spawn]:
    """Spawn processes; all are killed and collected at the end."""
    started: list[Process] = []

    def go(command: list[str], log_: Path = log, **options: object) -> Process:
        started.append(spawn(command, log_, **options))  # type: ignore[arg-type]
        return started[-1]

    yield go
    for process in started:
        if process.alive:
            os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def child(log: Path) -> Iterator[Spawn]:
    """Start processes that are ours, and so collected at once when they end."""
    with log.open("w") as output, ExitStack() as stack:

        def go(command: list[str]) -> Process:
            started = stack.enter_context(subprocess.Popen(command, stdout=output))
            stack.callback(started.kill)
            return Process.of(started.pid)

        yield go


@contextmanager
def init(manner: str, log: Path, *command: str) -> Iterator[tuple[Process, bool]]:
    """A process under an init that collects the dead at once, or never, as in a container without one; and whether it lived at first."""
    arguments = [sys.executable, "-c", INIT, manner, log, *command]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as above:
        assert above.stdout
        pid, started, alive = above.stdout.readline().split() or pytest.fail("it did not start")
        yield Process(int(pid), float(started)), alive == "True"


def said(log: Path, what: str) -> None:
    """Wait until the log has it."""
    deadline = time.monotonic() + 5
    while not log.exists() or what not in log.read_text():
        assert time.monotonic() < deadline, log
        time.sleep(0.005)


def test_a_process_is_detached(start: Spawn) -> None:
    process = start(SLEEP)
    assert process.alive
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
    assert Path(f"/proc/{process.pid}/fd/0").readlink() == Path(os.devnull)


def test_its_output_is_added_to_a_log_that_only_the_owner_reads(start: Spawn, log: Path) -> None:
    for text in ("one", "two"):
        start(["/bin/sh", "-c", f"echo {text}; echo {text} >&2"])
        said(log, f"{text}\n{text}\n")
    assert log.read_text() == "one\none\ntwo\ntwo\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_it_gets_descriptors_and_settings(start: Spawn, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "kept")
    (tmp_path / "input").write_text("through the descriptor")
    with (tmp_path / "input").open() as file:
        program = f"import os; print(os.read({file.fileno()}, 100).decode(), os.environ['KEPT'], os.environ['NEW'])"
        start([sys.executable, "-c", program], fds=(file.fileno(),), env={"NEW": "new"})
        said(log, "\n")
    assert log.read_text() == "through the descriptor kept new\n"
    assert "NEW" not in os.environ


def test_it_gets_no_other_descriptors(start: Spawn, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w"):
        process = start(SLEEP)
        assert {path.name for path in Path(f"/proc/{process.pid}/fd").iterdir()} == {"0", "1", "2"}


def test_it_outlives_who_started_it(log: Path) -> None:
    script = "import sys; from pathlib import Path; from lab.box.core.processes import spawn; p = spawn(sys.argv[2:], Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; print(p.pid, p.started)", log, *SLEEP], capture_output=True, text=True, check=True
    )
    pid, started = done.stdout.split()
    process = Process(int(pid), float(started))
    assert process.alive
    os.kill(process.pid, signal.SIGKILL)


def test_a_program_that_is_not_there_is_no_process(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        spawn(["/nowhere/program"], log)
    assert "No such file" in capfd.readouterr().err


def test_a_process_that_has_ended_is_not_alive_although_nobody_collects_it(log: Path) -> None:
    with init("never collects", log, "/bin/true") as (process, _):
        deadline = time.monotonic() + 5
        while process.alive:
            assert time.monotonic() < deadline
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        process.kill()
        assert process.memory_mb == 0


def test_a_process_may_end_before_anybody_looks(log: Path) -> None:
    with init("collects", log, "/bin/true") as (process, alive):
        assert not alive
        assert not process.alive
        process.kill()


@pytest.mark.parametrize("end", [Process.kill, lambda _: end_all(f"sleep 60.{os.getpid()}")], ids=["kill", "end_all"])
def test_an_end_is_not_waited_for_longer_than_it_takes(log: Path, end: Callable[[Process], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GONE_S", 0.7)
    with init("never collects", log, "/bin/sleep", f"60.{os.getpid()}") as (process, alive):
        assert alive
        began = time.monotonic()
        end(process)
        assert not process.alive
        assert time.monotonic() - began < 0.5


def test_a_later_process_with_the_same_id_is_another_and_is_left_alone(start: Spawn) -> None:
    process = start(SLEEP)
    earlier = replace(process, started=process.started - 100)
    assert not earlier.alive
    assert earlier.memory_mb == 0
    earlier.kill()
    assert process.alive


def test_a_process_is_found_again_by_what_was_noted(start: Spawn) -> None:
    process = start(SLEEP)
    assert Process.of(process.pid) == process
    assert process.memory_mb > 0


def test_kill_does_not_ask(child: Spawn, log: Path) -> None:
    process = child(["/bin/sh", "-c", STUBBORN])
    said(log, "ready")
    process.kill()
    assert not process.alive


def marked(marker: str) -> list[str]:
    return ["/bin/sh", "-c", "while :; do sleep 0.05; done", marker]


def test_all_with_a_marker_end_and_no_others(child: Spawn, tmp_path: Path) -> None:
    mine = [child(marked(f"{tmp_path}/box/one")), child(["/bin/sh", "-c", STUBBORN, f"--path={tmp_path}/box"])]
    others = [child(marked(f"{tmp_path}/bo")), child(SLEEP)]
    end_all(f"{tmp_path}/box")
    assert [process.alive for process in mine + others] == [False, False, True, True]


def test_another_users_processes_are_left_alone(tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("only root can start them")
    with subprocess.Popen(marked(f"{tmp_path}/box"), user=NOBODY) as theirs:
        end_all(f"{tmp_path}/box")
        assert theirs.poll() is None
        theirs.kill()


def test_who_cleans_up_is_left(tmp_path: Path) -> None:
    script = "import sys; from lab.box.core.processes import end_all; end_all(sys.argv[1]); print('still here')"
    done = subprocess.run([sys.executable, "-c", script, f"{tmp_path}/box"], capture_output=True, text=True, check=False)
    assert done.stdout == "still here\n"


def test_the_shell_that_cleans_up_is_left(tmp_path: Path) -> None:
    script = f"from lab.box.core import processes; processes.GONE_S = 0.2; processes.end_all('{tmp_path}' + '/box')"
    command = f": DOCKER_HOST=unix://{tmp_path}/box/docker.sock docker ps; '{sys.executable}' -c \"{script}\"; echo still here"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "still here\n"


def test_a_clock_that_was_corrected_makes_nobody_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"]) as running:
        process, real = Process.of(running.pid), psutil.Process.create_time
        monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 112)
        assert process.alive
        running.kill()
