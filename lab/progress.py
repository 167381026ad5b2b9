"""What a learner has done: predictions with what was measured then, and how far each task got.  One small file, kept across restarts.

It is the learner's own, on their own computer, and nothing is graded by it.  Inside a box there is nobody to remember anything for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.box.core.inside import inside_a_box

UNANSWERED = "unanswered"
FILE = "progress.json"


@dataclass
class Predicted:
    """A question, what the learner said, and what was measured when they saw it.

    Args:
        question: as it was asked.
        form: what the question offers; see ``lab.widgets.predict``.
        answer: what was committed, or ``UNANSWERED``.
        measured: nothing while it has not been seen.
        right: they are the same.
        at: seconds since 1970, of the answer.
    """

    question: str
    form: dict[str, Any] = field(default_factory=dict)
    answer: Any = UNANSWERED
    measured: Any = None
    right: bool = False
    at: float = 0.0


@dataclass
class Progress:
    """All of it: predictions by their key, and the best score of each task, from 0 to 1."""

    predictions: dict[str, Predicted] = field(default_factory=dict)
    tasks: dict[str, float] = field(default_factory=dict)


def read() -> Progress:
    """What was kept; nothing where nothing was, or where it can't be read."""
    if inside_a_box():
        return Progress()
    from lab.box.core.installation import Installation  # noqa: PLC0415  (a box lacks what it imports)

    try:
        kept = json.loads((Installation.open().root / FILE).read_text())
        predictions = {str(key): Predicted(**one) for key, one in kept["predictions"].items()}
        return Progress(predictions, {str(name): float(score) for name, score in kept["tasks"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Progress()


@contextmanager
def changing() -> Iterator[Progress]:
    """What was kept, to be changed within the ``with`` block, and kept again."""
    if inside_a_box():
        yield Progress()
        return
    from lab.box.core.installation import Installation, lock  # noqa: PLC0415

    root = Installation.open().root
    with lock(root, "progress"):
        progress = read()
        yield progress
        scratch = root / f"{FILE}.new"
        scratch.write_text(json.dumps(asdict(progress), indent=1))
        scratch.replace(root / FILE)


def reached(task: str, score: float) -> None:
    """Keep the best score of a task."""
    with changing() as progress:
        progress.tasks[task] = max(score, progress.tasks.get(task, 0.0))


def to_recall(predictions: Mapping[str, Predicted], before: str, most: int) -> list[str]:
    """The keys of predictions worth asking again: from earlier lessons, wrong ones first, and those made longest ago before others.

    Args:
        predictions: all there are.
        before: a lesson; only keys that sort before it.
        most: how many.
    """
    seen = {key: one for key, one in predictions.items() if one.measured is not None and key < before}
    return sorted(seen, key=lambda key: (seen[key].right, seen[key].at))[:most]
