"""A learner's progress, as ``course progress`` and a notebook show it: the tasks of each topic, and the predictions of each lesson."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import ipywidgets

from autograder.framework.register import checks
from lab.learner_record import UNANSWERED, LearnerRecord, read
from lab.report import table


@dataclass(frozen=True)
class Row:
    """The progress in one topic of tasks, or in one lesson's predictions.

    Args:
        what: the topic or the lesson.
        done: how many tasks were complete at some time, or how many predictions were made.
        of: how many tasks there are, or how many predictions were asked for.
        note: which tasks were begun, or how many predictions came true.
    """

    what: str
    done: int
    of: int
    note: str = ""


def rows(progress: LearnerRecord) -> Iterator[Row]:
    """A row for each topic of tasks, then one for each lesson."""
    topics: dict[str, list[str]] = {}
    for name in sorted(checks()):
        topics.setdefault(name.partition(".")[0], []).append(name)
    for topic, names in topics.items():
        scores = [progress.tasks.get(name, 0.0) for name in names]
        begun = [name.partition(".")[2] for name, score in zip(names, scores, strict=True) if 0 < score < 1]
        yield Row(f"tasks of {topic}", sum(score == 1 for score in scores), len(names), f"begun: {', '.join(begun)}" if begun else "")
    lessons: dict[str, list[str]] = {}
    for key in sorted(progress.predictions):
        lessons.setdefault(key.partition(".")[0], []).append(key)
    for lesson, keys in lessons.items():
        asked = [progress.predictions[key] for key in keys]
        committed = [one for one in asked if one.answer != UNANSWERED]
        yield Row(f"predictions of lesson {lesson}", len(committed), len(keys), f"{sum(one.right for one in committed)} came true")


def text(progress: LearnerRecord) -> str:
    """The progress as a table of text."""
    return table(("what", "done", "of", ""), *((row.what, row.done, row.of, row.note) for row in rows(progress)))


class ProgressView(ipywidgets.HTML):  # type: ignore[misc]
    """The progress as it is now, with a bar for each row; text where there is no browser."""

    def __init__(self) -> None:
        kept = read()
        bars = "".join(
            f'<tr><th scope="row" style="text-align:left;padding-right:12px">{escape(row.what)}</th>'
            f'<td><progress max="{row.of}" value="{row.done}" aria-label="{escape(row.what)}"></progress></td>'
            f'<td style="padding:0 12px">{row.done} of {row.of}</td><td>{escape(row.note)}</td></tr>'
            for row in rows(kept)
        )
        super().__init__(value=f'<table aria-label="How far you are">{bars}</table>')
        self._words = text(kept)

    def _repr_mimebundle_(self, **options: object) -> dict[str, object]:
        return {**super()._repr_mimebundle_(**options), "text/plain": self._words}


def progress() -> ProgressView:
    """Show how far you are in the course, if it is the last expression of a cell."""
    return ProgressView()
