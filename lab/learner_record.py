"""What a learner has done: their predictions with what was then measured, and the best score of each task.  One small file.

The file is on the learner's own computer and outlives restarts; nothing is graded by it.  Inside a box nothing is kept, because a box has
no learner: there, reading gives an empty record, and changes are lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
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
        answer: what the learner said, or ``UNANSWERED``.
        measured: nothing as long as the learner has not seen the result.
        right: whether the answer agrees with what was measured.
        at: when it was answered, in seconds since 1970.
    """

    question: str
    form: dict[str, Any] = field(default_factory=dict)
    answer: Any = UNANSWERED
    measured: Any = None
    right: bool = False
    at: float = 0.0


@dataclass
class LearnerRecord:
    """All that is kept.

    Args:
        predictions: by their keys, such as ``02.more``.
        tasks: the best score of each task, from 0 to 1, by the task's name.
    """

    predictions: dict[str, Predicted] = field(default_factory=dict)
    tasks: dict[str, float] = field(default_factory=dict)


def read() -> LearnerRecord:
    """What was kept; an empty record where nothing was kept, or where the file can't be read."""
    if inside_a_box():
        return LearnerRecord()
    from lab.box.core import graded  # noqa: PLC0415  (a box lacks what it imports)

    try:
        return parse((graded.installation().root / FILE).read_text())
    except (OSError, ValueError):
        return LearnerRecord()


def parse(text: str) -> LearnerRecord:
    """A record from its text.

    Raises:
        ValueError: it is none.
    """
    try:
        kept = json.loads(text)
        predictions = {str(key): _predicted(one) for key, one in kept["predictions"].items()}
        return LearnerRecord(predictions, {str(name): min(1.0, max(0.0, float(score))) for name, score in kept["tasks"].items()})
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _predicted(kept: Mapping[str, Any]) -> Predicted:
    """A prediction from what was kept; it may have come from somebody else, so each part has the kind that it should have."""
    one = Predicted(**kept)
    return replace(one, question=str(one.question), form=dict(one.form), right=bool(one.right), at=float(one.at))


def text_of(record: LearnerRecord) -> str:
    """A record as text, which ``parse`` reads."""
    return json.dumps(asdict(record), indent=1)


@contextmanager
def changing() -> Iterator[LearnerRecord]:
    """What was kept, to be changed in a ``with`` block, and kept again at its end.  Meanwhile other processes that change it wait."""
    if inside_a_box():
        yield LearnerRecord()
        return
    from lab.box.core import graded  # noqa: PLC0415
    from lab.box.core.installation import lock  # noqa: PLC0415

    root = graded.installation().root
    with lock(root, "progress"):
        record = read()
        yield record
        scratch = root / f"{FILE}.new"
        scratch.write_text(text_of(record))
        scratch.replace(root / FILE)


def reached(task: str, score: float) -> None:
    """Keep a task's score, from 0 to 1, if it is better than the one that was kept."""
    with changing() as record:
        record.tasks[task] = max(score, record.tasks.get(task, 0.0))


def take_over(other: LearnerRecord) -> tuple[int, int]:
    """Keep what somebody else's record has beside one's own: where both have something to say, one's own stays, and a task's better score.

    Returns:
        How many predictions, and how many tasks, are new.
    """
    with changing() as record:
        new = {key: one for key, one in other.predictions.items() if key not in record.predictions}
        better = {name: score for name, score in other.tasks.items() if score > record.tasks.get(name, -1.0)}
        record.predictions.update(new)
        record.tasks.update(better)
    return len(new), len(better)


def to_recall(predictions: Mapping[str, Predicted], before: str, most: int) -> list[str]:
    """The keys of predictions that are worth asking again: wrong ones first, and of those the oldest first.

    Args:
        predictions: all that were made.
        before: the lesson that asks, such as ``03``; only predictions of earlier ones are taken, and only if their result was seen.
        most: how many keys at most.
    """
    seen = {key: one for key, one in predictions.items() if one.measured is not None and key < before}
    return sorted(seen, key=lambda key: (seen[key].right, seen[key].at))[:most]
