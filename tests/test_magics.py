"""``%%box`` in a shell of IPython's own; the box alone is a fake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import lab.box
from lab.box.errors import UsageError, WaitTimeout
from lab.box.machine.base import Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeBox:
    """Remembers what it was asked, and answers what it was given."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.timeout = 0.0
        self.answer = Result(0, "", "")
        self.error: Exception | None = None

    def sh(self, command: str, *, timeout: float) -> Result:
        self.asked.append(command)
        self.timeout = timeout
        if self.error:
            raise self.error
        return self.answer

    @property
    def script(self) -> str:
        return self.asked[-1].removeprefix("exec 2>&1; ")


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> FakeBox:
    fake = FakeBox()
    monkeypatch.setattr(lab.box, "connect", lambda: fake)
    return fake


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.extension_manager.load_extension("lab")
    yield shell
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()


def test_loading_the_package_as_an_extension_brings_both_forms(shell: InteractiveShell) -> None:
    assert shell.find_magic("box", "cell")
    assert shell.find_magic("box", "line")


def test_a_cell_is_one_script(shell: InteractiveShell, box: FakeBox) -> None:
    shell.run_cell_magic("box", "", "cd /tmp\nls $HOME {x}\n")

    assert box.script == "cd /tmp\nls $HOME {x}\n"
    assert box.timeout == 60


def test_a_line_reaches_the_box_as_it_was_typed(shell: InteractiveShell, box: FakeBox) -> None:
    shell.user_ns["HOME"] = "a Python variable"
    line = """docker ps -a --format '{{.Names}}' "$HOME" {HOME} \\$x --timeout 5"""

    shell.run_cell(f"%box {line}").raise_error()

    assert box.script == line


def test_errors_are_said_in_the_order_in_which_they_came(shell: InteractiveShell, box: FakeBox) -> None:
    shell.run_cell_magic("box", "", "ls nowhere; echo after\n")

    assert box.asked == ["exec 2>&1; ls nowhere; echo after\n"]


def test_all_that_is_said_is_ordinary_output(shell: InteractiveShell, box: FakeBox, capsys: pytest.CaptureFixture[str]) -> None:
    box.answer = Result(0, "said\nwithout an end", "complained\n")

    shell.run_cell_magic("box", "", "x")

    assert capsys.readouterr() == ("said\nwithout an end\ncomplained\n", "")


def test_a_failure_ends_in_a_line_of_its_own_and_stops_nothing(
    shell: InteractiveShell, box: FakeBox, capsys: pytest.CaptureFixture[str]
) -> None:
    box.answer = Result(3, "half", "")

    done = shell.run_cell("%%box\nfalse\n")

    assert done.success
    assert capsys.readouterr() == ("half\nexit code 3\n", "")


def test_out_stores_what_was_said_and_still_prints_errors(
    shell: InteractiveShell, box: FakeBox, capsys: pytest.CaptureFixture[str]
) -> None:
    box.answer = Result(0, " two\nlines \n\n", "a warning\n")

    shell.run_cell_magic("box", "--out answer", "x")

    assert shell.user_ns["answer"] == " two\nlines "
    assert box.asked == ["x"]
    assert capsys.readouterr() == ("a warning\n", "")


@pytest.mark.parametrize(
    ("value", "quoted"),
    [(5, "5"), (2.5, "2.5"), ("plain", "plain"), ("it's $HOME; rm -rf /", """'it'"'"'s $HOME; rm -rf /'"""), (None, "''"), (..., "''")],
)
def test_set_passes_a_variable_as_one_word(shell: InteractiveShell, box: FakeBox, value: object, quoted: str) -> None:
    shell.user_ns["port"] = value

    shell.run_cell_magic("box", "--set port", "echo $port\n")

    assert box.script.endswith("echo $port\n")
    assert f"export port={quoted}; " in box.asked[-1]


def test_a_cell_may_run_on_another_machine(shell: InteractiveShell, box: FakeBox) -> None:
    shell.user_ns |= {"web": (web := FakeBox()), "port": 80}

    shell.run_cell_magic("box", "--on web --set port", "hostname")

    assert web.script == "export port=80; exec 2>&1; hostname"
    assert box.asked == []


@pytest.mark.parametrize("value", ["web-1", None])
def test_what_is_no_machine_is_said_to_be_none(shell: InteractiveShell, box: FakeBox, value: object) -> None:
    shell.user_ns["web"] = value

    with pytest.raises(UsageError, match="'web' is no machine"):
        shell.run_cell_magic("box", "--on web", "hostname")
    assert box.asked == []


def test_options_go_together_in_any_form(shell: InteractiveShell, box: FakeBox) -> None:
    shell.user_ns |= {"a": 1, "b": "x y"}
    box.answer = Result(0, "out\n", "")

    shell.run_cell("%box --set a,b --timeout=2.5 --out c echo $a --out d").raise_error()

    assert box.asked == ["export a=1; export b='x y'; echo $a --out d"]
    assert box.timeout == 2.5
    assert shell.user_ns["c"] == "out"


@pytest.mark.parametrize(
    ("line", "cell", "part"),
    [
        ("--loud", "x", "no option --loud"),
        ("--timeout", "x", "needs a value"),
        ("--timeout --out y", "x", "needs a value"),
        ("--timeout soon", "x", "'soon' is no number"),
        ("--timeout 0", "x", "'0' is no number"),
        ("--set nobody", "x", "no Python variable 'nobody'"),
        ("--set a,,b", "x", "'' is no name"),
        ("--set PATH=/tmp", "x", "'PATH=/tmp' is no name"),
        ("--out 2x", "x", "'2x' is no name"),
        ("--set things", "x", "It is a list"),
        ("docker ps", "x", "only options"),
        ("", " \n", "nothing to run"),
    ],
)
def test_what_makes_no_sense_is_said_and_not_run(shell: InteractiveShell, box: FakeBox, line: str, cell: str, part: str) -> None:
    shell.user_ns["things"] = ["a", "b"]

    with pytest.raises(UsageError, match=part):
        shell.run_cell_magic("box", line, cell)

    assert not box.asked


def test_a_mistake_is_shown_as_a_sentence_without_a_traceback(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.run_cell("%%box --loud\nls\n")

    assert not done.success
    said, errors = capsys.readouterr()
    assert "no option --loud" in said
    assert "Traceback" not in said
    assert errors == ""


def test_a_script_that_takes_too_long_tells_how_to_allow_more(shell: InteractiveShell, box: FakeBox) -> None:
    box.error = WaitTimeout("It took longer than 5 s.", "half of it", "course status")

    with pytest.raises(WaitTimeout, match=r"half of it\nNext: %%box --timeout 20"):
        shell.run_cell_magic("box", "--timeout 5", "sleep 9")


def test_set_passes_a_part_of_a_variable_under_its_own_name(shell: InteractiveShell, box: FakeBox) -> None:
    shell.user_ns["task"] = SimpleNamespace(port=8080, name="it's")
    shell.run_cell_magic("box", "--set task.port,task.name", "echo $port $name")
    assert box.script == "export port=8080; export name='it'\"'\"'s'; exec 2>&1; echo $port $name"
    with pytest.raises(UsageError, match="'task' has no 'prot'"):
        shell.run_cell_magic("box", "--set task.prot", "true")


@pytest.mark.parametrize("typed", ["%box --help", "%%box --help\nls\n", "%box --timeout 5 --help"])
def test_help_shows_the_options_and_runs_nothing(
    shell: InteractiveShell, box: FakeBox, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    assert shell.run_cell(typed).success

    said = capsys.readouterr().out
    assert all(option in said for option in ("--on NAME", "--timeout SECONDS", "--set", "--out NAME")), said
    assert box.asked == []


def test_a_question_mark_shows_the_options(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%box?")

    assert "--timeout SECONDS" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["--time 5", "--out= ls", "--on= ls", "-- ls", "--help=yes ls"])
def test_a_half_typed_option_is_said_and_not_run(shell: InteractiveShell, box: FakeBox, line: str) -> None:
    with pytest.raises(UsageError, match=r"Next: %%box \[--on"):
        shell.run_line_magic("box", line)
    assert box.asked == []
