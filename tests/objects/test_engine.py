"""Errors of the engine as sentences."""

from __future__ import annotations

import pytest

from lab.box.errors import CourseError
from lab.objects.engine import in_words


def test_an_engine_that_does_not_answer_is_said_in_a_sentence() -> None:
    with pytest.raises(CourseError, match="The machine of the pod web does not answer") as failed, in_words(None, "web"):
        raise ConnectionRefusedError("nobody is there")
    assert "nobody is there" in failed.value.why
