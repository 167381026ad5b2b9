"""An ordinary nbgrader course.  Every stock command works in this directory; what follows is all that differs from nbgrader's defaults."""

import os
import sys
from pathlib import Path

from nbgrader.converters import Autograde

from autograder.framework.register import OVERLAY
from autograder.review import Review

c = get_config()  # noqa: F821  (traitlets defines it)

# nbgrader starts a program of its own environment by its bare name.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

# Notebooks run elsewhere, so a private folder that was named from here would not be found.
if os.environ.get(OVERLAY):
    os.environ[OVERLAY] = str(Path(os.environ[OVERLAY]).expanduser().absolute())

c.CourseDirectory.course_id = "kubernetes-by-analogy"
c.CourseDirectory.root = str(Path(__file__).parent)
c.IncludeHeaderFooter.header = str(Path(__file__).parent / "header.ipynb")

# A comment in Python and in a shell alike: solutions stand in both kinds of cells, and an open one must not be an error.
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE"}

# A test cell that ended in an error of its own is marked for a person to look at.
c.Autograde.autograde_preprocessors = [*Autograde.class_traits()["autograde_preprocessors"].default(), Review]

# Emulated boxes are slow, and nbgrader gives a cell 30 s.
c.Execute.timeout = 300

# `nbgrader zip_collect` reads the names that Moodle and Canvas give to the files of "download all submissions":
#   Moodle  Jane Doe_123456_assignsubmission_file/containers.ipynb, or the same with "_" for "/"
#   Canvas  doejane_LATE_12345_67890_containers-1.ipynb, "LATE" and "-1" only where they apply
c.FileNameCollectorPlugin.named_regexp = (
    r".*/(?P<student_id>[^/]+?)_(?:LATE_)?\d+_(?:assignsubmission_file_?/?|\d+_)(?P<file_id>[A-Za-z][\w-]*?)(?:-\d+)?\.ipynb$"
)
