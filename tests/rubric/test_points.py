"""Each point of the rubric is missed by a lesson that is good but for that: one lesson in memory, broken in one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rubric.lesson import Cell, Lesson
from rubric.points import POINTS
from rubric.tasks import Evidence

PROSE = "word " * 60
ROW = "| by hand | what VMs called it | what Kubernetes calls it | the manifest |\n|---|---|---|---|\n| a | b | c | `d: {}` |"
FAIR = Evidence(steps=3, empty=1, model=2, wrong=2)
GOOD = {
    "title": f"# A lesson\n\n{PROSE}\n\n1. See one (`things.one`),\n   and look again.\n2. Make one (`things.two`).\n",
    "connect": "%load_ext lab\nbox = connect()\ntopology(box)",
    "recall-text": "1. A thing. *(01)*\n2. Another thing. *(00)*",
    "recall do": "said = [...]\nmark(said, [len(box.sh('ls')) > 3])\nrecall('02')",
    "first-text": PROSE,
    "first-predict predict do": 'one = predict("02.one", "How many things are on the box?", limits=[2, 5])\none',
    "first": "one.reveal(len(box.things))",
    "second-text": PROSE,
    "second-predict predict do": 'two = predict("02.two", "Which of the two things will be left?", choices=["a", "b"])\ntwo',
    "second": "two.reveal(box.which)",
    "third-text": PROSE,
    "third-predict predict do": 'three = predict(\n    "02.three",\n    "Whose are they all by now?",\n    several=["a", "b"],\n)\nthree',
    "third": "found = !whose\n%box ls\nthree.reveal(found)",
    "faded-text": PROSE,
    "complete faded": "%%box\nls /root",
    "gap faded do": "where = ...\n%box --set where ls $where",
    "blank faded do": "%%box\n# Your command here.",
    "bug-text": PROSE,
    "fault bug do": "%%box\nrepair me",
    "make-text": PROSE,
    "make make do": "%%box\n# Yours.",
    "graded-text": PROSE + PROSE,
    "watch do": "watch('things.one')\nbars({'now': took(box, 'ls')})",
    "more-text": PROSE + PROSE,
    "quiz-text": "1. One. *(01)*\n2. Two.\n3. Three.",
    "quiz do": "said = [..., ..., ...]\nfacts = [box.one, box.two(), len(box.three)]\nmark(said, facts)",
    "row": f"It holds here, and it breaks there.\n\n{ROW}",
    "clean": "clean(box, 'c02-')",
}
"""Cells by their ids and tags."""
ALSO = {"recall-text": "quiz", "quiz-text": "quiz", "row": "analogy"}


def lesson(changed: dict[str, str] | None = None, name: str = "02_things") -> Lesson:
    """The good one, with other sources for some cells."""
    cells = []
    for key, source in (GOOD | (changed or {})).items():
        word, *tags = key.split(" ")
        kind = "markdown" if word.endswith("-text") or word in ("title", "row") else "code"
        cells.append(Cell(f"c02-{word}", kind, source, frozenset([*tags, ALSO.get(word, "")])))
    known = {"things.one": FAIR, "things.two": FAIR, "things.aside": Evidence(graded=False), "others.one": Evidence()}
    return Lesson(name, tuple(cells), known, {"topology": (), "watch": (), "recall": (), "meters": ("keys",)})


def missed(bad: Lesson) -> dict[int, tuple[str, ...]]:
    return {point.number: found.missing for point in POINTS if point.applies(bad) and (found := point.measure(bad)).missing}


def without(word: str, tag: str) -> Lesson:
    """A cell loses a tag."""
    good = lesson()
    cells = (replace(cell, tags=cell.tags - {tag}) if cell.id == f"c02-{word}" else cell for cell in good.cells)
    return replace(good, cells=tuple(cells))


def moved(word: str, to: int) -> Lesson:
    good = lesson()
    cells = [cell for cell in good.cells if cell.id != f"c02-{word}"]
    cells.insert(to, next(cell for cell in good.cells if cell.id == f"c02-{word}"))
    return replace(good, cells=tuple(cells))


def asking(question: str, form: str = "limits=[2]") -> Lesson:
    """The first prediction asks something else."""
    return lesson({"first-predict predict do": f'one = predict("02.one", "{question}", {form})\none'})


def knowing(task: str, evidence: Evidence) -> Lesson:
    good = lesson()
    return replace(good, known={**good.known, task: evidence})


def padded(number: int) -> Lesson:
    """More cells, as good as the others."""
    good = lesson()
    more = [
        cell for at in range(number) for cell in (
            Cell(f"c02-p{at}-text", "markdown", PROSE), Cell(f"c02-p{at}", "code", "box.look()", frozenset(["do"])),
        )
    ]  # fmt: skip
    return replace(good, cells=(*good.cells[:4], *more, *good.cells[4:]))


BAD: list[tuple[int, Callable[[], Lesson], str]] = [
    (1, lambda: lesson({"title": GOOD["title"] + "3. See it again (`things.one`).\n4. And again (`things.one`).\n"}), "4 objectives"),
    (1, lambda: lesson({"title": GOOD["title"].replace("Make one (`things.two`)", "Make one")}), "objective 2 names no check"),
    (1, lambda: lesson({"title": GOOD["title"].replace("`things.one`", "`things.two`")}), "no objective has things.one"),
    (1, lambda: lesson({"title": GOOD["title"].replace("(`things.two`)", "(`things.two`, `things.gone`)")}), "no check things.gone"),
    (1, lambda: lesson({"title": GOOD["title"].replace("1. ", "").replace("2. ", "")}), "numbers no objectives"),
    (2, lambda: padded(9), "46 cells, at most 45"),
    (3, lambda: lesson({"first": "one.reveal(len(box.things))\n" + "box.look()\n" * 15}), "c02-first has 16 lines"),
    (
        3,
        lambda: lesson({key: source + "\nbox.look()" * 6 for key, source in GOOD.items() if "box." in source or "%%" in source}),
        "half of",
    ),
    (4, lambda: lesson({"first-text": "word " * 121}), "c02-first-text has 121 words"),
    (4, lambda: lesson({key: "Look." for key in GOOD if key.endswith("-text") and key not in ALSO}), "words for a code cell, not 40 to 90"),
    (5, lambda: without("third-predict", "predict"), "2 predictions"),
    (5, lambda: moved("first", 1), "one is revealed before c02-first-predict asks"),
    (5, lambda: lesson({"second": "print(box.which)"}), "two is revealed nowhere below c02-second-predict"),
    (
        5,
        lambda: lesson({"first-predict predict do": 'one = predict("03.one", "How many things are there now?", limits=[2])\none'}),
        "is not: name =",
    ),
    (5, lambda: asking("How many things are there now?", 'number="things"'), "wants a number to be hit exactly"),
    (5, lambda: asking("What does the engine say of c02-web?"), "asks about a name of its own lesson"),
    (5, lambda: asking("How many?"), "does not stand alone"),
    (6, lambda: without("first-predict", "do"), "5 cells up to c02-second-predict without one to do"),
    (8, lambda: knowing("things.two", replace(FAIR, steps=2)), "things.two has 2 hints at most"),
    (9, lambda: without("blank", "faded"), "2 cells are tagged faded"),
    (9, lambda: lesson({"complete faded": "where = ..."}), "the first faded cell has a gap"),
    (9, lambda: without("blank", "do"), "the last two faded cells are not to do"),
    (9, lambda: without("fault", "bug"), "no cell is tagged bug"),
    (9, lambda: without("make", "make"), "no cell is tagged make"),
    (10, lambda: lesson({"quiz-text": "1. One. *(02)*\n2. Two.\n3. Three."}), "in c02-quiz-text 0 of 3 items are from earlier lessons"),
    (10, lambda: lesson({"quiz-text": "1. One. *(01)*\n2. Two.\n3. Three.\n4. Four."}), "1 of 4"),
    (10, lambda: without("recall-text", "quiz"), "1 cells are tagged quiz"),
    (11, lambda: lesson({"third": GOOD["third"] + "\nmeters(box)"}), "meters has no keys"),
    (11, lambda: lesson({"third": GOOD["third"] + "\nfrom ipywidgets import Button"}), "widgets of its own"),
    (13, lambda: knowing("things.one", replace(FAIR, empty=0)), "things.one has no empty answer"),
    (13, lambda: knowing("things.one", replace(FAIR, model=0)), "things.one has no model answer"),
    (13, lambda: knowing("things.one", replace(FAIR, wrong=1)), "things.one has 1 wrong answers"),
    (14, lambda: lesson({"second": "two.reveal('a')"}), "c02-second shows 'a', which it did not measure"),
    (14, lambda: lesson({"watch do": "watch('things.one')\nbars({'a container': 0.3, 'a machine': 20})"}), "which it did not measure"),
    (14, lambda: lesson({"quiz do": GOOD["quiz do"].replace("box.two()", "True")}), "c02-quiz shows True"),
    (15, lambda: lesson({"row": f"It holds.\n\n{ROW}"}), "where it breaks"),
    (15, lambda: lesson({"row": GOOD["row"].replace("| c |", "|  |")}), "no row of the table"),
    (15, lambda: without("row", "analogy"), "where it breaks"),
]


def test_a_good_lesson_misses_nothing() -> None:
    assert missed(lesson()) == {}


@pytest.mark.parametrize(("number", "bad", "words"), BAD, ids=[f"{number}: {words}" for number, _, words in BAD])
def test_one_fault_misses_one_point_and_is_named(number: int, bad: Callable[[], Lesson], words: str) -> None:
    found = missed(bad())

    assert set(found) == {number}
    assert any(words in missing for missing in found[number])


def test_every_point_is_missed_by_some_lesson() -> None:
    assert {point.number for point in POINTS} == {number for number, _, _ in BAD}


def test_a_tour_is_held_to_eight_points() -> None:
    assert [point.number for point in POINTS if point.applies(lesson(name="00_things"))] == [3, 4, 6, 8, 11, 14, 15]


def test_a_task_that_is_only_asked_for_is_measured_too() -> None:
    assert lesson({"watch do": "watch('things.aside')"}).tasks == ("things.aside", "things.one", "things.two")
