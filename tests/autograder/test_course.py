"""The assignment in an ordinary nbgrader course, with stock commands: from the source to marks, feedback and a table of grades."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nbgrader.api import Gradebook

from tests.conftest import ROOT
from tests.support.course import traces, until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from tests.conftest import Running

POINTS = {"process": 3, "walls": 3, "limits": 4, "graceful-stop": 4, "image": 4, "two-processes": 4}
on_container = pytest.mark.parametrize("running", ["container"], indirect=True)


class Course:
    """A copy of the course, with databases, submissions and settings of its own.

    Args:
        home: gets it.
        environment: in which a box can be had.
    """

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.root = home / "course"
        shutil.copytree(ROOT / "exercises", self.root)
        kept = {"HOME": str(home), "IPYTHONDIR": str(home / "i"), "JUPYTER_RUNTIME_DIR": str(home / "r")}
        self.environment = environment | kept

    def run(self, *args: str, env: dict[str, str] | None = None) -> str:
        """One of nbgrader's commands; what it says."""
        command = [sys.executable, "-m", "nbgrader", *args]
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=self.root, env=self.environment | (env or {}), check=False, **streams)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    def submit(self, student: str, cells: Callable[[str, str], str], above: tuple[str, ...] = ()) -> Path:
        """Hand in the released notebook, with its solution cells filled in; the file.

        Args:
            student: who.
            cells: the content of a solution cell, given its name and what was released.
            above: cells of the student's own, above the first.
        """
        notebook = json.loads((self.root / "release/containers/containers.ipynb").read_text())
        for cell in notebook["cells"]:
            if (marks := cell["metadata"].get("nbgrader", {})).get("solution"):
                cell["source"] = cells(marks["grade_id"], "".join(cell["source"]))
        own = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        notebook["cells"] = [{**own, "id": f"above-{number}", "source": source} for number, source in enumerate(above)] + notebook["cells"]
        file = self.root / "submitted" / student / "containers/containers.ipynb"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(notebook))
        return file

    def grades(self) -> dict[str, float]:
        """Score by student, from the exported table."""
        self.run("export", "--to=grades.csv")
        with (self.root / "grades.csv").open() as file:
            return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}

    def outputs(self, student: str) -> dict[str, list[dict[str, Any]]]:
        """What the test cells of a graded notebook came to."""
        notebook = json.loads((self.root / "autograded" / student / "containers/containers.ipynb").read_text())
        marked = [(cell, cell["metadata"].get("nbgrader", {})) for cell in notebook["cells"]]
        return {marks["grade_id"]: cell["outputs"] for cell, marks in marked if marks.get("grade")}


@pytest.fixture
def course(running: Running) -> Iterator[Course]:
    # Short, because kernels talk over unix sockets.
    home = Path(f"/tmp/c-{os.getpid()}")
    home.mkdir(mode=0o700)
    try:
        yield Course(home, running.environment)
    finally:
        shutil.rmtree(home)
    until("boxes that were for grading to go", lambda: not list(running.installation.ephemeral.glob("[0-9]*")))
    until(
        "their guards to go",
        lambda: not [trace for trace in traces(running.installation.root, running.installation.runtime) if "beside" in trace],
    )


def model(course: Course) -> dict[str, str]:
    """The model answers, by the names of their cells."""
    cells = json.loads((course.root / "source/containers/containers.ipynb").read_text())["cells"]
    marked = {cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"]) for cell in cells if "nbgrader" in cell["metadata"]}
    return {name: source for name, source in marked.items() if "BEGIN SOLUTION" in source}


RUBBISH = """
for number in $(seq 6); do docker run -d --restart always -p 80$number:8080 app:v1; done
docker network create --subnet 10.9.0.0/24 left-over; docker volume create left-over
docker tag app:v2 spare; echo "not a recipe" > /root/Dockerfile; cd /tmp; mkfifo left-over
"""
ABOVE = "!course reset", "%load_ext lab\n%cd /", "%%box\ntouch /root/above"
"""What works on somebody's box before the notebook has asked for its own."""
TYPED = "9100", "9101"
"""Ports that somebody saw once, and typed."""


@on_container
def test_what_is_released_is_made_of_its_source(course: Course) -> None:
    shutil.rmtree(course.root / "release")
    course.run("generate_assignment", "*")
    notebooks = {file.relative_to(course.root / "source") for file in (course.root / "source").glob("*/*.ipynb")}
    assert {file.relative_to(course.root / "release") for file in (course.root / "release").glob("*/*.ipynb")} == notebooks
    for notebook in notebooks:
        made = json.loads((course.root / "release" / notebook).read_text())
        assert made == json.loads((ROOT / "exercises/release" / notebook).read_text()), notebook


@on_container
@pytest.mark.timeout(1500)
def test_from_the_source_to_the_table_of_grades(course: Course, box: Box) -> None:
    mine = box.status().name
    course.run("generate_assignment", "containers", "--force")
    answers = model(course)
    half = {name: source for name, source in answers.items() if name.startswith(("containers-process", "containers-limits-make"))}
    course.submit("half", half.get)
    untidy = course.submit("untidy", lambda name, _: answers[name] + RUBBISH * answers[name].startswith("%%box"), above=ABOVE)
    course.run("autograde", "containers")

    assert course.grades() == {"half": 3 + 3, "untidy": sum(POINTS.values())}
    assert "Success! Your notebook passes all the tests." in course.run("validate", str(untidy))
    assert_nothing_but_marks(course, "half", "untidy")
    assert (box.status().name, "above" in box.sh("ls /root").stdout) == (mine, False)

    course.run("generate_feedback", "containers")
    feedback = (course.root / "feedback/half/containers/containers.html").read_text()
    assert "the number in the memory file: no answer yet" in feedback
    assert "Who is process 1" not in feedback  # nothing was built, so that is not the advice that helps
    assert "Build it from /root/graceful-stop-" in feedback


@on_container
@pytest.mark.full
@pytest.mark.timeout(1500)
def test_who_did_all_who_did_nothing_and_who_typed_what_was_drawn_for_another_run(course: Course) -> None:
    course.run("generate_assignment", "containers", "--force")
    answers = model(course)
    typed = {name: source.replace("$first", TYPED[0]).replace("$second", TYPED[1]) for name, source in answers.items()}
    course.submit("right", lambda name, _: answers[name])
    course.submit("empty", lambda _, released: released)
    course.submit("typed", lambda name, _: typed[name])
    course.run("autograde", "containers")

    whole = sum(POINTS.values())
    assert course.grades() == {"right": whole, "empty": 0, "typed": whole - POINTS["two-processes"]}
    assert_nothing_but_marks(course, "right", "empty", "typed")
    course.run("generate_feedback", "containers")
    feedback = (course.root / "feedback/typed/containers/containers.html").read_text()
    assert "Both are to run in this one container: on port" in feedback


def assert_nothing_but_marks(course: Course, *students: str) -> None:
    """Each test cell gave one number, and no warning."""
    for student in students:
        for outputs in course.outputs(student).values():
            assert [output["output_type"] for output in outputs if output["output_type"] == "execute_result"] == ["execute_result"]
            assert not [output for output in outputs if output.get("name") == "stderr"]


def documented(heading: str, **words: str) -> list[list[str]]:
    """The commands of a section of docs/authoring.md, block by block, with words of it replaced."""
    section = (ROOT / "docs/authoring.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    assert blocks
    for word, value in words.items():
        blocks = [block.replace(word, value) for block in blocks]
    return [block.splitlines() for block in blocks]


@on_container
@pytest.mark.timeout(600)
def test_what_the_docs_tell_a_teacher_to_type_works_from_a_new_task_to_the_marks(course: Course, box: Box) -> None:
    home, student = course.root.parent, course.root.parent / "student"
    (home / ".jupyter").mkdir()
    (home / "exchange").mkdir(mode=0o777)
    (home / "exchange").chmod(0o777)
    (home / ".jupyter/nbgrader_config.py").write_text(f"c.Exchange.root = '{home}/exchange'")
    student.mkdir()
    names = {"networks.two-bridges": "networks.bridges-2", "ASSIGNMENT": "networks", "COURSE ": "mine "}
    path = os.pathsep.join([str(Path(sys.executable).parent), course.environment["PATH"]])
    environment = course.environment | {"PATH": path}

    def typed(lines: list[str], where: Path) -> None:
        script = "set -ex\n" + "\n".join(lines)
        done = subprocess.run(["bash", "-c", script], cwd=where, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)

    assert box
    typed(documented("1. Begin", **names)[0], home)
    environment["COURSE_OVERLAY"] = str(home / "my-course")
    (notebook,) = (home / "my-course/source/networks").glob("*.ipynb")
    assert not re.search(r"-\d+$", notebook.stem)
    typed(documented("4. The tests")[0], home)

    for name in ("nbgrader_config.py", "header.ipynb"):
        text = (ROOT / "exercises" / name).read_text()
        (home / "my-course" / name).write_text(text.replace('"kubernetes-by-analogy"', '"mine"'))
    teachers, students = documented("5. Release and grade", **names)
    submitted = next(number for number, line in enumerate(teachers) if line.startswith("nbgrader collect"))
    typed(teachers[:submitted], home / "my-course")
    typed(students[:1], student)
    fetched = student / "networks" / notebook.name
    answer = "docker run -d --name $container -e GREETING=$greeting app:v1"
    fetched.write_text(fetched.read_text().replace("# YOUR CODE HERE", answer))
    typed(students[1:2], student)
    typed(teachers[submitted:], home / "my-course")
    typed(students[2:], student)
    with (home / "my-course/grades.csv").open() as file:
        assert [float(row["score"]) for row in csv.DictReader(file)] == [2]
    assert list((student / "networks/feedback").rglob("*.html"))


MOODLE = ("Jane Doe_123456_assignsubmission_file/containers.ipynb", "Åsa Öst_98_assignsubmission_file_containers.ipynb")
CANVAS = ("doejohn_12345_67890_containers.ipynb", "smithanna_LATE_222_333_containers-1.ipynb")


def test_what_moodle_and_canvas_give_is_collected(tmp_path: Path) -> None:
    course = Course(tmp_path, dict(os.environ))
    archive = course.root / "downloaded/containers/archive"
    archive.mkdir(parents=True)
    released = (course.root / "release/containers/containers.ipynb").read_text()
    for name, files in (("moodle", MOODLE), ("canvas", CANVAS)):
        with zipfile.ZipFile(archive / f"{name}.zip", "w") as packed:
            for file in files:
                packed.writestr(file, released)
    course.run("zip_collect", "containers")
    collected = {path.parts[-3] for path in (course.root / "submitted").glob("*/containers/containers.ipynb")}
    assert collected == {"Jane Doe", "Åsa Öst", "doejohn", "smithanna"}


BROKEN = '''
import threading
from autograder.framework.fact import Fact
from autograder.framework.register import check
from lab.box.errors import CourseError

def broken(name, timeout_s=60):
    def note(look):
        check(f"broken.{name}", kind="answer", parts=1, timeout_s=timeout_s)(look)
    return note

@broken("raises")
def raises(machine, task):
    """Raise."""
    yield Fact("it", ok=True, saw="")
    raise ZeroDivisionError

@broken("hangs", timeout_s=2)
def hangs(machine, task):
    """Hang."""
    threading.Event().wait(60)
    yield Fact("it", ok=True, saw="")

@broken("engine")
def engine(machine, task):
    """Need the engine."""
    machine.docker.ping()
    yield Fact("it", ok=True, saw="")

def full(machine, task):
    raise CourseError("There is no room.")

def begins(machine, task):
    """Begin."""
    yield Fact("it", ok=True, saw="")

check("broken.room", kind="answer", parts=1, prepare=full)(begins)
check("broken.unbegun", kind="answer", parts=1)(begins)

@broken("fine")
def fine(machine, task):
    """Be fine."""
    yield Fact("it", ok=True, saw="")
'''
BAD_CELLS = {
    "raises": 'task("broken.raises"); check("broken.raises")',
    "hangs": 'task("broken.hangs"); check("broken.hangs")',
    "typo": 'check("broken.rases")',
    "semicolon": 'task("broken.fine"); check("broken.fine");',
    "engine": 'task("broken.engine"); box.sh("touch /run/course/hold-dockerd; killall dockerd; sleep 1"); check("broken.engine")',
    "huge": 'answer("broken.fine", it="x" * 10**6)\ncheck("broken.fine")',
    "nan": 'answer("broken.fine", it=float("nan"))\ncheck("broken.fine")',
    "nested": 'answer("broken.fine", it=[[1]])\ncheck("broken.fine")',
    "room": 'check("broken.room")',
    "unbegun": 'check("broken.unbegun")',
    "euro": 'check("broken.fine")',
    "silent": 'check("broken.fine")',
    "thread": 'check("broken.fine")',
}
MARKED = {"broken-fine", "broken-thread", "broken-unbegun"}
BEFORE = {
    "room": 'task("broken.room")',
    "unbegun": "pass",
    "euro": 'plain = get_ipython().display_formatter.formatters["text/plain"]; plain.for_type(float, lambda x, p, _: p.text(f"{x} €"))',
    "silent": 'plain.type_printers.pop(float)\n%config InteractiveShell.ast_node_interactivity = "none"',
    "thread": '%config InteractiveShell.ast_node_interactivity = "last_expr"\nnoisy.start()',
}
"""What stands in a cell before some of them."""
NOISE = """
import sys, threading, time
noisy = threading.Thread(target=lambda: [print("noise", file=sys.stderr) or time.sleep(0.05) for _ in range(400)], daemon=True)
"""


def bad_notebook() -> dict[str, Any]:
    """A notebook of test cells that go wrong, each in its way."""

    def cell(name: str, source: str, **marks: object) -> dict[str, Any]:
        metadata = {"grade": False, "locked": True, "solution": False, "task": False, "schema_version": 3, "grade_id": name, **marks}
        content = {"source": source, "outputs": [], "execution_count": None}
        return {"cell_type": "code", "id": name, "metadata": {"nbgrader": metadata}, **content}

    setup = f"%load_ext lab\nfrom autograder import answer, check, connect, task\n{NOISE}\nbox = connect()"
    cells = [cell("setup", setup)]
    for name, source in BAD_CELLS.items():
        cells += [cell(f"before-{name}", BEFORE[name])] if name in BEFORE else []
        cells.append(cell(f"broken-{name}", source, grade=True, points=2))
    cells.append(cell("broken-fine", 'check("broken.fine")', grade=True, points=2))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


@on_container
@pytest.mark.timeout(900)
def test_what_goes_wrong_costs_its_points_and_says_why(course: Course) -> None:
    overlay = course.root.parent / "overlay"
    (overlay / "checks").mkdir(parents=True)
    (overlay / "checks/broken.py").write_text(BROKEN)
    source = course.root / "source/broken"
    source.mkdir()
    (source / "broken.ipynb").write_text(json.dumps(bad_notebook()))
    env = {"COURSE_OVERLAY": str(overlay)}
    course.run("generate_assignment", "broken", "--force", env=env)
    (course.root / "submitted/some/broken").mkdir(parents=True)
    shutil.copy(course.root / "release/broken/broken.ipynb", course.root / "submitted/some/broken")
    log = course.run("autograde", "broken", env=env)
    assert "broken-raises of some has no mark until a person has looked" in log
    with Gradebook(f"sqlite:///{course.root}/gradebook.db") as gradebook:
        grades = gradebook.find_submission_notebook("broken", "broken", "some").grades
        assert {grade.name for grade in grades if not grade.needs_manual_grade} == MARKED
        assert {grade.name for grade in grades if grade.auto_score is not None} == MARKED
    graded = json.loads((course.root / "autograded/some/broken/broken.ipynb").read_text())
    errors = {
        cell["metadata"]["nbgrader"]["grade_id"]: [output["evalue"] for output in cell["outputs"] if output["output_type"] == "error"]
        for cell in graded["cells"]
        if cell["cell_type"] == "code"
    }
    assert "at fault, not you" in errors["broken-raises"][0]
    assert "did not end within 2 s" in errors["broken-hangs"][0]
    assert "broken.rases" in errors["broken-typo"][0]
    assert "semicolon" in errors["broken-semicolon"][0]
    assert "could not look" in errors["broken-engine"][0]
    assert "too long" in errors["broken-huge"][0]
    assert "can't be taken" in errors["broken-nan"][0]
    assert "can't be taken" in errors["broken-nested"][0]
    assert "shows 2.25 as 2.25 €" in errors["broken-euro"][0]
    assert "shows no results" in errors["broken-silent"][0]
    assert "There is no room" in log
    assert course.grades() == {"some": 4.0}  # the one that is fine, and the one beside which a thread makes noise

    said = course.run("validate", "release/broken/broken.ipynb", env=env)
    assert "VALIDATION FAILED ON 12 CELL(S)" in said, said
    assert "semicolon" in said
