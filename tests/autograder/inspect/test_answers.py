"""Answers come as numbers, text or lists, whatever was asked for."""

from __future__ import annotations

import pytest

from autograder.inspect import number, said, words


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (3, 3.0),
        (0.5, 0.5),
        (" 1,048,576 ", 1048576.0),
        ("1_024", 1024.0),
        ("1e3", 1000.0),
        ("12,5", None),
        ("ten", None),
        ("", None),
        (True, None),
        (None, None),
        ([1], 1.0),
        (["402"], 402.0),
        ([1, 2], None),
        ([], None),
        ([True], None),
    ],
)
def test_an_answer_as_a_number(answer: object, value: float | None) -> None:
    assert number(answer) == value


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Net, and IPC.", {"net", "and", "ipc"}),
        (["pid:[402]", "UTS"], {"pid", "402", "uts"}),
        ("web-1", {"web-1"}),
        (None, set()),
        (7, set()),
    ],
)
def test_an_answer_as_words(answer: object, found: set[str]) -> None:
    assert words(answer) == found


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        (None, "no answer yet"),
        ("", "you said nothing"),
        (" 42\n", "you said 42"),
        ([1, "b"], 'you said [1, "b"]'),
        (["running"], "you said running"),
        ([], "you said []"),
        ("x" * 99, f"you said {'x' * 60}"),
    ],
)
def test_an_answer_is_quoted(answer: object, quoted: str) -> None:
    assert said(answer) == quoted
