"""What a box offers, the same on both backends."""

from __future__ import annotations

from lab.box.box import Box


def test_the_engine_answers(box: Box) -> None:
    assert box.docker.ping()


def test_a_shell_gives_code_and_both_outputs(box: Box) -> None:
    result = box.sh("echo out; echo err >&2; exit 3")
    assert (result.code, result.stdout, result.stderr) == (3, "out\n", "err\n")
