"""What a lesson prints: tables, bars, and what was predicted beside what was measured."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbclient import NotebookClient

from lab.report import BAR, RenewedLine, agrees, bars, mark, table, verdict


def test_columns_of_a_table_are_as_wide_as_their_widest_cell() -> None:
    assert table(("name", "number"), ("a", 1), ("longer", 22)).splitlines() == [
        "name     number",
        "---------------",
        "a        1",
        "longer   22",
    ]


def test_what_is_counted_is_whole_and_what_is_measured_has_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    bars({"machine": 11, "container": 1}, "")
    bars({"one": 0.5, "another": 2.0})
    lines = capsys.readouterr().out.splitlines()
    assert [line.replace("█", "") for line in lines] == ["machine     11", "container   1", "one       0.50 s", "another   2.00 s"]
    assert [line.count("█") for line in lines] == [BAR, 4, BAR // 4, BAR]


@pytest.mark.parametrize(
    ("predicted", "measured", "same"),
    [
        ("3", 3, True),
        (3, "3", True),
        (3, 4, False),
        ("exited", "exited", True),
        ("pid, net", {"net", "pid"}, True),
        (["net", "pid"], {"pid", "net"}, True),
        ([], set(), True),
        ("net", {"net", "pid"}, False),
        (["a", "b"], ["a", "b"], True),
        (["b", "a"], ["a", "b"], False),
    ],
)
def test_a_prediction_is_compared_by_what_it_says(predicted: object, measured: object, same: bool) -> None:
    assert agrees(predicted, measured) is same
    assert verdict(predicted, measured).endswith("\nAs you said.") is same


def test_a_verdict_has_both_in_words() -> None:
    assert verdict("pid net", {"net", "mnt"}).splitlines()[0] == "You said: net, pid. Measured: mnt, net."
    assert verdict([], {"net"}).startswith("You said: none. Measured: net.")
    assert verdict(..., 3) == verdict(None, 3) == "You made no prediction. Measured: 3."


def test_an_open_answer_does_not_give_the_fact_away(capsys: pytest.CaptureFixture[str]) -> None:
    mark([..., 2, 3], [1, 2, {"b", "a"}])
    assert capsys.readouterr().out.splitlines() == ["1. open", "2. right", "3. no, the box says a, b"]


def test_a_line_is_renewed_in_a_terminal_and_not_shown_for_what_is_quick(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RenewedLine(0) as line:
        line.say("read by nobody")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with RenewedLine(60) as line:
        line.say("too early")
    assert capsys.readouterr() == ("", "")
    with RenewedLine(0) as line:
        for text in ("1 of 2", "1 of 2", "2 of 2"):
            line.say(text)
    out, err = capsys.readouterr()
    assert re.fullmatch(r"\r1 of 2\x1b\[K\r2 of 2\x1b\[K\r2 of 2 after 0\.\d s\x1b\[K\n", out), repr(out)
    assert err == ""


def test_a_line_is_one_output_of_its_cell() -> None:
    cell = "from lab.report import RenewedLine\nwith RenewedLine(0) as line:\n    line.say('1 of 2')\n    line.say('2 of 2')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    NotebookClient(notebook).execute()
    (output,) = notebook.cells[0].outputs
    assert re.fullmatch(r"2 of 2 after 0\.\d s", output.data["text/plain"])
