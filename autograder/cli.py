"""The commands that this package adds to ``course``.  Each imports what it needs when it is called, so that ``course`` starts quickly."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="Such as containers.walls; without it, all tasks are listed.")]
NewName = Annotated[str, typer.Argument(help="topic.task, such as networks.two-bridges")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was seen as JSON.")]
Folder = Annotated[Path, typer.Option("--overlay", help="Your private folder, which COURSE_OVERLAY names.")]


def check(name: Name = "", as_json: AsJson = False) -> None:
    """Check a task on your box, and print what was seen; exit code 0 when it is complete."""
    from autograder.framework.register import checks, find  # noqa: PLC0415
    from autograder.framework.run import judge  # noqa: PLC0415
    from autograder.points import points  # noqa: PLC0415
    from lab.box import connect  # noqa: PLC0415
    from lab.learner_record import reached  # noqa: PLC0415

    if not name:
        listed = [{"task": one.name, "kind": one.kind, "goal": one.goal} for one in sorted(checks().values(), key=lambda one: one.name)]
        print(json.dumps(listed, indent=1) if as_json else "\n".join(f"{one['task']:<28} {one['goal']}" for one in listed))  # noqa: T201
        return
    wanted = find(name)
    verdict, worth = judge(connect(), wanted, so_far=lambda _: None), points(name, Path.cwd()) if wanted.graded else None
    reached(name, verdict.score)
    if as_json:
        marks = {} if worth is None else {"points": round(worth * verdict.score, 2), "of": worth}
        facts = [{"what": fact.what, "ok": fact.ok, "saw": fact.saw} for fact in verdict.facts]
        print(json.dumps({"task": name, "score": verdict.score, **marks, "facts": facts}, indent=1))  # noqa: T201
    else:
        print(verdict.text(worth))  # noqa: T201
    raise typer.Exit(0 if verdict.passed else 1)


def progress(as_json: AsJson = False) -> None:
    """Tell how far you are in the course: tasks and predictions."""
    from autograder.progress_view import rows, text  # noqa: PLC0415
    from lab.learner_record import read  # noqa: PLC0415

    kept = read()
    print(json.dumps([asdict(row) for row in rows(kept)], indent=1) if as_json else text(kept))  # noqa: T201


def new_task(name: NewName, overlay: Folder) -> None:
    """Begin a task of your own: its check, its cells with a model answer, and its tests."""
    from autograder.scaffold import new_task as make  # noqa: PLC0415

    written = make(name, overlay.expanduser().absolute())
    print("\n".join(f"wrote {path}" for path in written))  # noqa: T201
    folder, test = quote(str(overlay.expanduser().absolute())), quote(str(written[-1]))
    print(f"Next: read them from top to bottom, then\n  COURSE_OVERLAY={folder} {quote(sys.executable)} -m pytest {test}")  # noqa: T201
