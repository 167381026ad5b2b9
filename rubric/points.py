"""The points of the rubric that can be counted, with their numbers in the curriculum.

Points 7 and 12 are left to tests, which run things.  People judge how long a lesson takes, and whether what is counted here is any good.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from rubric.lesson import TASK, Cell, Lesson, numbered
from rubric.tasks import HINTS

SHORT = ("00", "07")
"""The first and the last lesson, a tour and a summary; only some points apply to them."""
HEADER = ["by hand", "what VMs called it", "what Kubernetes calls it", "the manifest"]
MOST = {"objectives": 3, "cells": 45, "lines": 15, "median": 5, "words": 120, "apart": 4}
WORDS_PER_CODE = (40, 90)
PREDICTIONS, FADED = 3, 3
ALONE = 6
"""The fewest words of a question that can stand alone, when a later lesson asks it again."""


@dataclass(frozen=True)
class Measured:
    """A point, measured for one lesson.

    Args:
        figure: what was counted, in words.
        missing: what is missing, a sentence each; empty if the point is met.
    """

    figure: str
    missing: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True)
class Point:
    """A point of the rubric.

    Args:
        number: in the rubric.
        name: in a few words.
        measure: the function that measures it.
        short: whether it applies to the short lessons, too.
    """

    number: int
    name: str
    measure: Callable[[Lesson], Measured]
    short: bool = False

    def applies(self, lesson: Lesson) -> bool:
        """Whether a lesson must meet it."""
        return self.short or lesson.number not in SHORT


def unless(missing: Mapping[str, bool]) -> tuple[str, ...]:
    """The texts whose conditions do not hold: what is missing.

    Args:
        missing: a condition for each text.
    """
    return tuple(words for words, holds in missing.items() if not holds)


def objectives(lesson: Lesson) -> Measured:
    """At most three objectives, each with an existing task; together they name all tasks of the lesson's assignment."""
    items = lesson.objectives
    named = [TASK.findall(" ".join(re.findall(r"`(.+?)`", item))) for item in items]
    every = {name for names in named for name in names}
    topics = {name.partition(".")[0] for name in every & set(lesson.known)}
    due = {name for name, evidence in lesson.known.items() if evidence.graded and name.partition(".")[0] in topics}
    missing = unless({
        "its first cell numbers no objectives": bool(items),
        f"{len(items)} objectives": len(items) <= MOST["objectives"],
        **{f"no objective has {name}": name in every for name in sorted(due)},
        **{f"there is no check {name}": name in lesson.known for name in sorted(every)},
        **{f"objective {number} names no check": bool(names) for number, names in enumerate(named, 1)},
    })  # fmt: skip
    return Measured(f"{len(items)}, {len(every)} tasks", missing)


def length(lesson: Lesson) -> Measured:
    """At most as many cells as an hour allows."""
    cells = len(lesson.cells)
    return Measured(f"{cells} cells", unless({f"{cells} cells, at most {MOST['cells']}": cells <= MOST["cells"]}))


def code(lesson: Lesson) -> Measured:
    """Short code cells; helpers belong into the package."""
    lines = {cell.id: cell.lines for cell in lesson.code}
    half = median(lines.values())
    missing = unless({
        f"half of the code cells have more than {MOST['median']} lines": half <= MOST["median"],
        **{f"{cell} has {many} lines": many <= MOST["lines"] for cell, many in lines.items()},
    })  # fmt: skip
    return Measured(f"{half:g}, at most {max(lines.values())}", missing)


def prose(lesson: Lesson) -> Measured:
    """Enough to read between code cells, and not too much."""
    words = {cell.id: cell.words for cell in lesson.prose}
    share, (least, most) = sum(words.values()) / len(lesson.code), WORDS_PER_CODE
    missing = unless({
        f"{share:.0f} words for a code cell, not {least} to {most}": least <= share <= most,
        **{f"{cell} has {many} words": many <= MOST["words"] for cell, many in words.items()},
    })  # fmt: skip
    return Measured(f"{share:.0f}, at most {max(words.values())}", missing)


def predictions(lesson: Lesson) -> Measured:
    """Enough predictions, each in a cell of its own, with the result in a later cell."""
    asked = len(lesson.tagged("predict"))
    return Measured(f"{asked}", unless({f"{asked} predictions": asked >= PREDICTIONS}) + faults(lesson))


def faults(lesson: Lesson) -> tuple[str, ...]:
    """What is wrong with the predictions that there are."""
    return tuple(fault for cell in lesson.tagged("predict") for fault in (*_out_of_order(lesson, cell), *_unfair(cell)))


def _unfair(cell: Cell) -> Iterator[str]:
    """What makes a question impossible to answer: a number to be hit exactly, or words that only its own lesson explains."""
    for call in cell.calls("predict"):
        question = str(call.args[1].value) if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) else ""
        if any(keyword.arg == "number" for keyword in call.keywords):
            yield f"{cell.id} wants a number to be hit exactly, and has no limits"
        if re.search(r"\bc\d\d-", question):
            yield f"{cell.id} asks about a name of its own lesson, and does not stand alone when it is asked again"
        if len(question.split()) < ALONE:
            yield f"{cell.id} asks {question!r}, which does not stand alone when it is asked again"


def _out_of_order(lesson: Lesson, cell: Cell) -> Iterator[str]:
    form = re.fullmatch(rf'(\w+) = predict\(\s*"{lesson.number}\.[\w-]+",\s*"[^"\n]+",\s.+\)\n\1', cell.source, re.DOTALL)
    if not form:
        yield f'{cell.id} is not: name = predict("{lesson.number}.word", "question", …), and name'
        return
    at = lesson.cells.index(cell)
    shown = [place for place, later in enumerate(lesson.cells) if f"{form[1]}.reveal(" in later.source]
    if not shown or shown[0] <= at:
        yield f"{form[1]} is revealed nowhere below {cell.id}" if not shown else f"{form[1]} is revealed before {cell.id} asks for it"


def to_do(lesson: Lesson) -> Measured:
    """Something to do for the learner in at least every fourth cell."""
    at = [number for number, cell in enumerate(lesson.cells) if "do" in cell.tags]
    gaps = {later: later - earlier for earlier, later in pairwise([0, *at, len(lesson.cells)])}
    ids = [*(cell.id for cell in lesson.cells), "the end"]
    missing = unless({f"{gap} cells up to {ids[later]} without one to do": gap <= MOST["apart"] for later, gap in gaps.items()})
    return Measured(f"every {max(gaps.values())}", missing)


def hints(lesson: Lesson) -> Measured:
    """A fact with three hints for each task."""
    steps = {name: lesson.known[name].steps if name in lesson.known else 0 for name in lesson.tasks}
    missing = unless({
        "it has no task": bool(steps),
        **{f"{name} has {many} hints at most" if many else f"{name} has no hint": many >= HINTS for name, many in steps.items()},
    })  # fmt: skip
    return Measured(f"{sum(many >= HINTS for many in steps.values())} of {len(steps)} tasks", missing)


def parts(lesson: Lesson) -> Measured:
    """Three kinds of cells: a sequence of exercises with ever less help, a bug to find, and something open to make."""
    faded, bug, make = (lesson.tagged(tag, "code") for tag in ("faded", "bug", "make"))
    missing = unless({
        f"{len(faded)} cells are tagged faded, not {FADED}": len(faded) >= FADED,
        "the first faded cell has a gap": not faded or "..." not in faded[0].source,
        "the last two faded cells are not to do": all("do" in cell.tags for cell in faded[-2:]),
        "no cell is tagged bug, and do": any("do" in cell.tags for cell in bug),
        "no cell is tagged make, and do": any("do" in cell.tags for cell in make),
    })  # fmt: skip
    return Measured(f"{len(faded)} faded, {len(bug)} bug, {len(make)} make", missing)


def quiz(lesson: Lesson) -> Measured:
    """In the recall as at the end, a third of the items are from earlier lessons."""
    shares, missing = [], []
    for cell in lesson.tagged("quiz", "markdown"):
        items = numbered(cell.source)
        earlier = sum(any(mark < lesson.number for mark in re.findall(r"\*\((\d\d)\)\*$", item)) for item in items)
        shares.append(f"{earlier} of {len(items)}")
        if not items or earlier * 3 < len(items):
            missing.append(f"in {cell.id} {shares[-1]} items are from earlier lessons")
    if len(shares) < 2:
        missing.append(f"{len(shares)} cells are tagged quiz, not two: the recall and the end")
    return Measured(", ".join(shares) or "none", tuple(missing))


def widgets(lesson: Lesson) -> Measured:
    """What is shown has a twin of text, and keys."""
    made = sorted({name for name in lesson.widgets for cell in lesson.code if any(cell.calls(name))})
    bare = any("ipywidgets" in cell.source for cell in lesson.code)
    lacks = [f"{name} has no {what}" for name in made for what in lesson.widgets[name]]
    return Measured(", ".join(made) or "none", (*lacks, *(["it makes widgets of its own"] if bare else [])))


def tested(lesson: Lesson) -> Measured:
    """Each task has tests of an empty answer, a model, and two wrong ones."""
    lacks = {name: lesson.known[name].untested if name in lesson.known else ("no check",) for name in lesson.tasks}
    missing = tuple(f"{name} has {what} in its tests" for name, untested in lacks.items() for what in untested)
    return Measured(f"{sum(not untested for untested in lacks.values())} of {len(lacks)} tasks", missing)


def measured(lesson: Lesson) -> Measured:
    """No result is written down: what is revealed, drawn as bars or marked is computed."""
    shown = [(cell.id, one) for cell in lesson.code for one in _shown(cell)]
    written = tuple(f"{cell} shows {ast.unparse(one)}, which it did not measure" for cell, one in shown if _literal(one))
    return Measured(f"{len(shown)} results", written)


def _shown(cell: Cell) -> Iterator[ast.expr]:
    set_to = {
        target.id: node.value for node in ast.walk(cell.tree) if isinstance(node, ast.Assign) for target in node.targets
        if isinstance(target, ast.Name)
    }  # fmt: skip
    for call in cell.calls("reveal", "bars"):
        yield from call.args[:1]
    for call in cell.calls("mark"):
        facts = call.args[-1]
        facts = set_to.get(facts.id, facts) if isinstance(facts, ast.Name) else facts
        yield from facts.elts if isinstance(facts, ast.List | ast.Tuple) else [facts]


def _literal(value: ast.expr) -> bool:
    return not any(isinstance(node, ast.Name | ast.Call) for node in ast.walk(value))


def analogy(lesson: Lesson) -> Measured:
    """Where it holds, where it breaks, and the lesson's row of the course's table."""
    said = lesson.tagged("analogy", "markdown")
    rows = [row for cell in said for row in _rows(cell.source)]
    both = [cell for cell in said if "holds" in cell.source and "breaks" in cell.source]
    missing = unless({
        "no cell that is tagged analogy says where it holds, and where it breaks": bool(both),
        "no row of the table, with four columns": lesson.number in SHORT or bool(rows),
    })  # fmt: skip
    return Measured(f"{'both ways' if both else 'not both ways'}, {len(rows)} rows", missing)


def _rows(text: str) -> Iterator[list[str]]:
    """The filled rows below the header of the course's table."""
    below = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if below and len(cells) == len(HEADER) and all(cells) and not set(line) <= set("|-: "):
            yield cells
        below = cells == HEADER or (below and bool(cells))


POINTS = (
    Point(1, "objectives, each with a check", objectives),
    Point(2, "cells", length),
    Point(3, "lines of a code cell", code, short=True),
    Point(4, "words for a code cell", prose, short=True),
    Point(5, "predictions before their results", predictions),
    Point(6, "something to do", to_do, short=True),
    Point(8, "hints in three steps", hints, short=True),
    Point(9, "faded, bug, make", parts),
    Point(10, "quiz items from earlier lessons", quiz),
    Point(11, "widgets with text and keys", widgets, short=True),
    Point(13, "empty, model and wrong answers tested", tested),
    Point(14, "results that are computed", measured, short=True),
    Point(15, "the analogy, and its row", analogy, short=True),
)
"""All of them; those with ``short`` apply to every lesson."""
