"""An error is three parts for a person: what, why, and what to type next."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from lab.box import errors
from lab.box.errors import CourseError, UsageError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CourseError)]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("The box is gone.", "QEMU has ended.", "course up"), "The box is gone.\nQEMU has ended.\nNext: course up"),
        (("The box is gone.", "", "course up"), "The box is gone.\nNext: course up"),
        (("The box is gone.", "QEMU has ended."), "The box is gone.\nQEMU has ended."),
        (("The box is gone.",), "The box is gone."),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_text_has_the_parts_that_there_are(kind: type[CourseError], parts: tuple[str, ...], text: str) -> None:
    error = kind(*parts)
    assert str(error) == text
    assert error._render_traceback_() == [text]
    assert (error.what, error.why, error.try_next) == (*parts, "", "")[:3]


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_can_tell_wrong_usage_from_failure(kind: type[CourseError]) -> None:
    assert kind.exit_code == (2 if issubclass(kind, UsageError) else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_can_come_from_another_process(kind: type[CourseError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what", "why", "next")))  # noqa: S301
    assert (type(error), str(error)) == (kind, "what\nwhy\nNext: next")


def test_a_notebook_shows_the_text_and_no_traceback(tmp_path: Path) -> None:
    cell = "from lab.box.errors import WaitTimeout; raise WaitTimeout('Waited 5 s.', 'Nothing came.', 'course doctor')"
    command = [sys.executable, "-m", "IPython", "--quick", "--colors=NoColor", "-c", cell]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "IPYTHONDIR": str(tmp_path)})
    assert done.stdout.strip() == "Waited 5 s.\nNothing came.\nNext: course doctor"
