"""A command as the agent runs it and as it is asked for, on this computer: how it ends, what is seen of it, what is left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from lab.box.errors import BoxNotRunning, WaitTimeout
from lab.box.guest.command import Frames, pack
from lab.box.machine.command import Request
from tests.support.course import until
from tests.support.machine import Local

UNHEEDING = "trap '' INT TERM; echo here; while :; do sleep 0.05; done"
SOON_S = 20.0
"""Far less than what the commands here would take if nothing ended them."""


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    """Signals are heard here, and by what is started here, also where the tests run in the background, or under nohup."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def machine(tmp_path: Path) -> Local:
    return Local(tmp_path)


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[None]:
    """Nothing that a test has started is left soon after it."""
    yield
    until("the end of all", lambda: not [one for one in psutil.process_iter() if _starts_in(one, tmp_path)], timeout_s=10)


def _starts_in(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.cwd() == str(directory)
    except psutil.Error:
        return False


def interrupted_after(seconds: float, times: int = 1) -> None:
    """Press Ctrl-C once or more, as whoever waits for a cell does."""

    def press() -> None:
        for _ in range(times):
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()


def test_frames_may_arrive_cut_anywhere() -> None:
    sent = pack(b"O", b"hello") + pack(b"E") + pack(b"X", bytes(range(256)))
    whole = list(Frames().feed(sent))
    assert whole == [(b"O", b"hello"), (b"E", b""), (b"X", bytes(range(256)))]
    for size in (1, 2, 3, 7):
        frames = Frames()
        assert [one for start in range(0, len(sent), size) for one in frames.feed(sent[start : start + size])] == whole


def test_what_it_says_comes_with_its_exit_code(machine: Local) -> None:
    done = machine.sh("echo said; echo complained >&2; exit 3")
    assert (done.code, done.stdout, done.stderr) == (3, "said\n", "complained\n")


def test_a_shell_that_a_signal_ends_has_the_code_that_a_shell_gives_it(machine: Local) -> None:
    assert machine.sh("kill -KILL $$").code == 137


@pytest.mark.usefixtures("gone")
def test_it_ends_with_its_shell_and_what_is_in_the_background_goes_on(machine: Local, tmp_path: Path) -> None:
    began = time.monotonic()
    done = machine.sh("(sleep 0.5; for n in $(seq 3000); do echo a line that nobody reads; done; touch whole) & echo started")
    assert (done.code, done.stdout) == (0, "started\n")
    assert time.monotonic() - began < 0.5
    until("the end of what was left in the background", (tmp_path / "whole").exists, timeout_s=10)


@pytest.mark.usefixtures("gone")
def test_who_never_stops_talking_in_the_background_does_not_hold_it_up(machine: Local) -> None:
    number = int(machine.sh("yes & echo $! >&2; sleep 0.05").stderr)
    assert psutil.Process(number).name() == "yes"
    os.kill(number, signal.SIGKILL)


def test_what_is_said_is_seen_as_it_comes_in_its_order(machine: Local) -> None:
    heard: list[tuple[float, str, bytes]] = []
    script = "printf '10%%\\r'; sleep 0.4; echo wrong >&2; sleep 0.4; echo $word"
    machine.stream(Request(script, 20, {"word": "it's"}, merged=True), lambda *said: heard.append((time.monotonic(), *said)))

    assert [said[1:] for said in heard] == [("stdout", b"10%\r"), ("stdout", b"wrong\n"), ("stdout", b"it's\n")]
    assert all(later[0] - earlier[0] > 0.2 for earlier, later in pairwise(heard))


def test_a_python_program_is_heard_while_it_runs(machine: Local) -> None:
    heard: list[float] = []
    script = "python3 -c 'import time; print(1); time.sleep(0.6); print(2)'"
    environment = {"PYTHONUNBUFFERED": "1"}  # which the agent sets on a machine
    machine.stream(Request(script, 20, environment), lambda *_: heard.append(time.monotonic()))
    assert heard[-1] - heard[0] > 0.3


def test_a_shell_that_is_gone_is_told_as_a_shell_would(machine: Local, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lab.box.guest.command.SHELL", str(tmp_path / "bash"))
    done = machine.sh("ls")
    assert (done.code, done.stdout, done.stderr) == (127, "", f"{tmp_path}/bash: No such file or directory\n")
    said = bytearray()
    assert machine.stream(Request("ls", 9, merged=True), lambda where, data: said.extend(where.encode() + data)) == 127
    assert said.startswith(b"stdout")


def test_where_its_home_is_gone_it_starts_at_the_top(tmp_path: Path) -> None:
    assert Local(tmp_path / "gone").sh("pwd").stdout == "/\n"


def test_its_words_are_in_no_argument(machine: Local) -> None:
    done = machine.sh("pkill -f 'no[-]such' ; echo no-such; tr '\\0' ' ' < /proc/$$/cmdline")
    assert done.code == 0
    assert done.stdout.startswith("no-such\n")
    assert "echo" not in done.stdout


def test_a_script_may_be_longer_than_an_argument(machine: Local) -> None:
    assert machine.sh("# " + "x" * 300_000 + "\necho done").stdout == "done\n"


def test_a_mistake_is_told_with_its_line(machine: Local) -> None:
    assert machine.sh("true\nnosuch").stderr == "bash: line 2: nosuch: command not found\n"


def test_it_reads_what_it_is_given_and_says_as_much(machine: Local) -> None:
    data = os.urandom(3_000_000)
    assert machine.sh("sha256sum; wc -c < /dev/stdin", stdin=data).stdout.split()[1:] == ["-", "0"]
    assert machine.sh("base64 -w0 | tail -c 5000000 | wc -c", stdin=data).stdout == "4000000\n"


def test_input_that_nobody_reads_holds_nothing_up(machine: Local) -> None:
    assert machine.sh("exec < /dev/null; echo done", stdin=b"x" * 3_000_000).stdout == "done\n"


def test_without_input_there_is_nothing_to_read(machine: Local) -> None:
    assert machine.sh("cat; read line || echo end").stdout == "end\n"


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize("script", ["echo here; sleep 999", "trap '' TERM; echo here; sleep 999; sleep 999"])
def test_its_time_is_up(machine: Local, script: str) -> None:
    with pytest.raises(WaitTimeout, match=r"longer than 0.3 s and was ended(.|\n)*here"):
        machine.sh(script, timeout=0.3)


@pytest.mark.usefixtures("gone")
def test_an_interrupt_reaches_it_and_it_may_tidy_up(machine: Local) -> None:
    heard = bytearray()
    interrupted_after(0.5)
    with pytest.raises(KeyboardInterrupt):
        machine.stream(
            Request("trap 'echo tidy; exit 5' INT; echo here; while :; do sleep 0.05; done", 99), lambda _, said: heard.extend(said)
        )
    assert heard == b"here\ntidy\n"


@pytest.mark.usefixtures("gone")
def test_an_interrupt_ends_the_program_that_it_runs(machine: Local) -> None:
    interrupted_after(0.5)
    with pytest.raises(KeyboardInterrupt):
        machine.sh("sleep 998; echo after")


@pytest.mark.usefixtures("gone")
def test_who_insists_ends_what_heeds_nothing(machine: Local) -> None:
    heard = bytearray()
    began = time.monotonic()
    interrupted_after(0.5, times=3)
    with pytest.raises(KeyboardInterrupt):
        machine.stream(Request(UNHEEDING, 999), lambda _, said: heard.extend(said))
    assert heard == b"here\n"
    assert time.monotonic() - began < SOON_S


@pytest.mark.usefixtures("gone")
def test_who_waits_ends_it_too(machine: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.box.machine.command.ESCALATION", ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 9.0)))
    interrupted_after(0.5)
    with pytest.raises(KeyboardInterrupt):
        machine.sh(UNHEEDING, timeout=999)


@pytest.mark.usefixtures("gone")
def test_who_leaves_hangs_it_up(machine: Local) -> None:
    connection = machine.ask_for_command()
    words = b'{"script": "sleep 997; sleep 997", "environment": {}, "timeout_s": 99, "merged": false, "reads": false}'
    connection.sendall(pack(b"R", words))
    time.sleep(0.5)
    connection.close()


def test_a_connection_that_breaks_off_is_said(machine: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = machine.ask_for_command()

    def broken() -> object:
        threading.Timer(0.3, ours.shutdown, [2]).start()
        return ours

    monkeypatch.setattr(machine, "ask_for_command", broken)
    with pytest.raises(BoxNotRunning, match="broke off"):
        machine.sh("sleep 2")
