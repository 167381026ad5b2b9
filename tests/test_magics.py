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
from lab.box.machine.command import Request, Show
from lab.magics import MOST_SHOWN, Output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeBox:
    """Remembers what it was asked, and answers what it was given."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answer = Result(0, "", "")
        self.error: BaseException | None = None

    def stream(self, request: Request, show: Show) -> int:
        self.asked.append(request)
        show("stdout", self.answer.stdout.encode())
        show("stderr", self.answer.stderr.encode())
        if self.error:
            raise self.error
        return self.answer.code


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

    assert box.asked == [Request("cd /tmp\nls $HOME {x}\n", 60, {}, merged=True)]


def test_a_line_reaches_the_box_as_it_was_typed(shell: InteractiveShell, box: FakeBox) -> None:
    shell.user_ns["HOME"] = "a Python variable"
    line = """docker ps -a --format '{{.Names}}' "$HOME" {HOME} \\$x --timeout 5"""

    shell.run_cell(f"%box {line}").raise_error()

    assert box.asked[-1].script == line


def test_all_that_is_said_is_ordinary_output(shell: InteractiveShell, box: FakeBox, capsys: pytest.CaptureFixture[str]) -> None:
    box.answer = Result(0, "said\n", "complained without an end")

    shell.run_cell_magic("box", "", "x")

    assert capsys.readouterr() == ("said\ncomplained without an end\n", "")


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
    assert box.asked == [Request("x", 60, {}, merged=False)]
    assert capsys.readouterr() == ("a warning\n", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (2.5, "2.5"), ("plain", "plain"), ("it's $HOME; rm -rf /", "it's $HOME; rm -rf /"), (None, ""), (..., "")],
)
def test_set_passes_a_variable_as_it_is(shell: InteractiveShell, box: FakeBox, value: object, text: str) -> None:
    shell.user_ns["port"] = value

    shell.run_cell_magic("box", "--set port", "echo $port\n")

    assert box.asked == [Request("echo $port\n", 60, {"port": text}, merged=True)]


def test_a_cell_may_run_on_another_machine(shell: InteractiveShell, box: FakeBox) -> None:
    shell.user_ns |= {"web": (web := FakeBox()), "port": 80}

    shell.run_cell_magic("box", "--on web --set port", "hostname")

    assert web.asked == [Request("hostname", 60, {"port": "80"}, merged=True)]
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

    assert box.asked == [Request("echo $a --out d", 2.5, {"a": "1", "b": "x y"}, merged=False)]
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


def test_a_script_that_takes_too_long_shows_what_it_said_and_tells_how_to_allow_more(
    shell: InteractiveShell, box: FakeBox, capsys: pytest.CaptureFixture[str]
) -> None:
    box.answer = Result(0, "half of it", "")
    box.error = WaitTimeout("It took longer than 5 s.", "", "course status")

    with pytest.raises(WaitTimeout, match=r"Next: %%box --timeout 20"):
        shell.run_cell_magic("box", "--timeout 5", "sleep 9")
    assert capsys.readouterr().out == "half of it\n"


def test_an_interrupt_shows_what_was_said_and_stops_the_cell(
    shell: InteractiveShell, box: FakeBox, capsys: pytest.CaptureFixture[str]
) -> None:
    box.answer, box.error = Result(0, "so far", ""), KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        shell.run_cell_magic("box", "", "sleep 9")
    assert capsys.readouterr().out == "so far\n"


def test_what_is_cut_in_the_middle_of_a_character_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    said = Output()
    for piece in ("50 €\r".encode()[:4], "50 €\r".encode()[4:], b"\x1b[31mred\xff"):
        said.add(piece)
    said.end()

    assert capsys.readouterr().out == "50 €\r\x1b[31mred\ufffd\n"


def test_a_flood_is_cut_and_its_size_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    said = Output()
    for _ in range(30):
        said.add(b"y\n" * 50_000)
    said.end()

    shown = capsys.readouterr().out
    assert shown.startswith("y\n" * 500_000 + "… and 2.0 MB more, which are not shown.")
    assert len(shown) < MOST_SHOWN + 100


def test_set_passes_a_part_of_a_variable_under_its_own_name(shell: InteractiveShell, box: FakeBox) -> None:
    shell.user_ns["task"] = SimpleNamespace(port=8080, name="it's")
    shell.run_cell_magic("box", "--set task.port,task.name", "echo $port $name")
    assert box.asked[-1].environment == {"port": "8080", "name": "it's"}
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
