"""``python -m rubric``: prints a table of points and lessons; exit code 1 if a lesson misses a point that applies to it."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from rubric.course import lessons
from rubric.lesson import Lesson
from rubric.points import POINTS, Measured

WIDE = 160
"""Width of the table in characters, where it is not printed on a terminal."""
PEOPLE = (
    "Not counted here: 7 and 12 are tests' (tests/autograder, tests/test_lessons.py); the minutes of 2, and how good it all is, people's."
)


def table(measured: dict[tuple[int, str], Measured], names: list[str]) -> Table:
    """The table: a row for each point, a column for each lesson."""
    drawn = Table("", "point", *(name.partition("_")[0] for name in names))
    for point in POINTS:
        cells = [measured.get((point.number, name)) for name in names]
        shown = [f"{'✓' if cell.met else '✗ no:'} {cell.figure}" if cell else "" for cell in cells]
        drawn.add_row(str(point.number), point.name, *shown)
    return drawn


def main(course: list[Lesson]) -> int:
    """Measure and print.  Returns the exit code: 1 if any point is missed, else 0."""
    measured = {
        (point.number, lesson.name): point.measure(lesson) for point in POINTS for lesson in course if point.applies(lesson)
    }  # fmt: skip
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    console.print(table(measured, [lesson.name for lesson in course]))
    for (number, name), found in measured.items():
        for missing in found.missing:
            console.print(f"{name}, point {number}: {missing}", markup=False, highlight=False)
    console.print(PEOPLE)
    return int(not all(found.met for found in measured.values()))


if __name__ == "__main__":
    sys.exit(main(lessons()))
